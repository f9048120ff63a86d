"""Sets and counts: unique elements, places in sorted sequences, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.errors import not_supported
from .._engine.base.shapes import wrap_dim
from ..return_types import result_type
from . import shaping
from .checks import check_positions, refuse
from .creation import dtype_of_number, tensor
from .declare import op
from .promote import as_dtype, dtype_of, to_common
from .ranges import linspace
from .splitting import span

__all__ = [
    "bincount", "bucketize", "histc", "histogram", "histogramdd", "isin", "searchsorted",
    "unique", "unique_consecutive",
]  # fmt: skip

_INT64 = np.dtype(np.int64)


def _as_int(t: Tensor) -> Tensor:
    return P.convert(t, dtype=_INT64)


def _asked(values: Tensor, inverse: Tensor, counts: Tensor, which: tuple[bool, bool]) -> Any:
    """The results that a caller of unique asked for: one tensor, or a tuple."""
    chosen = [t for t, wanted in zip((inverse, counts), which, strict=True) if wanted]
    return (values, *chosen) if chosen else values


def _runs(changes: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of a sequence that changes its value where said: each run's start, each place's run, lengths.

    Args:
        changes: `count - 1` booleans, whether a place differs from the one before it.
    """
    if not count:
        nothing = P.full(shape=(0,), value=0, dtype=_INT64)
        return nothing, nothing, nothing
    first = P.full(shape=(1,), value=True, dtype=np.dtype(bool))
    begins = P.cat(first, changes, dim=0)
    starts = shaping.ravel(P.nonzero(begins))
    run = P.sub(P.cumsum(_as_int(begins), dim=0), 1)
    ends = P.cat(
        span(starts, 0, 1, starts._array.size), P.full(shape=(1,), value=count, dtype=_INT64), dim=0
    )
    return starts, run, P.sub(ends, starts)


def _rows(input: Tensor, dim: int) -> Tensor:
    """The parts along a dimension, each as a row.

    Raises:
        RuntimeError: another dimension is empty.
    """
    shape = input._array.shape
    if not all(n for d, n in enumerate(shape) if d != dim):
        raise RuntimeError(
            "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        )
    moved = shaping.movedim(input, dim, 0)
    return shaping.reshape(moved, (shape[dim], -1 if input._array.size else 0))


def _changes(rows: Tensor) -> Tensor:
    """Whether each row differs from the one before it."""
    count = rows._array.shape[0]
    if not count:
        return P.full(shape=(0,), value=False, dtype=np.dtype(bool))
    differs = P.ne(span(rows, 0, 1, count), span(rows, 0, 0, count - 1))
    return P.any(differs, dims=(1,), keepdim=False) if differs._array.ndim > 1 else differs


@op(method=True, reads_values=True)
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements (or parts along `dim`), in order.

    Args:
        return_inverse: also where each element is among them.
        return_counts: also how often each occurs.

    >>> flambeau.tensor([3, 1, 1]).unique(return_counts=True)
    (tensor([1, 3]), tensor([2, 1]))
    """
    if input._array.dtype.kind == "c":
        raise NotImplementedError(str(not_supported("unique", dtype_of(input))))
    which = (return_inverse, return_counts)
    if dim is None:
        flat = shaping.ravel(input)
        values, order = P.sort(flat, dim=0, descending=False, stable=True)
        starts, inverse, counts = _collected(values, order)
        found = P.index(values, starts, pattern=(True,))
        return _asked(found, P.view(inverse, shape=input._array.shape), counts, which)
    at = wrap_dim(dim, input._array.ndim)
    rows = _rows(input, at)
    order = P.sort_rows(rows)
    starts, inverse, counts = _collected(P.index(rows, order, pattern=(True, False)), order)
    chosen = P.index(order, starts, pattern=(True,))
    pattern = tuple(d == at for d in range(input._array.ndim))
    return _asked(P.index(input, chosen, pattern=pattern), inverse, counts, which)


def _collected(ordered: Tensor, order: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Starts of the runs of ordered rows, the run of each row before ordering, and lengths."""
    starts, run, counts = _runs(_changes(ordered), order._array.size)
    inverse = P.scatter(P.full(shape=order._array.shape, value=0, dtype=_INT64), order, run, dim=0)
    return starts, inverse, counts


@op(method=True, reads_values=True)
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements (or parts along `dim`) without those equal to the one before them."""
    which = (return_inverse, return_counts)
    at = 0 if dim is None else wrap_dim(dim, input._array.ndim)
    source = shaping.ravel(input) if dim is None else input
    rows = source if dim is None else _rows(input, at)
    starts, inverse, counts = _runs(_changes(rows), rows._array.shape[0])
    pattern = tuple(d == at for d in range(source._array.ndim))
    if dim is None:
        inverse = P.view(inverse, shape=input._array.shape)
    return _asked(P.index(source, starts, pattern=pattern), inverse, counts, which)


def _check_sides(name: str, right: bool, side: str | None) -> bool:
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.{name}(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            f"torch.{name}(): side and right can't be set to opposites, got side of left while "
            "right was True"
        )
    return right or side == "right"


def _check_boundaries(name: str, sorted_: tuple[int, ...], values: tuple[int, ...]) -> None:
    if not values and len(sorted_) != 1:
        raise RuntimeError(
            f"torch.{name}(): input value can be a scalar only when boundaries tensor dimension is "
            f"1, but we got boundaries tensor dim({len(sorted_)}) and input value's dim(0) numel(1)"
        )
    if not sorted_:
        raise RuntimeError(
            f"torch.{name}(): input value can be a scalar only when boundaries tensor dimension is "
            "1, but we got boundaries tensor dim(0)"
        )
    if len(sorted_) != 1 and sorted_[:-1] != values[:-1]:
        raise RuntimeError(
            f"torch.{name}(): boundaries tensor should be 1 dimension or the first N-1 dimensions "
            "of boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(sorted_)} and input value tensor {list(values)}"
        )


@op(out=True)
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where values would go in sorted rows: the place before equal elements, or after (`right`).

    Args:
        sorted_sequence: one sorted row, or one for each row of the values.
        sorter: positions that put an unsorted `sorted_sequence` in order.

    Raises:
        RuntimeError: shapes do not match, or `side` contradicts `right`.

    >>> flambeau.searchsorted(flambeau.tensor([1, 3, 5]), flambeau.tensor([3, 6]))
    tensor([1, 3])
    """
    after = _check_sides("searchsorted", right, side)
    values = _as_tensor(input)
    _check_boundaries("searchsorted", sorted_sequence._array.shape, values._array.shape)
    if sorter is not None:
        sorted_sequence = _in_order(sorted_sequence, sorter)
    return _searched("searchsorted", sorted_sequence, values, after, out_int32)


def _as_tensor(x: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    if dtypes.of_scalar(x) is None:
        return tensor(x)
    return P.full(shape=(), value=x, dtype=dtype_of_number(x).numpy)


def _in_order(sequence: Tensor, sorter: Tensor) -> Tensor:
    if sorter._array.shape != sequence._array.shape:
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary "
            f"tensor {list(sequence._array.shape)}and got sorter tensor "
            f"{list(sorter._array.shape)}"
        )
    if sorter._array.dtype != np.int64:
        raise RuntimeError(
            "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype "
            f"{dtype_of(sorter).word}"
        )
    text = "torch.searchsorted(): sorter index out of range"
    check_positions(sorter, sequence._array.shape[-1], text, error=RuntimeError)
    return P.gather(sequence, sorter, dim=sequence._array.ndim - 1)


def _searched(name: str, sequence: Tensor, values: Tensor, right: bool, int32: bool) -> Tensor:
    if sequence._array.dtype.kind == "c" or values._array.dtype.kind == "c":
        raise NotImplementedError(str(not_supported(f"{name}_out_cpu", dtypes.complex64)))
    a, b = to_common(name, sequence.detach(), values.detach())  # type: ignore[attr-defined]
    found = P.searchsorted(a, b, right=right)
    return as_dtype(found, dtypes.int32) if int32 else found


@op(method=True, out=True)
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The bucket that each value falls in: its place among the sorted boundaries."""
    if boundaries._array.ndim != 1:
        raise RuntimeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries._array.ndim})"
        )
    return _searched("searchsorted", boundaries, _as_tensor(input), right, out_int32)


@op(out=True)
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is among the test elements.

    Raises:
        TypeError: neither argument is a tensor.
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError(
            "isin() received an invalid combination of arguments - got "
            f"({type(elements).__name__}, {type(test_elements).__name__}), but one must be a Tensor"
        )
    pair = (_as_tensor(x).detach() for x in (elements, test_elements))  # type: ignore[attr-defined]
    a, b = to_common("isin", *pair)
    if a._array.dtype.kind == "c":
        raise RuntimeError(f"Unsupported input type encountered for isin(): {dtype_of(a).word}")
    test = P.sort(shaping.ravel(b), dim=0, descending=False, stable=True)[0]
    count = test._array.size
    if not count:
        return P.full(shape=a._array.shape, value=invert, dtype=np.dtype(bool))
    place = P.minimum(P.searchsorted(test, a, right=False), count - 1)
    same = P.eq(P.index(test, place, pattern=(True,)), a)
    return P.logical_not(same) if invert else same


def _counted(places: Tensor, weights: Tensor, count: int) -> Tensor:
    """The sum of the weights at each of `count` places."""
    zeros = P.full(shape=(count,), value=0, dtype=weights._array.dtype)
    return P.scatter_add(zeros, places, weights, dim=0)


@op(method=True, reads_values=True)
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2 ... occurs; with weights, the sum of the weights of each.

    Raises:
        RuntimeError: the tensor is no vector of non-negative integers.
    """
    kind = input._array.dtype.kind
    if kind not in "iu":
        raise NotImplementedError(str(not_supported("bincount_cpu", dtype_of(input))))
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    text = "bincount only supports 1-d non-negative integral inputs."
    if input._array.ndim != 1:
        raise RuntimeError(text)
    refuse(P.lt(input, 0), lambda: RuntimeError(text))
    if weights is None:
        given = P.full(shape=input._array.shape, value=1, dtype=_INT64)
    elif weights._array.shape != input._array.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    else:
        given = weights if weights._array.dtype == np.float32 else as_dtype(weights, dtypes.float64)
    most = int(input.max()) + 1 if input._array.size else 0  # type: ignore[attr-defined]
    return _counted(as_dtype(input, dtypes.int64), given, max(most, minlength))


def _range(name: str, input: Tensor, low: float, high: float) -> tuple[float, float]:
    """The ends of a histogram: those given, or those of the elements."""
    if low == high == 0 and input._array.size:
        low, high = float(input.min()), float(input.max())  # type: ignore[attr-defined]
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"torch.{name}: range of [{low}, {high}] is not finite")
    return (low - 0.5, high + 0.5) if name != "histc" and low == high else (low, high)


@op(method=True, out=True)
def histc(input: Tensor, bins: int = 100, min: Any = 0, max: Any = 0) -> Tensor:
    """How many elements fall in each of `bins` equal intervals from `min` to `max`.

    Both ends zero means from the smallest to the largest element; others are not counted.
    """
    if input._array.dtype.kind not in "fV":
        raise NotImplementedError(str(not_supported("histogram_cpu", dtype_of(input))))
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    low, high = _range("histc", input, float(min), float(max))
    if low == high:
        low, high = low - 1, high + 1
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    flat = shaping.ravel(input.detach())  # type: ignore[attr-defined]
    inside = P.logical_and(P.ge(flat, low), P.le(flat, high))
    scaled = P.div(P.mul(P.sub(flat, low), bins), high - low)
    places = P.minimum(_as_int(P.where(inside, scaled, 0)), bins - 1)
    return _counted(places, as_dtype(inside, dtype_of(input)), bins)


def _edges(input: Tensor, bins: Any, range: Sequence[float] | None, dim: int) -> Tensor:
    """The edges of one dimension's bins."""
    if isinstance(bins, Tensor):
        return bins
    if bins <= 0:
        raise RuntimeError(
            f"torch.histogram(): bins must be > 0, but got {bins} for dimension {dim}"
        )
    if range is not None:
        low, high = range
        if low > high:
            raise RuntimeError(
                f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} "
                f"for dimension {dim}"
            )
        if low == high:
            low, high = low - 0.5, high + 0.5
    elif not input._array.size:
        low, high = 0.0, 1.0
    else:
        try:
            low, high = _range("histogramdd", input, 0, 0)
        except RuntimeError:
            raise RuntimeError(
                f"torch.histogramdd: dimension {dim}'s range "
                f"[{float(input._array.min())}, {float(input._array.max())}] is not finite"
            ) from None
    return linspace(low, high, bins + 1, dtype=dtype_of(input))


def _histogram(
    columns: Sequence[Tensor], edges: Sequence[Tensor], weight: Tensor | None, density: bool
) -> Tensor:
    d = columns[0]._array.dtype
    inside, places = None, None
    for column, ends in zip(columns, edges, strict=True):
        count = ends._array.size - 1
        low, high = span(ends, 0, 0, 1), span(ends, 0, count, count + 1)
        within = P.logical_and(P.ge(column, low), P.le(column, high))
        place = P.sub(P.searchsorted(ends, column, right=True), 1)
        place = P.maximum(P.minimum(place, count - 1), 0)
        inside = within if inside is None else P.logical_and(inside, within)
        places = place if places is None else P.add(P.mul(places, count), place)
    assert inside is not None and places is not None
    shape = tuple(ends._array.size - 1 for ends in edges)
    given = P.full(shape=inside._array.shape, value=1, dtype=d) if weight is None else weight
    total = int(np.prod(shape))
    found = P.view(_counted(places, P.where(inside, given, 0), total), shape=shape)
    if not density:
        return found
    found = P.div(found, P.sum(found, dims=tuple(range(len(shape))), keepdim=False))
    for dim, ends in enumerate(edges):
        widths = P.sub(span(ends, 0, 1, ends._array.size), span(ends, 0, 0, ends._array.size - 1))
        along = tuple(n if d == dim else 1 for d, n in enumerate(shape))
        found = P.div(found, P.view(widths, shape=along))
    return found


def _check_histogram(input: Tensor, weight: Tensor | None, shape: tuple[int, ...]) -> None:
    if input._array.dtype.kind not in "fV":
        raise NotImplementedError(str(not_supported("histogramdd", dtype_of(input))))
    if weight is None:
        return
    if weight._array.dtype != input._array.dtype:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor "
            f"should have the same dtype, but got input({dtype_of(input).word}), and "
            f"weight({dtype_of(weight).word})"
        )
    if weight._array.shape != shape:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the "
            f"input tensor excluding its innermost dimension, but got input with shape "
            f"{list(input._array.shape)} and weight with shape {list(weight._array.shape)}"
        )


@op(method=True, out=True)
def histogram(
    input: Tensor,
    bins: Any = 100,
    *,
    range: Any = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """How many elements (or how much of their weight) each bin holds, and the bins' edges.

    Args:
        bins: a number of equal bins, or a tensor of increasing edges.
        range: the lowest and the highest edge, by default of the elements.
        density: divide so that the integral is 1.
    """
    _check_histogram(input, weight, input._array.shape)
    flat = shaping.ravel(input.detach())  # type: ignore[attr-defined]
    edges = _edges(flat, bins, range, 0)
    given = None if weight is None else shaping.ravel(weight)
    return result_type("histogram")((_histogram([flat], [edges], given, density), edges))


@op()
def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Any = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """`histogram` of points: the last dimension of `input` holds the coordinates.

    Args:
        bins: a number for all coordinates, or one number or tensor of edges for each.
        range: lowest and highest edge of each coordinate, one after the other.
    """
    if input._array.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    count = input._array.shape[-1]
    _check_histogram(input, weight, input._array.shape[:-1])
    each = list(bins) if isinstance(bins, (tuple, list)) else [bins] * count
    if len(each) != count:
        raise RuntimeError(
            "torch.histogramdd: the size of bins should be equal to the innermost dimension of "
            f"the input tensor ({count}), got {len(each)}"
        )
    points = shaping.reshape(input.detach(), (-1, count))  # type: ignore[attr-defined]
    columns = [
        P.slice(points, index=((0, points._array.shape[0], 1), i))
        for i in np.arange(count).tolist()
    ]
    ends = [None if range is None else range[2 * i : 2 * i + 2] for i in np.arange(count).tolist()]
    edges = [
        _edges(c, b, e, i) for i, (c, b, e) in enumerate(zip(columns, each, ends, strict=True))
    ]
    given = None if weight is None else shaping.ravel(weight)
    return result_type("histogramdd")((_histogram(columns, edges, given, density), tuple(edges)))
