"""The error function, its inverse, and the normal distribution function.

Sources: erf/erfc by W. J. Cody, "Rational Chebyshev approximation for the error function" (1969);
erfinv by M. Giles, "Approximating the erfinv function" (2010) with two Newton steps.
"""

from __future__ import annotations

import numpy as np

_ERF_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2,
     3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
_ERFC_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3,
     2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
     3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
_ERFC_LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346047, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
_ONE_OVER_SQRT_PI = 0.56418958354775628695


def _ratio(table, x):
    top, bottom = table
    return np.polyval(top, x) / np.polyval(bottom, x)


def _scaled_erfc(x):
    """exp(x^2) erfc(x) for x >= 0.46875, by Cody's middle and outer ranges."""
    middle = _ratio(_ERFC_MIDDLE, np.minimum(x, 4.0))
    inverse = 1.0 / np.maximum(x, 4.0) ** 2
    outer = (_ONE_OVER_SQRT_PI - inverse * _ratio(_ERFC_LARGE, inverse)) / np.maximum(x, 4.0)
    return np.where(x <= 4.0, middle, outer)


def _erf_pair(a):
    x = np.asarray(a, np.float64)
    size = np.abs(x)
    small = x * _ratio(_ERF_SMALL, np.minimum(size, 0.46875) ** 2)
    edge = np.maximum(size, 0.46875)
    tail = np.exp(-edge * edge) * _scaled_erfc(edge)
    return x, size <= 0.46875, small, tail


def erf(a):
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to a."""
    x, inner, small, tail = _erf_pair(a)
    return np.where(inner, small, np.copysign(1.0 - tail, x)).astype(a.dtype)


def erfc(a):
    """1 - erf(a), without cancellation for large a."""
    x, inner, small, tail = _erf_pair(a)
    return np.where(inner, 1.0 - small, np.where(x > 0, tail, 2.0 - tail)).astype(a.dtype)


_GILES_CENTRAL = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip


def _lower_quantile(p):
    """The y with ndtr(y) = p for 0 < p <= 0.1, by Newton's method on log ndtr."""
    goal = np.log(p)
    y = -np.sqrt(-2 * goal)
    for _ in range(8):
        slope = np.sqrt(2 / np.pi) / erfcx(-y * np.sqrt(0.5))
        y = y - (log_ndtr(y) - goal) / slope
    return y


def erfinv(a):
    """The y with erf(y) = a; +-inf at +-1, NaN outside [-1, 1]."""
    x = np.asarray(a, np.float64)
    size = np.abs(x)
    inner = np.where(size <= 0.8, x, 0.0)
    y = np.polyval(_GILES_CENTRAL, -np.log1p(-inner * inner) - 2.5) * inner
    for _ in range(2):  # Newton: the start is good to 1e-7
        y = y - (erf(y) - inner) * (np.sqrt(np.pi) / 2) * np.exp(y * y)
    outer = np.where((size > 0.8) & (size < 1), (1 - size) / 2, 0.1)
    tail = np.copysign(_lower_quantile(outer) * np.sqrt(0.5), x)
    y = np.where(size > 0.8, np.where(size == 1, np.copysign(np.inf, x), tail), y)
    return np.where(size <= 1, y, np.nan).astype(a.dtype)


def erfcx(a):
    """exp(a^2) erfc(a), which neither overflows nor underflows for a > 0."""
    x = np.asarray(a, np.float64)
    size = np.abs(x)
    tail = _scaled_erfc(np.maximum(size, 0.46875))
    near = np.minimum(size, 0.46875)
    square = np.exp(x * x)
    low = square * (1.0 - x * _ratio(_ERF_SMALL, near**2))
    value = np.where(x > 0, tail, 2.0 * square - tail)
    return np.where(size <= 0.46875, low, value).astype(a.dtype)


def ndtr(a):
    """The normal distribution function."""
    return 0.5 * erfc(np.asarray(a) * a.dtype.type(-np.sqrt(0.5)))


def log_ndtr(a):
    """log ndtr(a), also where ndtr underflows."""
    x = np.asarray(a, np.float64)
    z = x * np.sqrt(0.5)
    low = np.minimum(z, -0.5)
    left = np.log(0.5 * erfcx(-low)) - low * low
    right = np.log1p(-0.5 * erfc(np.maximum(z, -1.0)))
    return np.where(x < -1.0, left, right).astype(a.dtype)


def ndtri(a):
    """The y with ndtr(y) = a."""
    p = np.asarray(a, np.float64)
    small = (p > 0) & (p < 0.1)
    central = -np.sqrt(2) * erfinv(np.asarray(1 - 2 * p))
    return np.where(small, _lower_quantile(np.where(small, p, 0.1)), central).astype(a.dtype)
