"""Sliding windows over the last dimensions, and pooling.

`kernel`, `stride`, `dilation` have one number a spatial dimension; the spatial dimensions come
last. Windows are laid out kernel first: (*K, *lead, *T).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .primitive import Aval, declare


def _lead(a: Aval, rank: int) -> tuple[int, ...]:
    return a.shape[: len(a.shape) - rank]


def _fold(found: Aval, *, size: tuple[int, ...], **_: Any) -> Aval:
    rank = len(size)
    return Aval((*found.shape[rank : len(found.shape) - rank], *size), found.dtype)


def _window_sum(a: Aval, *, kernel: Any, stride: Any) -> Aval:
    rank = len(kernel)
    sizes = a.shape[len(a.shape) - rank :]
    places = ((n - k) // s + 1 for n, k, s in zip(sizes, kernel, stride, strict=True))
    return Aval((*_lead(a, rank), *places), a.dtype)


def _max_pool(a: Aval, *, places: tuple[int, ...], **_: Any) -> tuple[Aval, Aval]:
    shape = (*_lead(a, len(places)), *places)
    return Aval(shape, a.dtype), Aval(shape, np.dtype(np.int64))


# [k, ..., t] looks at a[..., t * stride + k * dilation]
declare("windows", "a", "kernel stride dilation", view=True)
# the adjoint: the sum, over all windows that look at an element, of what they hold for it
declare("fold_windows", "found", "size stride dilation", shape=_fold)
declare("window_sum", "a", "kernel stride", shape=_window_sum)
# results: the maxima, and their positions in the flattened spatial dimensions. `padding` is the
# number of border elements before; `places`, the number of windows, decides those after.
declare("max_pool", "a", "kernel stride padding dilation places", shape=_max_pool, outputs=2)
