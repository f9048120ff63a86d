"""Reading and writing with `[]`."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.tensor import Tensor
from .._ops.declare import event, method
from .._ops.subscript import read, write


@method()
@event("getitem")
def __getitem__(self: Tensor, index: Any) -> Tensor:
    return read(self, index)


@method()
@event("setitem")
def __setitem__(self: Tensor, index: Any, value: Any) -> None:
    write(self, index, value)


@method()
def __iter__(self: Tensor) -> Any:
    if self.dim() == 0:  # type: ignore[attr-defined]
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))  # type: ignore[attr-defined]


@method()
def __reversed__(self: Tensor) -> Tensor:
    return self.flip(0) if self._array.ndim else self  # type: ignore[attr-defined]
