"""Cumulative operations and softmax along one dimension."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import dtype
from .._engine.base.errors import not_supported
from .._engine.base.shapes import wrap_dim
from ..return_types import result_type
from .arguments import as_dtype_argument
from .declare import op
from .promote import as_dtype, dtype_of

__all__ = [
    "cummax", "cummin", "cumprod", "cumsum", "log_softmax", "logcumsumexp", "softmax",
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
        usual = dtype is None and input._array.dtype.kind in "fV"
        if usual and 0 <= dim < input._array.ndim:
            return call(input, dim=dim)
        wanted = as_dtype_argument(name, dtype)
        x = input if wanted is None else as_dtype(input, wanted)
        if x._array.dtype.kind in "iub":
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
