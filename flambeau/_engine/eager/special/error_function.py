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
# x P(x^2) / Q(x^2) for |x| <= 3.95, beyond which erf is 1 in float32: within 0.76 units of the
# last place of a float32, so at most 1.6 after rounding
_ERF_SINGLE = (
    (5.151208286423640e-2, 7.890577489080288, 1.152869227050977e2, 1.495938858669961e3,
     5.566445354832585e3, 3.127762570219416e4),
    (1.0, 3.437734075769355e1, 4.373430145420584e2, 3.278201392426641e3, 1.417282221627092e4,
     2.771907318826786e4),
)  # fmt: skip
_BLOCK = 16384  # elements: four float64 buffers of a block stay in the second-level cache


def _polynomial(coefficients, x):
    out = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        out *= x
        out += coefficient
    return out


def _ratio(table, x):
    top, bottom = table
    return _polynomial(top, x) / _polynomial(bottom, x)


def _scaled_erfc(x):
    """exp(x^2) erfc(x) for x >= 0.46875, by Cody's middle and outer ranges."""
    out = np.empty_like(x)
    is_middle = x <= 4.0
    out[is_middle] = _ratio(_ERFC_MIDDLE, x[is_middle])
    large = x[~is_middle]
    inverse = 1.0 / large**2
    out[~is_middle] = (_ONE_OVER_SQRT_PI - inverse * _ratio(_ERFC_LARGE, inverse)) / large
    return out


def _by_size(a, near, far):
    """near(x) where |x| <= 0.46875, far(x, |x|) elsewhere, in float64; each where it is needed."""
    x = np.asarray(a, np.float64)
    out = np.empty_like(x)
    inner = np.abs(x) <= 0.46875
    out[inner] = near(x[inner])
    outer = x[~inner]
    out[~inner] = far(outer, np.abs(outer))
    return out.astype(a.dtype, copy=False)


def _near_erf(x):
    return x * _ratio(_ERF_SMALL, x**2)


def _tail(size):
    return np.exp(-size * size) * _scaled_erfc(size)


def erf(a):
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to a."""
    if a.dtype != np.float64:
        return _erf_single(a.astype(np.float32, copy=False)).astype(a.dtype, copy=False)
    return _by_size(a, _near_erf, lambda x, size: np.copysign(1.0 - _tail(size), x))


def _erf_single(a):
    """erf rounded to float32; the arithmetic is float64, a block at a time to stay in cache."""
    out = np.empty(a.shape, np.float32)
    elements, results = a.reshape(-1), out.reshape(-1)
    buffers = np.empty((4, min(_BLOCK, a.size)))
    top, bottom = _ERF_SINGLE
    for start in range(0, a.size, _BLOCK):
        block = elements[start : start + _BLOCK]
        x, square, p, q = buffers[:, : block.size]
        np.clip(block, -3.95, 3.95, out=x)
        np.multiply(x, x, out=square)
        p.fill(top[0])
        q.fill(bottom[0])
        for upper, lower in zip(top[1:], bottom[1:], strict=True):
            p *= square
            p += upper
            q *= square
            q += lower
        p *= x
        np.divide(p, q, out=results[start : start + _BLOCK], casting="same_kind")
    return out


def erfc(a):
    """1 - erf(a), without cancellation for large a."""

    def far(x, size):
        tail = _tail(size)
        return np.where(x > 0, tail, 2.0 - tail)

    return _by_size(a, lambda x: 1.0 - _near_erf(x), far)


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

    def far(x, size):
        tail = _scaled_erfc(size)
        return np.where(x > 0, tail, 2.0 * np.exp(x * x) - tail)

    return _by_size(a, lambda x: np.exp(x * x) * (1.0 - _near_erf(x)), far)


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
