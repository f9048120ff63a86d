"""What the ops of nn.functional share: half precision, in-place forms, sizes, reductions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.inplace import check_writable, write_
from ..._engine.autograd.tensor import Tensor
from ..._engine.base import dtypes
from ..._engine.base.callers import warn_user
from ..._engine.base.errors import not_supported

F = TypeVar("F", bound=Callable[..., Any])

HALVES = (dtypes.float16.numpy, dtypes.bfloat16.numpy)
FLOAT32 = dtypes.float32.numpy
INT64 = dtypes.int64.numpy


def in_float32(function: F) -> F:
    """Decorator: half-precision tensor arguments are computed with in float32.

    The result is rounded once, at the end, as PyTorch's kernels do.
    """

    @functools.wraps(function)
    def wrapped(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        half = input._array.dtype
        if half not in HALVES:
            return function(input, *args, **kwargs)
        wide = [_widened(x) for x in args]
        named = {key: _widened(value) for key, value in kwargs.items()}
        return _narrowed(function(_widened(input), *wide, **named), half)

    return wrapped  # type: ignore[return-value]


def _widened(x: Any) -> Any:
    if isinstance(x, Tensor) and x._array.dtype in HALVES:
        return P.convert(x, dtype=FLOAT32)
    return x


def _narrowed(x: Any, half: np.dtype) -> Any:
    if isinstance(x, Tensor):
        return P.convert(x, dtype=half) if x._array.dtype == FLOAT32 else x
    return tuple(_narrowed(item, half) for item in x) if isinstance(x, tuple) else x


def finished(input: Tensor, result: Tensor, inplace: bool, name: str) -> Tensor:
    """The result, or the input with the result written into it."""
    if not inplace:
        return result
    check_writable(input)
    return write_(input, result, op=name + "_")


def is_floating(t: Tensor) -> bool:
    """Whether the tensor holds real floats (bfloat16 included)."""
    return t._array.dtype.kind in "fV"


def check_floating(name: str, t: Tensor, complex_: bool = False) -> None:
    """Raises NotImplementedError, as PyTorch's missing kernels do, for other dtypes."""
    kind = t._array.dtype.kind
    if kind not in "fV" and not (complex_ and kind == "c"):
        raise no_kernel(name, t)


def no_kernel(name: str, t: Tensor) -> NotImplementedError:
    """PyTorch's error for a dtype that an op has no kernel for."""
    return NotImplementedError(*not_supported(name, dtypes.from_numpy(t._array.dtype)).args)


def numbers(name: str, argument: str, value: Any, count: int) -> tuple[int, ...]:
    """An int, or a sequence of one or `count` ints, as `count` ints.

    Raises:
        RuntimeError: a sequence of another length.
        TypeError: no integers.
    """
    if type(value) is int:
        return (value,) * count
    if isinstance(value, (tuple, list)):
        found = tuple(_integer(name, argument, v) for v in value)
        if len(found) == 1:
            return found * count
        if len(found) != count:
            raise RuntimeError(
                f"{name}: {argument} must either be a single int, or a tuple of {count} ints, "
                f"but got {list(found)}"
            )
        return found
    return (_integer(name, argument, value),) * count


def _integer(name: str, argument: str, value: Any) -> int:
    try:
        return value.__index__()
    except (AttributeError, TypeError):
        raise TypeError(
            f"{name}(): argument '{argument}' must be int or tuple of ints, "
            f"not {type(value).__name__}"
        ) from None


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The `reduction` that the deprecated pair of flags stands for, with PyTorch's warning."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        found = "none"
    else:
        found = "sum" if size_average is False else "mean"
    warn_user(
        f"size_average and reduce args will be deprecated, please use reduction='{found}' instead.",
    )
    return found


def check_reduction(reduction: str) -> None:
    """Raises ValueError for anything but none, mean and sum."""
    if reduction not in ("mean", "none", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """A loss reduced to its mean, its sum, or not at all."""
    if reduction == "mean":
        array = loss._array
        total = P.sum(loss, dims=tuple(range(array.ndim)), keepdim=False)
        # PyTorch's mean of nothing is nan: zero times infinity
        return P.mul(total, 1.0 / array.size if array.size else float("inf"))
    if reduction == "sum":
        return P.sum(loss, dims=tuple(range(loss._array.ndim)), keepdim=False)
    check_reduction(reduction)
    return loss
