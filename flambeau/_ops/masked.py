"""Reductions and scans that leave out what a mask does not keep (`torch.masked`).

What is left out is replaced by the neutral element of the operation; where a mask keeps nothing,
the result is that neutral element, or NaN for means, medians and softmaxes.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base.dtypes import dtype
from . import elementary, norms, reductions, scans, sorting
from .arguments import as_dtype_argument
from .declare import op
from .promote import as_dtype, dtype_of, floating_input

_SPACE = "masked"


def _lowest(x: Tensor) -> Any:
    kind = x._array.dtype.kind
    if kind in "fVc":
        return -math.inf
    return False if kind == "b" else int(ml_dtypes.iinfo(x._array.dtype).min)


def _highest(x: Tensor) -> Any:
    kind = x._array.dtype.kind
    if kind in "fV":
        return math.inf
    return True if kind == "b" else int(ml_dtypes.iinfo(x._array.dtype).max)


def _kept(x: Tensor, mask: Any, neutral: Any) -> Tensor:
    """x with the neutral element wherever the mask is false."""
    return x if mask is None else P.where(P.expand(mask, shape=x._array.shape), x, neutral)


def _dims(x: Tensor, dim: Any) -> tuple[int, ...]:
    # unlike elsewhere, the empty tuple means no dimension at all
    return () if dim == () else reductions.reduced_dims(x, dim)


def _prepared(name: str, input: Tensor, d: Any, *, integers: bool = False) -> Tensor:
    """The input in the dtype of the result; `integers` stay so, as int64."""
    wanted = as_dtype_argument(name, d)
    if wanted is not None:
        return as_dtype(input, wanted)
    if integers and input._array.dtype.kind in "iub":
        return P.convert(input, dtype=np.dtype(np.int64))
    return input


def _reduction(name: str, primitive: str, neutral: Any, doc: str, *, integers: bool) -> Any:
    call = getattr(P, primitive)

    def function(
        input: Tensor,
        dim: Any = None,
        *,
        keepdim: bool = False,
        dtype: dtype | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        x = _prepared(name, input, dtype, integers=integers)
        blank = neutral(x) if callable(neutral) else neutral
        return call(_kept(x, mask, blank), dims=_dims(x, dim), keepdim=bool(keepdim))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc} of the elements that `mask` keeps, over `dim` (all by default)."
    return op(namespace=_SPACE)(function)


sum = _reduction("sum", "sum", 0, "The sum", integers=True)
prod = _reduction("prod", "prod", 1, "The product", integers=True)
amax = _reduction("amax", "amax", _lowest, "The largest", integers=False)
amin = _reduction("amin", "amin", _highest, "The smallest", integers=False)


def _position(name: str, whole: Any, neutral: Any) -> Any:
    def function(
        input: Tensor,
        dim: int | None = None,
        *,
        keepdim: bool = False,
        dtype: dtype | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        x = _prepared(name, input, dtype)
        found = whole(_kept(x, mask, neutral(x)), dim, bool(keepdim))
        return as_dtype(found, dtype_of(x))  # sic: PyTorch gives positions the dtype of values

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{name}` among the elements that `mask` keeps."
    return op(namespace=_SPACE)(function)


argmax = _position("argmax", reductions.argmax, _lowest)
argmin = _position("argmin", reductions.argmin, _highest)


def _along(name: str, whole: Any, neutral: Any, *, integers: bool) -> Any:
    def function(
        input: Tensor, dim: int, *, dtype: dtype | None = None, mask: Tensor | None = None
    ) -> Tensor:
        x = _prepared(name, input, dtype, integers=integers)
        return whole(_kept(x, mask, neutral), dim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{name}` along `dim` of the elements that `mask` keeps."
    return op(namespace=_SPACE)(function)


cumsum = _along("cumsum", scans.cumsum, 0, integers=True)
cumprod = _along("cumprod", scans.cumprod, 1, integers=True)
softmax = _along("softmax", scans.softmax, -math.inf, integers=False)
log_softmax = _along("log_softmax", scans.log_softmax, -math.inf, integers=False)
softmin = _along("softmin", lambda x, dim: scans.softmax(P.neg(x), dim), math.inf, integers=False)


def _count(x: Tensor, dims: tuple[int, ...], keepdim: bool, mask: Any) -> Tensor:
    """How many elements each result is made of, in x's dtype."""
    there = P.full(shape=x._array.shape, value=True, dtype=np.dtype(bool))
    there = P.convert(_kept(there, mask, False), dtype=x._array.dtype)
    return P.sum(there, dims=dims, keepdim=keepdim)


@op(namespace=_SPACE)
def mean(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The mean of the elements that `mask` keeps, over `dim` (all by default)."""
    x = floating_input(_prepared("mean", input, dtype))
    dims = _dims(x, dim)
    total = P.sum(_kept(x, mask, 0), dims=dims, keepdim=bool(keepdim))
    return P.div(total, _count(x, dims, bool(keepdim), mask))


@op(namespace=_SPACE)
def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The median along `dim` of the elements that `mask` keeps; NaN where it keeps none."""
    x = _prepared("median", input, dtype)
    if mask is None:
        return sorting.median(x, dim, bool(keepdim))[0]
    return sorting.nanmedian(_kept(x, mask, math.nan), dim, bool(keepdim))[0]


@op(namespace=_SPACE)
def logsumexp(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """log of the sum of exponentials of the elements that `mask` keeps."""
    x = _prepared("logsumexp", input, dtype)
    found = reductions.logsumexp(_kept(x, mask, _lowest(x)), _dims(x, dim), bool(keepdim))
    return as_dtype(found, dtype_of(x))


@op(namespace=_SPACE)
def logaddexp(
    input: Tensor, other: Tensor, *, dtype: dtype | None = None,
    input_mask: Tensor | None = None, other_mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """log(e^input + e^other), where masked elements count as -inf."""
    a, b = (_prepared("logaddexp", x, dtype) for x in (input, other))
    return elementary.logaddexp(_kept(a, input_mask, -math.inf), _kept(b, other_mask, -math.inf))


@op(namespace=_SPACE)
def norm(
    input: Tensor, ord: float | None = 2.0, dim: Any = None, *, keepdim: bool = False,
    dtype: dtype | None = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The vector norm of the elements that `mask` keeps, over `dim` (all by default)."""
    x = _prepared("norm", input, dtype)
    order = 2.0 if ord is None else float(ord)
    return norms.vector_norm(
        _kept(x, mask, 0 if order >= 0 else math.inf), order, _dims(x, dim), bool(keepdim)
    )


@op(namespace=_SPACE)
def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The elements over their norm along `dim` (at least eps); masked ones are zero."""
    x = _prepared("normalize", input, dtype)
    size = elementary.clamp_min(norm(x, ord, dim, keepdim=True, mask=mask), eps)
    return P.div(_kept(x, mask, 0), as_dtype(size, dtype_of(x)))


@op(namespace=_SPACE)
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, *,
    correction: float | None = None, keepdim: bool = False, dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The variance of the elements that `mask` keeps, over `dim` (all by default)."""
    x = floating_input(_prepared("var", input, dtype))
    dims = _dims(x, dim)
    off = (0 if unbiased is False else 1) if correction is None else correction
    count = _count(x, dims, True, mask)
    average = P.div(P.sum(_kept(x, mask, 0), dims=dims, keepdim=True), count)
    gap = P.sub(x, average)
    squares = P.mul(gap, P.conj(gap)) if gap._array.dtype.kind == "c" else P.square(gap)
    total = P.sum(_kept(squares, mask, 0), dims=dims, keepdim=bool(keepdim))
    freedom = P.sub(_count(squares, dims, bool(keepdim), mask), off)
    return P.div(total, P.where(P.lt(P.real_part(freedom), 0), 0, freedom))


@op(namespace=_SPACE)
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, *,
    correction: float | None = None, keepdim: bool = False, dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The square root of `var`."""
    return P.sqrt(
        var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask)
    )
