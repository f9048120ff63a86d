"""The gamma function's family: logarithm, derivatives, incomplete integrals, Hurwitz zeta.

Sources: lgamma by Lanczos' approximation (g = 7, n = 9) with reflection; digamma by the
asymptotic series after recurrence; zeta by the Euler-Maclaurin sum; the incomplete gamma function
by its power series and Lentz' continued fraction, and for large `a` by Gauss-Legendre quadrature
of the density (Press et al., "Numerical Recipes", 6.2).
"""

from __future__ import annotations

from math import factorial

import numpy as np

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


_EVEN_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def zeta(a, b):
    """The Hurwitz zeta function: the sum over k >= 0 of (k + b)^-a, for a > 1."""
    kind = (a if isinstance(a, np.ndarray) else b).dtype
    s, q = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    usual = (s > 1) & ((q > 0) | (s == np.floor(s)))
    exponent = np.where(usual, s, 2.0)
    end = np.where(usual, q, 1.0)
    total = np.zeros_like(end)
    count = 10 + int(np.ceil(-end.min(initial=0.0, where=np.isfinite(end))))
    for _ in range(min(count, 10_000)):
        total += end**-exponent
        end = end + 1.0
    total = total + end ** (1 - exponent) / (exponent - 1) + 0.5 * end**-exponent
    rising = exponent
    for k, b_k in enumerate(_EVEN_BERNOULLI, 1):
        total = total + b_k / factorial(2 * k) * rising * end ** (-exponent - 2 * k + 1)
        rising = rising * (exponent + 2 * k - 1) * (exponent + 2 * k)
    pole = (s == 1) | ((s > 1) & (q <= 0) & (q == np.floor(q)))
    value = np.where(usual, total, np.nan)
    value = np.where(np.isposinf(s) & (q > 1), 0.0, np.where(pole, np.inf, value))
    return value.astype(kind)


def polygamma(order, a):
    """The order-th derivative of digamma."""
    if order == 0:
        return digamma(a)
    x = np.asarray(a, np.float64)
    sign = -1.0 if order % 2 == 0 else 1.0
    value = sign * factorial(order) * zeta(np.float64(order + 1), np.where(x > 0, x, 1.0))
    if order == 1:  # reflection: the trigamma of 1 - x
        mirror = (np.pi / np.sin(np.pi * x)) ** 2 - zeta(np.float64(2), 1 - np.minimum(x, 0))
        value = np.where(x > 0, value, mirror)
    else:
        below = sign * factorial(order) * zeta(np.float64(order + 1), np.minimum(x, 0))
        value = np.where(x > 0, value, below)
    return value.astype(a.dtype)


def _series(a, x):
    """P(a, x) = x^a e^-x / Gamma(a + 1) * (1 + x / (a + 1) + ...), for x < a + 1."""
    term = np.ones_like(x)
    total = np.ones_like(x)
    for k in range(1, 2000):
        term = term * (x / (a + k))
        total += term
        if (term <= total * 1e-17).all():
            break
    return np.exp(a * np.log(x) - x - lgamma(a + 1)) * total


def _continued_fraction(a, x):
    """Q(a, x) for x > a + 1, by Lentz' method."""
    tiny = 1e-300
    b = x + 1 - a
    c = np.full_like(x, 1 / tiny)
    d = 1 / b
    h = d
    for k in range(1, 2000):
        scale = -k * (k - a)
        b = b + 2
        d = 1 / np.where(d == 0, tiny, scale * d + b)
        c = b + scale / c
        step = c * d
        h = h * step
        if (np.abs(step - 1) <= 1e-16).all():
            break
    return np.exp(a * np.log(x) - x - lgamma(a)) * h


_LARGE = 100.0


def _by_quadrature(a, x):
    """P and Q for large a: the density integrated from x to where it is negligible."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    peak = a - 1
    width = np.sqrt(peak)
    upper = x > peak
    far = np.maximum(peak + 12 * width, x + 8 * width)
    end = np.where(upper, far, np.maximum(0.0, np.minimum(peak - 9 * width, x - 6 * width)))
    total = np.zeros_like(x)
    for node, weight in zip(nodes, weights, strict=True):
        u = ((x + (end - x) * (0.5 + 0.5 * node)) - peak) / peak
        total += weight * np.exp(peak * (np.log1p(u) - u))
    # Stirling's series of Gamma(a) = peak!, in which the peak's own height cancels
    stirling = 1 / (12 * peak) - 1 / (360 * peak**3)
    part = 0.5 * np.abs(end - x) * total * np.exp(-stirling) / np.sqrt(2 * np.pi * peak)
    return np.where(upper, 1 - part, part), np.where(upper, part, 1 - part)


def _incomplete(a, b):
    """P(a, b) and Q(a, b) = 1 - P in float64, and the dtype to return."""
    kind = (a if isinstance(a, np.ndarray) else b).dtype
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    usual = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    low, high = np.full(a.shape, np.nan), np.full(a.shape, np.nan)
    large = usual & (a > _LARGE)
    series = usual & ~large & (x < a + 1)
    fraction = usual & ~large & ~series
    low[series] = _series(a[series], x[series])
    high[series] = 1 - low[series]
    high[fraction] = _continued_fraction(a[fraction], x[fraction])
    low[fraction] = 1 - high[fraction]
    low[large], high[large] = _by_quadrature(a[large], x[large])
    everything = (a == 0) & (x > 0) | np.isposinf(x) & (a >= 0) & np.isfinite(a)
    nothing = (x == 0) & (a > 0) | np.isposinf(a) & (x >= 0) & np.isfinite(x)
    for out, one, zero in ((low, everything, nothing), (high, nothing, everything)):
        out[one] = 1.0
        out[zero] = 0.0
    return low, high, kind


def igamma(a, b):
    """The regularised lower incomplete gamma function P(a, b)."""
    low, _, kind = _incomplete(a, b)
    return low.astype(kind)


def igammac(a, b):
    """The regularised upper incomplete gamma function Q(a, b)."""
    _, high, kind = _incomplete(a, b)
    return high.astype(kind)
