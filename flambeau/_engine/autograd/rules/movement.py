"""Gradients of primitives that copy elements to new places."""

from __future__ import annotations

from typing import Any

from ..table import gradient, joint_gradient
from .shared import P

gradient("copy", lambda g: g)
gradient("flip", lambda g, dims: P.flip(g, dims=dims))
gradient("unslice", lambda g, index: P.slice(g, index=index))
gradient(
    "pad",
    lambda g, a_shape, widths: P.slice(
        g,
        index=tuple((low, low + size, 1) for (low, _), size in zip(widths, a_shape, strict=True)),
    ),
)


def _cat(gs: Any, tensors_shape: Any, dim: int, needs: Any) -> tuple:
    g = gs[0]
    lead = tuple((0, n, 1) for n in g._array.shape[:dim])
    parts, start = [], 0
    for shape, needed in zip(tensors_shape, needs, strict=True):
        stop = start + shape[dim]
        parts.append(P.slice(g, index=(*lead, (start, stop, 1))) if needed else None)
        start = stop
    return tuple(parts)


joint_gradient("cat", _cat)
