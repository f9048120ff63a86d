"""NumPy rules for views: stride arithmetic, never a copy."""

from __future__ import annotations

import itertools

import numpy as np

from .table import rule


def strided(array: np.ndarray, shape, byte_strides, byte_offset: int = 0) -> np.ndarray:
    """A view of `array`'s memory with any shape and strides; the caller keeps it in bounds.

    np.lib.stride_tricks.as_strided does the same at ten times the cost.
    """
    if array.flags.c_contiguous:
        try:
            return np.ndarray(shape, array.dtype, array, byte_offset, byte_strides)
        except (ValueError, TypeError, BufferError):
            pass  # reaches outside this view, or bfloat16, which has no buffer protocol
    return np.lib.stride_tricks.as_strided(
        array if byte_offset == 0 else _moved(array, byte_offset), shape, byte_strides
    )


def _moved(array: np.ndarray, byte_offset: int) -> np.ndarray:
    """A one-element view that begins `byte_offset` bytes after `array` does."""
    return np.asarray(_Memory(array, byte_offset)).view(array.dtype).reshape(())


class _Memory:
    """A few bytes at an address, for NumPy to wrap; keeps the owner alive."""

    def __init__(self, owner: np.ndarray, byte_offset: int):
        self.owner = owner
        address = owner.__array_interface__["data"][0] + byte_offset
        self.__array_interface__ = {
            "data": (address, not owner.flags.writeable),
            "shape": (owner.itemsize,),
            "typestr": "|u1",
            "version": 3,
        }


@rule("alias")
def _alias(a):
    return a.view()


@rule("view")
def _view(a, *, shape):
    return a.reshape(shape, copy=False)


@rule("permute")
def _permute(a, *, dims):
    return a.transpose(dims)


@rule("expand")
def _expand(a, *, shape):
    lead = len(shape) - a.ndim
    strides = (0,) * lead + tuple(
        0 if size == 1 and wanted != 1 else stride
        for size, wanted, stride in zip(a.shape, shape[lead:], a.strides, strict=True)
    )
    return strided(a, shape, strides)


@rule("slice")
def _slice(a, *, index):
    return a[tuple(slice(*i) if type(i) is tuple else i for i in index) + (Ellipsis,)]


@rule("split")
def _split(a, *, sizes, dim, squeeze):
    lead = (slice(None),) * dim
    if squeeze:
        return tuple(a[(*lead, place, Ellipsis)] for place in range(len(sizes)))
    stops = list(itertools.accumulate(sizes))
    starts = (stop - size for stop, size in zip(stops, sizes, strict=True))
    return tuple(a[(*lead, slice(*ends))] for ends in zip(starts, stops, strict=True))


@rule("diagonal")
def _diagonal(a, *, offset, dim1, dim2):
    found = a.diagonal(offset, dim1, dim2)
    found.flags.writeable = a.flags.writeable
    return found


@rule("unfold")
def _unfold(a, *, dim, size, step):
    if a.ndim == 0:
        return np.lib.stride_tricks.as_strided(a, (size,), (a.itemsize,))
    count = (a.shape[dim] - size) // step + 1
    shape = (*a.shape[:dim], count, *a.shape[dim + 1 :], size)
    strides = (*a.strides[:dim], a.strides[dim] * step, *a.strides[dim + 1 :], a.strides[dim])
    return np.lib.stride_tricks.as_strided(a, shape, strides)


@rule("view_dtype")
def _view_dtype(a, *, dtype):
    return a.view(dtype)


@rule("as_strided")
def _as_strided(a, *, shape, strides, offset, layout):
    """`offset` counts elements from a's own first element, and may be negative."""
    expected = zip(a.shape, a.strides, layout[1], strict=True)
    if a.size and any(n > 1 and found != wanted * a.itemsize for n, found, wanted in expected):
        raise NotImplementedError(
            "as_strided: this view is made again from a tensor that lies in memory in another "
            "way; use a view with a meaning of its own (select, diagonal, unfold ...)"
        )
    return strided(a, shape, [s * a.itemsize for s in strides], offset * a.itemsize)


@rule("view_as_real")
def _view_as_real(a):
    real = a.real
    return np.lib.stride_tricks.as_strided(real, (*a.shape, 2), (*a.strides, real.itemsize))


@rule("view_as_complex")
def _view_as_complex(a):
    whole = np.complex128 if a.dtype == np.float64 else np.complex64
    return a.view(whole)[..., 0]
