"""`Tensor(...)` itself: of a size, or from data, in the default dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.tensor import Tensor
from .._engine.base import defaults
from .._ops.creation import empty, tensor
from .size import Size


def _construct(cls: type, *args: Any, device: Any = None, **options: Any) -> Tensor:
    """`Tensor(2, 3)` is a tensor of that size, `Tensor([2, 3])` one of these values.

    A subclass called without data, or made by the engine, starts bare. Another tensor is shared.

    Raises:
        TypeError: the arguments are neither sizes nor data.
    """
    if cls is not Tensor:
        return _of_subclass(cls, args)
    if options:
        raise TypeError(f"Tensor() got unexpected arguments: {', '.join(options)}")
    d = defaults.get_default_dtype()
    if not args:
        return empty(0, dtype=d, device=device)
    if len(args) == 1 and isinstance(args[0], Tensor):
        return args[0].to(dtype=d)  # type: ignore[attr-defined]
    if len(args) == 1 and isinstance(args[0], (list, tuple, np.ndarray)):
        if isinstance(args[0], Size):
            return empty(args[0], dtype=d, device=device)
        return tensor(args[0], dtype=d, device=device)
    if all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in args):
        return empty(*args, dtype=d, device=device)
    raise TypeError(
        "new(): invalid combination of arguments: expected sizes or a sequence of data, got "
        f"({', '.join(type(a).__name__ for a in args)})"
    )


def _of_subclass(cls: type, args: tuple) -> Any:
    bare: Any = object.__new__(cls)
    if args:
        source = _construct(Tensor, *args)
        bare._array, bare._storage = source._array, source._storage
    return bare


def _initialise(self: Tensor, *args: Any, **options: Any) -> None:
    """Everything is done in `__new__`."""


Tensor.__new__ = staticmethod(_construct)  # type: ignore[assignment, method-assign]
Tensor.__init__ = _initialise  # type: ignore[assignment, method-assign]
