"""What a primitive is: a name, its operands and parameters, a shape rule, and traits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Aval(NamedTuple):
    """An abstract value: what a tensor is before its numbers are known."""

    shape: tuple[int, ...]
    dtype: np.dtype


ShapeRule = Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """One instruction of the engine.

    Attributes:
        name: unique; the key in every rule table.
        operands: names of the tensor operands; a leading "*" takes any number.
        params: names of the static keyword parameters.
        shape: (avals of the operands, **params) -> Aval or tuple of Avals; None means that the
            result's shape is only known by running the eager rule (data-dependent or rare).
        view: the result shares the first operand's memory.
        elementwise: operands broadcast, and Python numbers may stand for tensors.
        outputs: how many results; 0 means a tuple whose length depends on the call.
    """

    name: str
    operands: tuple[str, ...]
    params: tuple[str, ...] = ()
    shape: ShapeRule | None = None
    view: bool = False
    elementwise: bool = False
    outputs: int = 1


PRIMITIVES: dict[str, Primitive] = {}


def declare(
    name: str,
    operands: str,
    params: str = "",
    *,
    shape: ShapeRule | None = None,
    view: bool = False,
    elementwise: bool = False,
    outputs: int = 1,
) -> None:
    """Add a row to the instruction set; names are given as one string, separated by spaces."""
    if name in PRIMITIVES:
        raise ValueError(f"primitive {name!r} is declared twice")
    PRIMITIVES[name] = Primitive(
        name, tuple(operands.split()), tuple(params.split()), shape, view, elementwise, outputs
    )
