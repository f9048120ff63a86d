"""Cumulative operations and softmax along one dimension."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import dtype
from .._engine.base.shapes import wrap_dim
from ..return_types import result_type
from .arguments import as_dtype_argument
from .declare import op
from .promote import as_dtype, floating_input
from .joining import cat

__all__ = [
    "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "diff", "log_softmax",
    "logcumsumexp", "softmax", "trapezoid", "trapz",
]  # fmt: skip


def _scan(name: str, doc: str) -> Any:
    call = getattr(P, name)

    def function(input: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor:
        at = wrap_dim(dim, input._array.ndim)
        wanted = as_dtype_argument(name, dtype)
        if wanted is None and input._array.dtype.kind in "iub":
            wanted = dtypes.int64
        x = input if wanted is None else as_dtype(input, wanted)
        return call(x, dim=at) if x._array.ndim else P.copy(x, order="K")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The running {doc} along `dim`; integers accumulate as int64."
    return op(method=True, inplace=True, out=True)(function)


cumsum = _scan("cumsum", "sum")
cumprod = _scan("cumprod", "product")


@op(method=True, out=True)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The running log-sum-exp along `dim`."""
    at = wrap_dim(dim, input._array.ndim)
    if input._array.dtype.kind in "iub":
        from .._engine.base.errors import not_supported
        from .promote import dtype_of

        raise not_supported("logcumsumexp_out_cpu", dtype_of(input))
    return P.logcumsumexp(input, dim=at) if input._array.ndim else P.copy(input, order="K")


def _running(name: str, doc: str) -> Any:
    call = getattr(P, name)

    def function(input: Tensor, dim: int) -> Any:
        at = wrap_dim(dim, input._array.ndim)
        if input._array.ndim == 0:
            zero = P.full(shape=(), value=0, dtype=dtypes.int64.numpy)
            return result_type(name)((P.copy(input, order="K"), zero))
        return result_type(name)(call(input, dim=at))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The running {doc} along `dim` and its last position."
    return op(method=True, out=True)(function)


cummax = _running("cummax", "maximum")
cummin = _running("cummin", "minimum")


def _normalised(name: str, doc: str) -> Any:
    call = getattr(P, name)

    def function(input: Tensor, dim: int, dtype: dtype | None = None, **options: Any) -> Tensor:
        if input._array.ndim and 0 <= dim < input._array.ndim and dtype is None:
            if input._array.dtype.kind in "fV":
                return call(input, dim=dim)
        wanted = as_dtype_argument(name, dtype)
        x = input if wanted is None else as_dtype(input, wanted)
        if x._array.dtype.kind in "iub":
            from .._engine.base.errors import not_supported
            from .promote import dtype_of

            raise not_supported(f"{name}_lastdim_kernel_impl", dtype_of(x))
        at = wrap_dim(dim, x._array.ndim)
        if x._array.ndim:
            return call(x, dim=at)
        column = P.view(x, shape=(1,))
        return P.slice(call(column, dim=0), index=(0,))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc} along `dim`, computed without overflow."
    return op(method=True, out=True)(function)


softmax = _normalised("softmax", "exp(x) over its sum")
log_softmax = _normalised("log_softmax", "The logarithm of softmax")


@op(method=True, out=True)
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None
) -> Tensor:
    """The n-th differences of neighbours along `dim`.

    Raises:
        RuntimeError: a 0-dim tensor, or a negative n.
    """
    if input._array.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    at = wrap_dim(dim, input._array.ndim)
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, at) if len(parts) > 1 else input
    if n == 0:
        return P.copy(x, order="K")
    for _ in range(min(n, x._array.shape[at])):
        high, low = _neighbours(x, at)
        boolean = x._array.dtype.kind == "b"
        x = P.logical_xor(high, low) if boolean else P.sub(high, low)
    return x


def _neighbours(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Everything but the first, and everything but the last, along `dim`."""
    lead = tuple((0, n, 1) for n in x._array.shape[:dim])
    size = x._array.shape[dim]
    high = P.slice(x, index=(*lead, (min(1, size), size, 1)))
    low = P.slice(x, index=(*lead, (0, max(size - 1, 0), 1)))
    return high, low


def _panels(y: Tensor, x: Any, dx: Any, dim: int) -> tuple[Tensor, int]:
    """The trapezoids under y between neighbouring points."""
    at = wrap_dim(dim, y._array.ndim)
    y = floating_input(y)
    high, low = _neighbours(y, at)
    width: Any = 1.0 if dx is None else dx
    if x is not None:
        points = x
        if points._array.ndim == 1 and y._array.ndim > 1:
            shape = [1] * y._array.ndim
            shape[at] = points._array.shape[0]
            points = points.reshape(shape)
        gaps = wrap_dim(dim, points._array.ndim) if points._array.ndim != y._array.ndim else at
        width = diff(points, dim=gaps)
    return (high + low) * width / 2, at  # type: ignore[operator]


@op()
def trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of y along `dim` by the trapezoidal rule."""
    panels, at = _panels(y, x, dx, dim)
    return P.sum(panels, dims=(at,), keepdim=False)


trapz = trapezoid


@op()
def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The running integral of y along `dim` by the trapezoidal rule."""
    panels, at = _panels(y, x, dx, dim)
    return P.cumsum(panels, dim=at)
