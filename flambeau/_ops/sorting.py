"""Order: sorting, the k largest, medians, modes, quantiles. All are made of one stable sort."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base.errors import not_supported
from .._engine.base.shapes import wrap_dim
from ..return_types import result_type
from . import shaping
from .checks import refuse
from .declare import op
from .promote import dtype_of
from .splitting import span

__all__ = [
    "argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "nanquantile", "quantile",
    "sort", "topk",
]  # fmt: skip

_INT64 = np.dtype(np.int64)


def _sorted(
    name: str, input: Tensor, dim: int, descending: bool = False, boolean: bool = True
) -> tuple[Tensor, Tensor, int]:
    """The sorted values, where they came from, and the wrapped dim.

    Raises:
        RuntimeError: PyTorch does not order this dtype.
    """
    kind = input._array.dtype.kind
    if kind == "c":
        raise RuntimeError(f" {name} does not support complex dtypes on CPU")
    if kind == "b" and not boolean:
        raise RuntimeError(f"{name} does not support bool dtypes on CPU")
    at = wrap_dim(dim, input._array.ndim)
    values, order = P.sort(input, dim=at, descending=descending, stable=True)
    return values, order, at


def _named(name: str, values: Tensor, indices: Tensor) -> Any:
    """The result of an op with values and indices, with its name on the tape."""
    if values._grad_fn is not None:
        values._grad_fn.label = f"{name.capitalize()}Backward0"
    return result_type(name)((values, indices))


@op(method=True, out=True)
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Values in order along a dimension, and the positions they came from; NaN counts as largest.

    Equal elements always keep their order, as with `stable=True` in PyTorch.

    >>> flambeau.tensor([3, 1, 2]).sort().indices
    tensor([1, 2, 0])
    """
    values, order, _ = _sorted("Sort", input, dim, bool(descending))
    return _named("sort", values, order)


@op(method=True)
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """The positions that put the elements in order along a dimension."""
    return _sorted("Sort", input, dim, bool(descending))[1]


@op(method=True, out=True, label="SortBackward0")
def msort(input: Tensor) -> Tensor:
    """Values in order along the first dimension."""
    return _sorted("Sort", input, 0)[0]


@op(method=True, out=True)
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) elements along a dimension, in order, and their positions.

    Raises:
        RuntimeError: k is negative or larger than the dimension.
    """
    at = wrap_dim(dim, input._array.ndim)
    size = input._array.shape[at] if input._array.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError("selected index k out of range")
    values, order, _ = _sorted("topk", input, at, bool(largest), boolean=False)
    if not input._array.ndim:
        return _named("topk", values, order)
    return _named("topk", span(values, at, 0, k), span(order, at, 0, k))


def _check_not_empty(name: str, input: Tensor, dim: int) -> int:
    """The wrapped dim. Raises IndexError when it is empty."""
    at = wrap_dim(dim, input._array.ndim)
    if input._array.ndim and not input._array.shape[at]:
        raise IndexError(f"{name}(): Expected reduction dim {at} to have non-zero size.")
    return at


def _check_ordered(name: str, input: Tensor) -> None:
    if input._array.dtype.kind in "cb":
        raise NotImplementedError(str(not_supported(f"{name}_cpu", dtype_of(input))))


def _picked(name: str, input: Tensor, positions: Tensor, dim: int, keepdim: bool) -> Any:
    """The elements at one position a row: `positions` has size 1 in `dim`."""
    if not input._array.ndim:
        return _named(name, P.copy(input, order="C"), P.view(positions, shape=()))
    values = P.gather(input, positions, dim=dim)
    if not keepdim:
        values, positions = shaping.squeeze(values, dim), shaping.squeeze(positions, dim)
    return _named(name, values, positions)


@op(method=True, out="separate")
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along a dimension (counted from 1), and its position.

    Raises:
        RuntimeError: there is no k-th element.
    """
    at = _check_not_empty("kthvalue", input, dim)
    size = input._array.shape[at] if input._array.ndim else 1
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {at}")
    _check_ordered("kthvalue", input)
    order = P.sort(input.detach(), dim=at, descending=False, stable=True)[1]  # type: ignore
    return _picked("kthvalue", input, _one(order, at, k - 1), at, keepdim)


def _one(t: Tensor, dim: int, place: int) -> Tensor:
    return span(t, dim, place, place + 1) if t._array.ndim else t


def _median_along(name: str, input: Tensor, dim: int, keepdim: bool, ignore_nan: bool) -> Any:
    at = _check_not_empty("median", input, dim)
    _check_ordered("median", input)
    values, order = P.sort(input.detach(), dim=at, descending=False, stable=True)  # type: ignore
    if not input._array.ndim:
        return _picked(name, input, order, at, keepdim)
    size = values._array.shape[at]
    counts = P.sum(_as_int(P.eq(values, values)), dims=(at,), keepdim=True)
    middle = P.floor_divide(P.maximum(P.sub(counts, 1), 0), 2)
    if not ignore_nan:  # any NaN is the median: the first of those, which follow the numbers
        middle = P.where(P.lt(counts, size), counts, middle)
    return _picked(name, input, P.gather(order, middle, dim=at), at, keepdim)


def _as_int(t: Tensor) -> Tensor:
    return P.convert(t, dtype=_INT64)


def _median_of_all(name: str, input: Tensor, ignore_nan: bool) -> Tensor:
    """The median; its gradient is shared by all elements equal to it."""
    _check_ordered("median", input)
    flat = shaping.ravel(input)
    kind = input._array.dtype.kind
    if not flat._array.size:
        value = float("nan") if kind in "fV" else np.iinfo(input._array.dtype).min
        return P.full(shape=(), value=value, dtype=input._array.dtype)
    found = _median_along(name, flat.detach(), 0, False, ignore_nan)[0]  # type: ignore
    if kind in "iu":
        return found
    both_nan = P.logical_and(P.isnan(flat), P.isnan(found))
    same = P.logical_or(P.eq(flat, found), both_nan)
    return P.amax(P.where(same, flat, float("-inf")), dims=(0,), keepdim=False)


@op(method=True, out=True)
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median of all elements, or along a dimension with its position; NaN if any is.

    >>> flambeau.tensor([3, 1, 2, 4]).median()
    tensor(2)
    """
    if dim is None:
        return _median_of_all("median", input, False)
    return _median_along("median", input, dim, keepdim, False)


@op(method=True, out=True)
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """`median` of the elements that are not NaN."""
    if dim is None:
        return _median_of_all("nanmedian", input, True)
    return _median_along("nanmedian", input, dim, keepdim, True)


@op(method=True, out=True)
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along a dimension (the least of several), and its last position."""
    at = _check_not_empty("mode", input, dim)
    if input._array.dtype.kind == "c":
        raise NotImplementedError(str(not_supported("mode_cpu", dtype_of(input))))
    values, order = P.sort(input.detach(), dim=at, descending=False, stable=True)  # type: ignore
    if not input._array.ndim:
        return _picked("mode", input, order, at, keepdim)
    size = values._array.shape[at]
    steps = P.arange(start=0, step=1, count=size, dtype=_INT64)
    column = tuple(size if d == at else 1 for d in range(values._array.ndim))
    steps = P.expand(P.view(steps, shape=column), shape=values._array.shape)
    # where each run of equal values starts; the longest run's end is the first maximum
    changes = P.ne(span(values, at, 1, size), span(values, at, 0, size - 1))
    starts = P.where(changes, span(steps, at, 1, size), 0)
    first = span(_as_int(P.ne(steps, steps)), at, 0, 1)
    starts = P.cummax(P.cat(first, starts, dim=at), dim=at)[0]
    end = P.argmax(P.sub(steps, starts), dim=at, keepdim=True)
    return _picked("mode", input, P.gather(order, end, dim=at), at, keepdim)


def _quantiles(q: Any, input: Tensor) -> Tensor:
    """q as a tensor of input's dtype.

    Raises:
        RuntimeError: q is out of range, of another dtype, or has too many dimensions.
    """
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q}")
        return P.full(shape=(), value=q, dtype=input._array.dtype)
    if q._array.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if q._array.dtype != input._array.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    outside = P.logical_not(P.logical_and(P.ge(q, 0), P.le(q, 1)))
    refuse(outside, lambda: RuntimeError("quantile() q values must be in the range [0, 1]"))
    return q


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(
    input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool
) -> Tensor:
    if input._array.dtype not in (np.float32, np.float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    wanted = _quantiles(q, input)
    at = 0 if dim is None else wrap_dim(dim, input._array.ndim)
    x = (
        shaping.ravel(input)
        if dim is None or not input._array.ndim
        else (shaping.movedim(input, at, -1))
    )
    if not input._array.size:
        raise RuntimeError("quantile() input tensor must be non-empty")
    size, last = x._array.shape[-1], x._array.ndim - 1
    values = P.sort(x, dim=last, descending=False, stable=True)[0]
    counts = P.sum(_as_int(P.eq(values, values)), dims=(last,), keepdim=True)
    ranks = P.mul(shaping.ravel(wanted), _ranks(counts, size, ignore_nan, x._array.dtype))
    if not ignore_nan:  # any NaN is the quantile: they are last in order
        ranks = P.where(P.lt(counts, size), float(size - 1), ranks)
    found = _interpolated(values, ranks, last, interpolation)
    shape = input._array.shape
    if keepdim:
        kept = tuple(1 if dim is None or d == at else n for d, n in enumerate(shape))
        found = P.view(
            P.copy(shaping.movedim(found, -1, 0), order="C"), shape=(wanted._array.size, *kept)
        )
    else:
        found = shaping.movedim(found, -1, 0)
    return found if wanted._array.ndim else shaping.squeeze(found, 0)


def _ranks(counts: Tensor, size: int, ignore_nan: bool, d: np.dtype) -> Any:
    """The place of the last number in order."""
    if not ignore_nan:
        return P.full(shape=(1,), value=size - 1, dtype=d)
    return P.convert(P.maximum(P.sub(counts, 1), 0), dtype=d)


def _interpolated(values: Tensor, ranks: Tensor, dim: int, how: str) -> Tensor:
    """The sorted values at fractional places."""
    if how in ("lower", "higher", "nearest"):
        places = {"lower": P.floor, "higher": P.ceil, "nearest": P.rint}[how](ranks)
        return P.gather(values, _places(places, values, dim), dim=dim)
    below = P.floor(ranks)
    weight = (
        P.full(shape=(), value=0.5, dtype=ranks._array.dtype)
        if how == "midpoint"
        else (P.sub(ranks, below))
    )
    low = P.gather(values, _places(below, values, dim), dim=dim)
    high = P.gather(values, _places(P.ceil(ranks), values, dim), dim=dim)
    # as `lerp`: exact at both ends
    step = P.sub(high, low)
    near_low = P.add(low, P.mul(weight, step))
    near_high = P.sub(high, P.mul(step, P.sub(1, weight)))
    return P.where(P.lt(weight, 0.5), near_low, near_high)


def _places(ranks: Tensor, values: Tensor, dim: int) -> Tensor:
    shape = (*values._array.shape[:dim], ranks._array.shape[-1])
    return P.expand(_as_int(ranks), shape=shape)


@op(method=True, out=True)
def quantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The q-quantiles of all elements or along a dimension; several q give a new first dimension.

    Args:
        q: numbers in [0, 1]: one, or a tensor of input's dtype.
        interpolation: between neighbours, "linear", "lower", "higher", "midpoint" or "nearest".

    Raises:
        RuntimeError: the tensor is empty or not float32 or float64, or q is out of range.

    >>> flambeau.tensor([1.0, 2.0, 3.0]).quantile(0.5)
    tensor(2.)
    """
    return _quantile(input, q, dim, keepdim, interpolation, False)


@op(method=True, out=True)
def nanquantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """`quantile` of the elements that are not NaN."""
    return _quantile(input, q, dim, keepdim, interpolation, True)
