"""Primitives that make tensors from parameters alone."""

from __future__ import annotations

import numpy as np

from .primitive import Aval, declare


class Literal:
    """An array as a parameter: equal by its elements, and never written to."""

    __slots__ = ("_key", "array")

    def __init__(self, array: np.ndarray):
        self.array = array
        self._key: tuple | None = None

    @property
    def key(self) -> tuple:
        """What tells it from others."""
        if self._key is None:
            self._key = (self.array.dtype, self.array.shape, self.array.tobytes())
        return self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"<{self.array.dtype}{list(self.array.shape)}>"


def _full(*, shape: tuple[int, ...], value: object, dtype: np.dtype) -> Aval:
    return Aval(shape, dtype)


# a copy of an array that does not depend on any tensor's elements
declare("constant", "", "array", shape=lambda *, array: Aval(array.array.shape, array.array.dtype))
declare("full", "", "shape value dtype", shape=_full)
declare(
    "arange", "", "start step count dtype", shape=lambda *, count, dtype, **_: Aval((count,), dtype)
)
