"""Sliding windows over the last dimensions of an array: padding, views, and the way back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def padded(a: np.ndarray, padding: Sequence[tuple[int, int]], value: Any = 0) -> np.ndarray:
    """`a` with (low, high) border elements in its last dimensions; itself where there are none."""
    if not any(low or high for low, high in padding):
        return a
    lead = a.ndim - len(padding)
    shape = list(a.shape)
    for dim, (low, high) in enumerate(padding, lead):
        shape[dim] += low + high
    out = np.full(shape, value, a.dtype) if value else np.zeros(shape, a.dtype)
    _inside(out, padding)[...] = a
    return out


def unpadded(a: np.ndarray, padding: Sequence[tuple[int, int]]) -> np.ndarray:
    """What `padded` made `a` from, contiguous."""
    return np.ascontiguousarray(_inside(a, padding))


def _inside(a: np.ndarray, padding: Sequence[tuple[int, int]]) -> np.ndarray:
    sizes = a.shape[a.ndim - len(padding) :]
    inner = (slice(low, n - high) for n, (low, high) in zip(sizes, padding, strict=True))
    index: tuple[Any, ...] = (..., *inner)
    return a[index]


def windows(
    a: np.ndarray, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """A view (*K, *lead, *T) of a (*lead, *S): [k, ..., t] is a[..., t * stride + k * dilation]."""
    rank = len(kernel)
    lead = a.ndim - rank
    spatial = a.strides[lead:]
    places = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(a.shape[lead:], kernel, stride, dilation, strict=True)
    ]
    shape = (*kernel, *a.shape[:lead], *places)
    strides = (
        *(step * d for step, d in zip(spatial, dilation, strict=True)),
        *a.strides[:lead],
        *(step * s for step, s in zip(spatial, stride, strict=True)),
    )
    return np.lib.stride_tricks.as_strided(a, shape, strides)


def offsets(kernel: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All positions inside a window, row-major."""
    return itertools.product(*map(range, kernel))


def add_windows(
    out: np.ndarray, found: np.ndarray, stride: Sequence[int], dilation: Sequence[int]
) -> None:
    """Add found[k, ..., t] to out[..., t * stride + k * dilation]: the adjoint of `windows`."""
    rank = len(stride)
    view = windows(out, found.shape[:rank], stride, dilation)
    index: tuple[Any, ...] = (..., *(slice(n) for n in found.shape[found.ndim - rank :]))
    view = view[index]
    # one offset at a time: within an offset no two windows share an element
    for offset in offsets(found.shape[:rank]):
        view[offset] += found[offset]
