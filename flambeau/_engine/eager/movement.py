"""NumPy rules that copy elements to new places."""

from __future__ import annotations

import numpy as np

from .table import rule


@rule("copy")
def _copy(a, *, order):
    """`order`: "K" keeps a dense layout, "C" makes the copy row-major."""
    if order == "K" and not _dense(a):
        order = "C"
    return a.copy(order)


def _dense(a: np.ndarray) -> bool:
    """Whether the elements fill their memory without gaps or overlaps, in some order."""
    if a.flags.c_contiguous or a.flags.f_contiguous:
        return True
    step = a.itemsize
    for stride, size in sorted(zip(a.strides, a.shape, strict=True)):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return True


@rule("cat")
def _cat(*tensors, dim):
    return np.concatenate(tensors, axis=dim)


@rule("pad")
def _pad(a, *, widths, value):
    shape = [low + size + high for size, (low, high) in zip(a.shape, widths, strict=True)]
    out = np.full(shape, value, a.dtype)
    out[tuple(slice(low, low + size) for size, (low, _) in zip(a.shape, widths, strict=True))] = a
    return out


@rule("flip")
def _flip(a, *, dims):
    return np.flip(a, dims).copy("C")


@rule("unslice")
def _unslice(a, *, shape, index):
    out = np.zeros(shape, a.dtype)
    out[tuple(slice(*i) if type(i) is tuple else i for i in index) + (Ellipsis,)] = a
    return out
