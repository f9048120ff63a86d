"""Special functions that NumPy lacks, in NumPy alone.

Sources: erf/erfc by W. J. Cody, "Rational Chebyshev approximation for the error function" (1969);
erfinv by M. Giles, "Approximating the erfinv function" (2010) with two Newton steps; lgamma by
Lanczos' approximation (g = 7, n = 9) with reflection; digamma by the asymptotic series after
recurrence; polygamma by recurrence and the Hurwitz zeta's Euler-Maclaurin sum.
"""

from __future__ import annotations

from math import factorial

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


def _erfc_positive(x):
    """erfc for x >= 0.46875, by Cody's middle and outer ranges."""
    middle = _ratio(_ERFC_MIDDLE, np.minimum(x, 4.0))
    inverse = 1.0 / np.maximum(x, 4.0) ** 2
    outer = (_ONE_OVER_SQRT_PI - inverse * _ratio(_ERFC_LARGE, inverse)) / np.maximum(x, 4.0)
    return np.exp(-x * x) * np.where(x <= 4.0, middle, outer)


def _erf_pair(a):
    x = np.asarray(a, np.float64)
    size = np.abs(x)
    small = x * _ratio(_ERF_SMALL, np.minimum(size, 0.46875) ** 2)
    tail = _erfc_positive(np.maximum(size, 0.46875))
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
_GILES_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


def erfinv(a):
    """The y with erf(y) = a; +-inf at +-1, NaN outside [-1, 1]."""
    x = np.asarray(a, np.float64)
    inside = np.clip(x, -1 + 2**-53, 1 - 2**-53)
    w = -np.log1p(-inside * inside)
    central = np.polyval(_GILES_CENTRAL, np.minimum(w, 5.0) - 2.5)
    tail = np.polyval(_GILES_TAIL, np.sqrt(np.maximum(w, 5.0)) - 3.0)
    y = np.where(w < 5.0, central, tail) * inside
    for _ in range(2):  # Halley-free Newton: the start is good to 1e-7
        tail_gap = np.sign(y) * (1 - np.abs(inside) - erfc(np.abs(y)))
        gap = np.where(np.abs(y) < 0.5, erf(y) - inside, tail_gap)
        y = y - gap * (np.sqrt(np.pi) / 2) * np.exp(y * y)
    y = np.where(np.abs(x) == 1, np.copysign(np.inf, x), y)
    return np.where(np.abs(x) > 1, np.nan, np.where(np.isnan(x), np.nan, y)).astype(a.dtype)


_LANCZOS = (
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
    1.5056327351493116e-7,
)  # fmt: skip


def lgamma(a):
    """log |Gamma(a)|; inf at zero and the negative integers."""
    x = np.asarray(a, np.float64)
    reflect = x < 0.5
    z = np.where(reflect, 1 - x, x) - 1
    series = _LANCZOS[0] + sum(c / (z + i) for i, c in enumerate(_LANCZOS[1:], 1))
    t = z + 7.5
    direct = 0.5 * np.log(2 * np.pi) + (z + 0.5) * np.log(t) - t + np.log(series)
    direct = np.where(np.isinf(z), np.inf, direct)
    fraction = np.abs(x - np.rint(x))
    reflected = np.log(np.pi / np.abs(np.sin(np.pi * fraction))) - direct
    out = np.where(reflect, np.where(fraction == 0, np.inf, reflected), direct)
    return np.where(np.isnan(x), np.nan, np.where((x == 1) | (x == 2), 0.0, out)).astype(a.dtype)


def digamma(a):
    """The derivative of lgamma; -inf at +0, NaN at the negative integers."""
    x = np.asarray(a, np.float64)
    reflect = x < 0
    z = np.where(reflect, 1 - x, x)
    total = np.zeros_like(z)
    for _ in range(10):
        low = z < 10
        total -= np.where(low, 1 / np.where(low, z, 1), 0)
        z = np.where(low, z + 1, z)
    u = 1 / (z * z)
    terms = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
    series = sum(c * u**k for k, c in enumerate(terms, 1))
    value = total + np.log(z) - 0.5 / z - series
    value = np.where(reflect, value - np.pi / np.tan(np.pi * (x - np.rint(x))), value)
    value = np.where(x == 0, np.copysign(np.inf, -x), value)
    return np.where((x < 0) & (x == np.floor(x)), np.nan, value).astype(a.dtype)


def zeta(s, q):
    """The Hurwitz zeta function sum over k >= 0 of (k + q)^-s, for s > 1 and q > 0."""
    q = np.asarray(q, np.float64)
    count = 10
    total = sum((q + k) ** -s for k in range(count))
    end = q + count
    total = total + end ** (1 - s) / (s - 1) + 0.5 * end**-s
    # Euler-Maclaurin: Bernoulli numbers over even factorials
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
    rising = s
    for k, b in enumerate(bernoulli, 1):
        total = total + b / factorial(2 * k) * rising * end ** (-s - 2 * k + 1)
        rising = rising * (s + 2 * k - 1) * (s + 2 * k)
    return total


def polygamma(order, a):
    """The order-th derivative of digamma."""
    if order == 0:
        return digamma(a)
    x = np.asarray(a, np.float64)
    sign = -1.0 if order % 2 == 0 else 1.0
    value = sign * factorial(order) * zeta(order + 1.0, np.where(x > 0, x, 1.0))
    if order == 1:  # reflection: the trigamma of 1 - x
        mirror = (np.pi / np.sin(np.pi * x)) ** 2 - factorial(1) * zeta(2.0, 1 - np.minimum(x, 0))
        value = np.where(x > 0, value, mirror)
    else:
        value = np.where(x > 0, value, np.nan)
    return value.astype(a.dtype)
