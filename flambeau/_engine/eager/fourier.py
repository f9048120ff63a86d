"""NumPy rules for Fourier transforms."""

from __future__ import annotations

import numpy as np

from .table import rule


def _unscaled(a, dims, forward):
    """NumPy scales its inverse by 1/n; "forward" normalisation moves that to the other side."""
    transform = np.fft.fftn if forward else np.fft.ifftn
    return transform(a, axes=dims, norm="backward" if forward else "forward")


@rule("fft")
def _fft(a, *, dims, scale, forward):
    out = _unscaled(a, dims, forward)
    return (out * scale if scale != 1 else out).astype(a.dtype, copy=False)


@rule("fft_real")
def _fft_real(a, *, dims, scale, forward):
    whole = np.complex128 if a.dtype == np.float64 else np.complex64
    out = np.fft.rfftn(a, axes=dims)
    if not forward:  # of a real signal, the other sign is the conjugate
        out = np.conj(out)
    return (out * scale if scale != 1 else out).astype(whole, copy=False)


@rule("fft_to_real")
def _fft_to_real(a, *, dims, size, scale, forward):
    part = np.float64 if a.dtype == np.complex128 else np.float32
    source = np.conj(a) if forward else a
    if len(dims) > 1:
        source = _unscaled(source, dims[:-1], False)
    out = np.fft.irfft(source, size, axis=dims[-1], norm="forward")
    return (out * scale if scale != 1 else out).astype(part, copy=False)
