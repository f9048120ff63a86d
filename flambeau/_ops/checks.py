"""Checks of elements as primitives: an op that makes them looks at no element itself.

So a recording of the op holds for other elements too: a compiled program makes the same checks,
and where one fails the op runs again, eagerly, and raises its own error.
"""

from __future__ import annotations

from collections.abc import Callable

from .._engine.autograd.calls import P
from .._engine.autograd.rules.shared import elements
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .promote import as_dtype

__all__ = ["check_positions", "elements", "refuse"]


def check_positions(
    index: Tensor, size: int, text: str, low: int = 0, error: type[Exception] = IndexError
) -> None:
    """Raises when a position lies outside [low, size); `text` may say {index} and {size}."""
    try:
        P.check_index(index, low=low, high=size, ignored=None)
    except IndexError:
        least, most = int(index._array.min()), int(index._array.max())
        raise error(text.format(index=most if most >= size else least, size=size)) from None


def refuse(bad: Tensor, error: Callable[[], Exception]) -> None:
    """Raises `error()` when an element of a bool tensor is True."""
    try:
        P.check_index(as_dtype(bad, dtypes.int64), low=0, high=1, ignored=None)
    except IndexError:
        raise error() from None
