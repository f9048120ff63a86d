"""Primitives that copy elements to new places."""

from __future__ import annotations

from .primitive import Aval, declare


def _cat(*tensors: Aval, dim: int) -> Aval:
    shape = list(tensors[0].shape)
    shape[dim] = sum(t.shape[dim] for t in tensors)
    return Aval(tuple(shape), tensors[0].dtype)


def _pad(a: Aval, *, widths: tuple[tuple[int, int], ...], value: object) -> Aval:
    shape = tuple(low + size + high for size, (low, high) in zip(a.shape, widths, strict=True))
    return Aval(shape, a.dtype)


declare("copy", "a", "order", shape=lambda a, **_: a)
declare("cat", "*tensors", "dim", shape=_cat)
declare("pad", "a", "widths value", shape=_pad)
declare("flip", "a", "dims", shape=lambda a, **_: a)
# zeros of `shape` with `a` placed where the view primitive `slice` would read
declare("unslice", "a", "shape index", shape=lambda a, *, shape, index: Aval(shape, a.dtype))
