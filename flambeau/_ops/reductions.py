"""Reductions: sums, products, extremes, means, variances, tests."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import dtype
from .._engine.base.shapes import wrap_dims
from .arguments import as_dtype_argument
from .declare import op
from .promote import as_dtype, dtype_of


def reduced_dims(input: Tensor, dim: Any) -> tuple[int, ...]:
    """The dims of a reduction: None and the empty tuple mean all of them."""
    if dim is None or dim == () or dim == []:
        return tuple(range(input._array.ndim))
    return wrap_dims(dim, input._array.ndim)


def _accumulated(name: str, input: Tensor, d: Any) -> Tensor:
    """The operand in the dtype a sum has: int64 for integers unless asked otherwise."""
    wanted = as_dtype_argument(name, d)
    if wanted is not None:
        return as_dtype(input, wanted)
    return as_dtype(input, dtypes.int64) if input._array.dtype.kind in "iub" else input


@op(method=True, out=True)
def sum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The sum over `dim` (all dimensions by default); integers are summed as int64.

    >>> flambeau.ones(2, 3).sum(1)
    tensor([3., 3.])
    """
    x = _accumulated("sum", input, dtype)
    return P.sum(x, dims=reduced_dims(x, dim), keepdim=keepdim)


@op(method=True, out=True)
def mean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The arithmetic mean over `dim` (all dimensions by default).

    Raises:
        RuntimeError: the dtype is integer or bool and no `dtype` is given.
    """
    wanted = as_dtype_argument("mean", dtype)
    x = input if wanted is None else as_dtype(input, wanted)
    if x._array.dtype.kind in "iub":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. Got: {dtype_of(x).word}"
        )
    dims = reduced_dims(x, dim)
    count = 1
    for d in dims:
        count *= x._array.shape[d] if x._array.ndim else 1
    return P.div(P.sum(x, dims=dims, keepdim=keepdim), count)
