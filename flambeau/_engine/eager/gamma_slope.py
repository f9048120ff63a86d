"""How a gamma sample moves with its concentration: d sample / d alpha at a fixed quantile.

Implicit differentiation of P(alpha, x) = const gives -(dP/dalpha) / density; the power series
of P is differentiated term by term. All terms are taken together, so tails lose no digits.
"""

from __future__ import annotations

import numpy as np

from .special.gamma import digamma

# from here on the Wilson-Hilferty approximation is as exact as the series, and faster
_LARGE = 2000.0


def gamma_slope(alpha: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """d sample / d alpha, in alpha's dtype."""
    a = alpha.astype(np.float64)
    x = np.maximum(sample.astype(np.float64), np.finfo(np.float64).tiny)
    large = a > _LARGE
    out = _wilson_hilferty(a, x)
    if not large.all():
        out[~large] = _series(a[~large], x[~large])
    return out.astype(alpha.dtype)


def _series(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """-sum of x^(n+1) Gamma(a) / Gamma(a+n+1) * (log x - digamma(a+n+1)) over n >= 0."""
    log_x = np.log(x)
    term = x / a
    psi = digamma(a) + 1.0 / a
    total = term * (log_x - psi)
    n = 0
    while True:
        n += 1
        term = term * x / (a + n)
        psi = psi + 1.0 / (a + n)
        part = term * (log_x - psi)
        total += part
        if ((a + n > x) & (np.abs(part) <= 1e-17 * np.abs(total))).all():
            return -total


def _wilson_hilferty(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The slope of x = a (1 - 1/(9a) + z / (3 sqrt a))^3 at fixed z."""
    root = np.cbrt(x / a)
    shift = root - 1.0 + 1.0 / (9.0 * a)  # z / (3 sqrt a)
    return root**3 + 3.0 * root**2 * (1.0 / (9.0 * a) - shift / 2.0)
