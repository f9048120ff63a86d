"""Gradients of gathering and scattering."""

from __future__ import annotations

from typing import Any

from ..table import gradient, joint_gradient, no_gradient
from .shared import P, filled, zeros_like

gradient(
    "gather",
    lambda g, index, a_shape, dim: P.scatter_add(filled(g, a_shape, 0), index, g, dim=dim),
    None,
)
gradient(
    "scatter",
    lambda g, index, source_shape, dim: P.scatter(
        g, index, filled(g, source_shape, 0), dim=dim
    ),
    None,
    lambda g, index, source_shape, dim: _gathered(g, index, source_shape, dim),
)
gradient(
    "scatter_add",
    lambda g: g,
    None,
    lambda g, index, source_shape, dim: _gathered(g, index, source_shape, dim),
)
no_gradient("nonzero", "searchsorted")


def _gathered(g: Any, index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """What was written where: zero for source elements beyond the index's shape."""
    found = P.gather(g, index, dim=dim)
    if found._array.shape == shape:
        return found
    widths = tuple((0, n - m) for n, m in zip(shape, found._array.shape, strict=True))
    return P.pad(found, widths=widths, value=0)


def _index(gs: Any, a_shape: Any, indices: Any, pattern: Any) -> tuple:
    g = gs[0]
    back = P.index_put(filled(g, a_shape, 0), g, *indices, pattern=pattern, accumulate=True)
    return (back, *[None] * len(indices))


def _index_put(gs: Any, value_shape: Any, indices: Any, pattern: Any, accumulate: bool,
               needs: Any) -> tuple:
    g = gs[0]
    first = second = None
    if needs[0]:
        zero = filled(g, value_shape, 0)
        first = g if accumulate else P.index_put(
            g, zero, *indices, pattern=pattern, accumulate=False
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
