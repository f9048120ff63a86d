"""Discrete Fourier transforms over several dimensions, scaled by a factor."""

from __future__ import annotations

from ..base import dtypes
from .primitive import Aval, declare


def _half(a: Aval, *, dims: tuple[int, ...], scale: float, forward: bool) -> Aval:
    shape = list(a.shape)
    shape[dims[-1]] = shape[dims[-1]] // 2 + 1
    return Aval(tuple(shape), dtypes.from_numpy(a.dtype).to_complex().numpy)


def _whole(a: Aval, *, dims: tuple[int, ...], size: int, scale: float, forward: bool) -> Aval:
    shape = list(a.shape)
    shape[dims[-1]] = size
    return Aval(tuple(shape), dtypes.from_numpy(a.dtype).to_real().numpy)


# forward: the sign of the exponent is negative. "half": of a real signal, only the coefficients
# up to the middle of the last dim; its inverse makes `size` real values of such a half.
declare("fft", "a", "dims scale forward", shape=lambda a, **_: a)
declare("fft_real", "a", "dims scale forward", shape=_half)
declare("fft_to_real", "a", "dims size scale forward", shape=_whole)
