"""Gradients of Fourier transforms: the adjoint is the transform of the other sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..table import gradient
from .shared import P, literal

gradient(
    "fft", lambda g, dims, scale, forward: P.fft(g, dims=dims, scale=scale, forward=not forward)
)
gradient(
    "fft_real",
    lambda g, a_shape, dims, scale, forward: _from_half(g, a_shape, dims, scale, forward),
)
gradient(
    "fft_to_real",
    lambda g, a_shape, dims, size, scale, forward: _to_half(g, a_shape, dims, scale, forward),
)


def _from_half(g: Any, shape: Any, dims: Any, scale: float, forward: bool) -> Any:
    """Coefficients beyond the middle were not computed: zeros, then the adjoint's real part."""
    last = dims[-1]
    missing = shape[last] - g._array.shape[last]
    widths = tuple((0, missing if d == last else 0) for d in range(g._array.ndim))
    full = P.pad(g, widths=widths, value=0)
    return P.real_part(P.fft(full, dims=dims, scale=scale, forward=not forward))


def _to_half(g: Any, shape: Any, dims: Any, scale: float, forward: bool) -> Any:
    """Each inner coefficient stands for itself and its mirror image, so it counts twice."""
    last = dims[-1]
    size = g._array.shape[last]
    half = P.fft_real(g, dims=dims, scale=scale, forward=not forward)
    twice = np.full(half._array.shape[last], 2.0, g._array.dtype)
    twice[0] = 1
    if size % 2 == 0:
        twice[-1] = 1
    column = [1] * half._array.ndim
    column[last] = -1
    weights = P.convert(literal(twice.reshape(column)), dtype=half._array.dtype)
    return half * weights
