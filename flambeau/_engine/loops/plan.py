"""A program before it is native: steps over buffers, and where the buffers lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph.ir import Node
from .kernel import Kernel

INPUT, OUTPUT, STATIC, ARENA, CONSTANT, OBJECT = (
    "input", "output", "static", "arena", "constant", "object",
)  # fmt: skip


@dataclass(slots=True)
class Buffer:
    """Memory that a program's steps work on.

    Attributes:
        kind: INPUT and OUTPUT (`position` among the graph's inputs or outputs; given at each
            run), STATIC (an output in memory of the program's own; `position` among outputs),
            ARENA (`offset` in bytes into the program's scratch memory), CONSTANT (`array`, made
            at compile time), OBJECT (memory of a Python object that outlives the program, such
            as a generator's state: `array` views it).
    """

    kind: str
    nbytes: int
    position: int = -1
    offset: int = -1
    array: np.ndarray | None = None


@dataclass(slots=True)
class Step:
    """A kernel at work on buffers; `arguments` are (buffer number, byte offset) pairs.

    Attributes:
        faults: whether a Special may meet what eager refuses, and return a fault's code.
    """

    kernel: Kernel
    arguments: tuple[tuple[int, int], ...]
    event: int = 0
    faults: bool = True


@dataclass(slots=True)
class Callback:
    """A primitive without native code: its eager rule is called with arrays over the buffers.

    `operands` has for each of the node's inputs (buffer, byte offset, shape, dtype, strides in
    elements) or the number or None that stands there; `results` likewise.
    """

    node: Node
    operands: tuple[Any, ...]
    results: tuple[Any, ...]
    event: int = 0


@dataclass(slots=True)
class Plan:
    """All that the runtime needs of a program."""

    buffers: list[Buffer]
    steps: list[Step | Callback]
    arena_bytes: int
    numbers: int
    inputs: int
    # (shape, dtype, static) of each output
    outputs: list[tuple[tuple[int, ...], np.dtype, bool]] = field(default_factory=list)
