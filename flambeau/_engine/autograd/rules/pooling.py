"""Gradients of sliding windows and pooling."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..table import gradient, joint_gradient
from .shared import P, filled
from .views import reshaped

gradient(
    "windows",
    lambda g, a_shape, kernel, stride, dilation: P.fold_windows(
        g, size=a_shape[len(a_shape) - len(kernel) :], stride=stride, dilation=dilation
    ),
)
gradient(
    "fold_windows",
    lambda g, found_shape, stride, dilation: _windows_of(g, found_shape, stride, dilation),
)
gradient("window_sum", lambda g, a_shape, kernel, stride: _spread(g, a_shape, kernel, stride))


def _windows_of(g: Any, found_shape: Any, stride: Any, dilation: Any) -> Any:
    rank = len(stride)
    found = P.windows(g, kernel=found_shape[:rank], stride=stride, dilation=dilation)
    if found._array.shape == tuple(found_shape):
        return found
    return P.slice(found, index=tuple((0, n, 1) for n in found_shape))


def _spread(g: Any, a_shape: Any, kernel: Any, stride: Any) -> Any:
    """The same gradient to every element of a window."""
    rank = len(kernel)
    everywhere = P.expand(g, shape=(*kernel, *g._array.shape))
    return P.fold_windows(
        everywhere, size=a_shape[len(a_shape) - rank :], stride=stride, dilation=(1,) * rank
    )


def _max_pool(partial_gs: Any, outs: Any, a_shape: Any, places: Any) -> tuple:
    """Each window's gradient to its winner, by positions in the input flattened whole."""
    g, index = partial_gs[0], outs[1]
    cut = len(a_shape) - len(places)
    rows, size, taken = prod(a_shape[:cut]), prod(a_shape[cut:]), prod(places)
    starts = P.arange(start=0, step=size, count=rows, dtype=np.dtype(np.int64))
    positions = P.view(index, shape=(rows, taken)) + P.view(starts, shape=(rows, 1))
    flat = P.scatter_add(
        filled(g, (rows * size,), 0),
        P.view(positions, shape=(rows * taken,)),
        reshaped(g, (rows * taken,)),
        dim=0,
    )
    return (P.view(flat, shape=a_shape),)


joint_gradient("max_pool", _max_pool)
