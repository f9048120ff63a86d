"""Gradients of gathering and scattering."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..table import gradient, joint_gradient, no_gradient
from .shared import P, conj, filled, zeros_like

gradient(
    "gather",
    lambda g, index, a_shape, dim: P.scatter_add(filled(g, a_shape, 0), index, g, dim=dim),
    None,
)
gradient(
    "scatter",
    lambda g, index, dim: P.scatter(g, index, filled(g, index._array.shape, 0), dim=dim),
    None,
    lambda g, index, source_shape, dim: _gathered(g, index, source_shape, dim),
)
gradient(
    "scatter_add",
    lambda g: g,
    None,
    lambda g, index, source_shape, dim: _gathered(g, index, source_shape, dim),
)
no_gradient("check_index", "nonzero", "searchsorted", "sort_rows")


def _scatter_reduce(
    gs: Any, a: Any, index: Any, source: Any, out: Any, dim: int, reduce: str
) -> tuple:
    rule = _product if reduce == "prod" else _extreme
    first, written = rule(gs[0], a, index, _cut(source, index), out, dim)
    return first, None, _padded(written, source._array.shape)


def _extreme(g: Any, a: Any, index: Any, source: Any, out: Any, dim: int) -> tuple:
    """Equal shares to all that attain the extreme."""
    kept = P.convert(P.eq(a, out), dtype=g._array.dtype)
    won = P.convert(P.eq(source, P.gather(out, index, dim=dim)), dtype=g._array.dtype)
    share = g / P.scatter_add(kept, index, won, dim=dim)
    return share * kept, P.gather(share, index, dim=dim) * won


def _product(g: Any, a: Any, index: Any, source: Any, out: Any, dim: int) -> tuple:
    """The product of the others, exact also where one of them is zero."""
    others = P.scatter_reduce(_ones_at_zeros(a), index, source, dim=dim, reduce="prod")
    first = g * conj(others) / conj(_ones_at_zeros(a))
    zero = P.convert(P.eq(source, 0), dtype=np.dtype(np.int64))
    counted = P.scatter_add(filled(zero, a._array.shape, 0), index, zero, dim=dim)
    alone = P.logical_and(P.eq(source, 0), P.eq(P.gather(counted, index, dim=dim), 1))
    without = P.scatter_reduce(a, index, P.where(alone, 1, source), dim=dim, reduce="prod")
    at_zero = P.gather(g * conj(without), index, dim=dim)
    elsewhere = P.gather(g * conj(out), index, dim=dim) / conj(_ones_at_zeros(source))
    return first, P.where(alone, at_zero, elsewhere)


def _ones_at_zeros(x: Any) -> Any:
    return P.where(P.eq(x, 0), 1, x)


def _cut(source: Any, index: Any) -> Any:
    """The part of the source that the index covers."""
    if source._array.shape == index._array.shape:
        return source
    return P.slice(source, index=tuple((0, n, 1) for n in index._array.shape))


def _padded(found: Any, shape: tuple[int, ...]) -> Any:
    if found._array.shape == shape:
        return found
    widths = tuple((0, n - m) for n, m in zip(shape, found._array.shape, strict=True))
    return P.pad(found, widths=widths, value=0)


def _gathered(g: Any, index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """What was written where: zero for source elements beyond the index's shape."""
    return _padded(P.gather(g, index, dim=dim), shape)


def _index(gs: Any, a_shape: Any, indices: Any, pattern: Any) -> tuple:
    g = gs[0]
    back = P.index_put(filled(g, a_shape, 0), g, *indices, pattern=pattern, accumulate=True)
    return (back, *[None] * len(indices))


def _index_put(
    gs: Any, value_shape: Any, indices: Any, pattern: Any, accumulate: bool, needs: Any
) -> tuple:
    g = gs[0]
    first = second = None
    if needs[0]:
        zero = filled(g, value_shape, 0)
        first = (
            g if accumulate else P.index_put(g, zero, *indices, pattern=pattern, accumulate=False)
        )
    if needs[1]:
        second = P.index(g, *indices, pattern=pattern)
    return (first, second, *[None] * len(indices))


def _sort(gs: Any, outs: Any, dim: int) -> tuple:
    g, order = gs[0], outs[1]
    if g._array.ndim == 0:
        return (g,)
    return (P.scatter(zeros_like(g), order, g, dim=dim),)


joint_gradient("index", _index)
joint_gradient("index_put", _index_put)
joint_gradient("sort", _sort)
joint_gradient("scatter_reduce", _scatter_reduce)
