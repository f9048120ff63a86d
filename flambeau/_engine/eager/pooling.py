"""NumPy rules for sliding windows and pooling."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .precision import in_float32
from .table import RULES, rule
from .windows import add_windows, offsets, padded, windows

_where = RULES["where"]


@rule("windows")
def _windows(a, *, kernel, stride, dilation):
    return windows(a, kernel, stride, dilation)


@rule("fold_windows")
@in_float32
def _fold_windows(found, *, size, stride, dilation):
    rank = len(size)
    out = np.zeros((*found.shape[rank : found.ndim - rank], *size), found.dtype)
    add_windows(out, found, stride, dilation)
    return out


@rule("window_sum")
@in_float32
def _window_sum(a, *, kernel, stride):
    found = windows(a, kernel, stride, (1,) * len(kernel))
    # whole arrays added one offset at a time: several times faster than a sum over short axes
    order = offsets(kernel)
    out = found[next(order)].copy()
    for offset in order:
        out += found[offset]
    return out


@rule("max_pool")
@in_float32
def _max_pool(a, *, kernel, stride, padding, dilation, places):
    rank = len(kernel)
    size = a.shape[a.ndim - rank :]
    reach = [
        (t - 1) * s + d * (k - 1) + 1
        for t, s, d, k in zip(places, stride, dilation, kernel, strict=True)
    ]
    border = [(p, max(r - n - p, 0)) for p, r, n in zip(padding, reach, size, strict=True)]
    lowest = -np.inf if a.dtype.kind == "f" else np.iinfo(a.dtype).min
    found = windows(padded(a, border, lowest), kernel, stride, dilation)
    kept: tuple[Any, ...] = (..., *(slice(t) for t in places))
    found = found[kept]
    steps = [prod(size[d + 1 :]) for d in range(rank)]
    has_nan = a.dtype.kind == "f" and bool(np.isnan(a.max(initial=0)))
    best = np.full(found.shape[rank:], lowest, a.dtype)
    index = _first_valid(size, kernel, stride, padding, dilation, places)
    # steps inside a window are small numbers, which are chosen among faster
    narrow = np.int32 if prod(size) < 1 << 31 else np.int64
    index = np.broadcast_to(index.astype(narrow), best.shape)
    for offset in offsets(kernel):
        value = found[offset]
        wins = value > best
        if has_nan:
            wins |= np.isnan(value)
        best = _where(wins, value, best)
        jump = sum(o * d * step for o, d, step in zip(offset, dilation, steps, strict=True))
        index = _where(wins, jump, index)
    return best, index + _corners(stride, padding, places, steps)


def _corners(stride, padding, places, steps):
    """The position, in the flattened input, where each window begins; padding makes it negative."""
    return _outer_sum(
        (np.arange(t) * s - p) * step
        for t, s, p, step in zip(places, stride, padding, steps, strict=True)
    )


def _first_valid(size, kernel, stride, padding, dilation, places):
    """How far from its corner each window's first element inside the input lies."""
    steps = [prod(size[d + 1 :]) for d in range(len(size))]
    return _outer_sum(
        -(-np.maximum(p - np.arange(t) * s, 0) // d) * d * step
        for t, s, p, d, step in zip(places, stride, padding, dilation, steps, strict=True)
    )


def _outer_sum(parts):
    total = np.zeros((), np.int64)
    for part in parts:
        total = total[..., None] + part
    return total
