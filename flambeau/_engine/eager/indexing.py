"""NumPy rules for gathering and scattering."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import rule


def _along(shape: tuple[int, ...], dim: int, index: np.ndarray) -> tuple[np.ndarray, ...]:
    """Open grids over index's positions, with `index` itself in place of `dim`."""
    grids = np.ogrid[tuple(slice(n) for n in index.shape)] if index.ndim else []
    return tuple(index if d == dim else grid for d, grid in enumerate(grids))


@rule("gather")
def _gather(a, index, *, dim):
    if a.ndim == 0 or index.ndim == 0:
        return np.broadcast_to(a.reshape(-1)[0] if a.size else a, index.shape).copy()
    return a[_along(a.shape, dim, index)]


@rule("scatter")
def _scatter(a, index, source, *, dim):
    out = a.copy()
    if out.ndim == 0 or index.ndim == 0:
        out.reshape(-1)[index.reshape(-1)] = source.reshape(-1)[: index.size]
        return out
    at = tuple(slice(n) for n in index.shape)
    out[_along(a.shape, dim, index)] = source[at] if isinstance(source, np.ndarray) else source
    return out


@rule("scatter_add")
@in_float32
def _scatter_add(a, index, source, *, dim):
    out = a.copy()
    if out.ndim == 0 or index.ndim == 0:
        np.add.at(out.reshape(-1), index.reshape(-1), source.reshape(-1)[: index.size])
        return out
    at = tuple(slice(n) for n in index.shape)
    np.add.at(out, _along(a.shape, dim, index), source[at])
    return out


def _where(pattern, indices):
    """The NumPy index: each True of the pattern takes the next index array."""
    left = iter(indices)
    return tuple(next(left) if taken else slice(None) for taken in pattern)


@rule("index")
def _index(a, *indices, pattern):
    return a[_where(pattern, indices)]


@rule("index_put")
@in_float32
def _index_put(a, value, *indices, pattern, accumulate):
    out = a.copy()
    if accumulate:
        np.add.at(out, _where(pattern, indices), value)
    else:
        out[_where(pattern, indices)] = value
    return out


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
    if not descending:
        order = np.argsort(a, axis=dim, kind="stable")
    else:
        flipped = np.argsort(np.flip(a, dim), axis=dim, kind="stable")
        order = np.flip(a.shape[dim] - 1 - flipped, dim)
    return np.take_along_axis(a, order, dim), np.ascontiguousarray(order)


@rule("searchsorted")
def _searchsorted(sorted_, values, *, right):
    side = "right" if right else "left"
    if sorted_.ndim == 1:
        return np.searchsorted(sorted_, values, side).astype(np.int64)
    rows = sorted_.reshape(-1, sorted_.shape[-1])
    wanted = values.reshape(len(rows), -1)
    found = [np.searchsorted(r, w, side) for r, w in zip(rows, wanted, strict=True)]
    return np.stack(found).reshape(values.shape).astype(np.int64)
