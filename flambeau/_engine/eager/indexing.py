"""NumPy rules for gathering and scattering."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .precision import in_float32
from .table import rule


def _check(index: np.ndarray, dim: int, size: int) -> None:
    """Raises RuntimeError for a position outside [0, size): here -1 is no position."""
    if index.size:
        low, high = index.min(), index.max()
        if low < 0 or high >= size:
            raise RuntimeError(
                f"index {low if low < 0 else high} is out of bounds for dimension {dim} with "
                f"size {size}"
            )


def _along(a: np.ndarray, dim: int, index: np.ndarray) -> tuple[np.ndarray, ...]:
    """Open grids over index's positions, with `index` itself in place of `dim`."""
    _check(index, dim, a.shape[dim])
    grids = np.ogrid[tuple(slice(n) for n in index.shape)]
    return tuple(index if d == dim else grid for d, grid in enumerate(grids))


def _at_least_1d(a, index, source=None):
    """0-dim operands count as one-dimensional here."""
    if source is None:
        return a.reshape(-1) if a.ndim == 0 else a, index.reshape(-1) if index.ndim == 0 else index
    if isinstance(source, np.ndarray) and source.ndim == 0 and index.ndim < 2:
        source = source.reshape(-1)
    return (*_at_least_1d(a, index), source)


@rule("gather")
def _gather(a, index, *, dim):
    wide, at = _at_least_1d(a, index)
    where = _along(wide, dim, at)
    if not wide.flags.c_contiguous:
        return wide[where].reshape(index.shape)
    return wide.reshape(-1).take(_flat(wide.shape, where)).reshape(index.shape)


def _scattered(a, index, source, dim, put):
    """A copy of `a` after `put(copy, positions, source)`."""
    out = a.copy()
    wide, at, values = _at_least_1d(out, index, source)
    if at.size:
        if isinstance(values, np.ndarray):
            values = values[tuple(slice(n) for n in at.shape)]
        put(wide, _along(wide, dim, at), values)
    return out


@rule("scatter")
def _scatter(a, index, source, *, dim):
    return _scattered(a, index, source, dim, lambda out, at, values: out.__setitem__(at, values))


def _accumulate(ufunc):
    """The unbuffered `out[at] = ufunc(out[at], values)`, on flat positions, which is fastest."""

    def put(out, at, values):
        if not out.flags.c_contiguous:
            ufunc.at(out, at, values)
            return
        flat = _flat_positions(out.shape, at)
        ufunc.at(out.reshape(-1), flat.reshape(-1), np.broadcast_to(values, flat.shape).reshape(-1))

    return put


def _flat_positions(shape, at):
    """Where the elements `[at]` of an array lie in its row-major memory.

    Raises:
        IndexError: a position lies outside its dimension.
    """
    at = list(at)
    for dim, positions in enumerate(at):
        if isinstance(positions, np.ndarray) and positions.size:
            low, high = positions.min(), positions.max()
            if low < 0:
                at[dim] = np.where(positions < 0, positions + shape[dim], positions)
            if low < -shape[dim] or high >= shape[dim]:
                raise IndexError(
                    f"index {high if high >= shape[dim] else low} is out of bounds for axis {dim} "
                    f"with size {shape[dim]}"
                )
    if len(at) == len(shape) and all(isinstance(i, np.ndarray) for i in at):
        return _flat(shape, at)
    if isinstance(at[0], np.ndarray) and not any(isinstance(i, np.ndarray) for i in at[1:]):
        inner = int(np.prod(shape[1:]))  # whole rows
        flat = (at[0] * inner)[..., None] + np.arange(inner)
        return flat.reshape(*at[0].shape, *shape[1:])
    return np.arange(int(np.prod(shape))).reshape(shape)[tuple(at)]


def _flat(shape, at):
    """Row-major positions of elements that have a (non-negative) index in every dimension."""
    flat, step = at[-1], shape[-1]
    for size, positions in zip(shape[-2::-1], at[-2::-1], strict=True):
        flat = positions * step + flat
        step *= size
    return flat


_ACCUMULATE = {
    "sum": _accumulate(np.add),
    "prod": _accumulate(np.multiply),
    "amax": _accumulate(np.maximum),
    "amin": _accumulate(np.minimum),
}


@rule("scatter_add")
@in_float32
def _scatter_add(a, index, source, *, dim):
    return _scattered(a, index, source, dim, _ACCUMULATE["sum"])


@rule("scatter_reduce")
@in_float32
def _scatter_reduce(a, index, source, *, dim, reduce):
    return _scattered(a, index, source, dim, _ACCUMULATE[reduce])


def _where(pattern, indices):
    """The NumPy index: each True of the pattern takes the next index array."""
    left = iter(indices)
    return tuple(next(left) if taken else slice(None) for taken in pattern)


def _in_torch_words(error: IndexError) -> IndexError:
    return IndexError(str(error).replace("for axis", "for dimension"))


@rule("index")
def _index(a, *indices, pattern):
    try:
        if len(indices) == 1:
            return a.take(indices[0], pattern.index(True))
        found = a[_where(pattern, indices)]
    except IndexError as error:
        raise _in_torch_words(error) from None
    return found if found.flags.c_contiguous else found.copy("C")


@rule("index_put")
@in_float32
def _index_put(a, value, *indices, pattern, accumulate):
    out = a.copy()
    at = _where(pattern, indices)
    try:
        if accumulate:
            _ACCUMULATE["sum"](out, at, value)
        else:
            out[at] = value
    except IndexError as error:
        raise _in_torch_words(error) from None
    return out


@rule("check_index")
def _check_index(index, *, low, high, ignored):
    if not index.size or index.min() >= low and index.max() < high:
        return ()
    outside = (index < low) | (index >= high)
    if ignored is not None:
        outside &= index != ignored
    if outside.any():
        raise IndexError(f"index {index[outside].flat[0]} is not in [{low}, {high})")
    return ()


@rule("nonzero")
def _nonzero(a):
    if a.ndim == 0:
        return np.empty((int(bool(a)), 0), np.int64)
    return np.argwhere(a)


@rule("sort")
def _sort(a, *, dim, descending, stable):
    """NaN counts as largest; a descending sort keeps equal elements in order too."""
    if a.ndim == 0:
        return a.copy(), np.zeros((), np.int64)
    keys = a.astype(np.float32) if a.dtype.kind == "V" else a
    if not descending:
        order = np.argsort(keys, axis=dim, kind="stable")
    else:
        flipped = np.argsort(np.flip(keys, dim), axis=dim, kind="stable")
        order = np.flip(a.shape[dim] - 1 - flipped, dim)
    return np.take_along_axis(a, order, dim), np.ascontiguousarray(order)


@rule("sort_rows")
def _sort_rows(a):
    return np.lexsort(a.T[::-1]) if a.shape[1] else np.arange(len(a))


@rule("searchsorted")
def _searchsorted(sorted_, values, *, right):
    """In the last dimension of `sorted_`, which has one row for each row of the values, or one."""
    side: Literal["left", "right"] = "right" if right else "left"
    if sorted_.ndim == 1:
        return np.searchsorted(sorted_, values, side).astype(np.int64, copy=False)
    if not values.size:
        return np.zeros(values.shape, np.int64)
    rows = sorted_.reshape(-1, sorted_.shape[-1])
    wanted = values.reshape(len(rows), -1)
    found = [np.searchsorted(r, w, side) for r, w in zip(rows, wanted, strict=True)]
    return np.stack(found).reshape(values.shape).astype(np.int64, copy=False)
