"""A segment as a graph: primitives on values, in the order they ran. Immutable once built.

Values have static shapes and dtypes. Nothing is written in place inside a graph: a write to
an input's memory is a pair in `updates`, carried out when everything else has been computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Nodes beyond the primitives:
# region_write(base, value; steps): base, with the region that the view steps lead to replaced;
# a step is (view primitive, its params, number among several results or None).
REGION_WRITE = "region_write"


@dataclass(eq=False, slots=True)
class Value:
    """An array that is computed once.

    Attributes:
        strides: in elements, where an input's memory is not C-contiguous; None where it is.
            Computed values are C-contiguous as far as anyone outside can tell.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    strides: tuple[int, ...] | None = None


@dataclass(eq=False, slots=True)
class Number:
    """A Python number that is given anew at each run: an entry of the numbers' vector.

    As an operand it is weak, as Python numbers are: it takes the dtype of the arrays it meets.
    """

    position: int
    kind: type = float


Operand = Any  # Value, Number, a Python number, or None (an operand that was left out)


@dataclass(eq=False, slots=True)
class Node:
    """One primitive call. `params` may hold Numbers, and a `generator` that is read and advanced.

    Attributes:
        event: which of the segment's events it belongs to.
    """

    name: str
    inputs: tuple[Operand, ...]
    params: dict[str, Any]
    outputs: tuple[Value, ...]
    event: int = 0


@dataclass(eq=False, slots=True)
class Output:
    """A value that someone outside reads: a fresh array each run, or `static`, one of the
    program's own buffers that the next run overwrites."""

    value: Value
    static: bool = False


@dataclass(eq=False, slots=True)
class Graph:
    """Inputs and numbers in, outputs out, and inputs' memory updated.

    Attributes:
        numbers: how many entries the numbers' vector has.
        updates: (input, its new content): same shape and dtype, written at the end.
    """

    inputs: tuple[Value, ...]
    numbers: int
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    updates: tuple[tuple[Value, Value], ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    def results(self) -> Iterator[Value]:
        """What must be computed: outputs, then updates."""
        for output in self.outputs:
            yield output.value
        for _, value in self.updates:
            yield value


def values_of(operands: Sequence[Operand]) -> Iterator[Value]:
    """The values among operands."""
    for operand in operands:
        if isinstance(operand, Value):
            yield operand


class ProgramFault(Exception):
    """A run met what eager would have refused (an index out of range): nothing was updated."""
