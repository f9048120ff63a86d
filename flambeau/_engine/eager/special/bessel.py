"""Bessel, modified Bessel and Airy functions of order 0 and 1.

Their integral representations have smooth, periodic or doubly-exponentially decaying integrands,
on which the trapezoidal rule converges faster than any power: a few dozen nodes give full float64
precision for moderate arguments. Hankel's asymptotic series serve large ones, and power series
small ones where a logarithm enters. Sources: NIST Digital Library of Mathematical Functions,
chapters 9 and 10; A. Gil, J. Segura, N. Temme, "Computing complex Airy functions by numerical
quadrature" (2001).
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial, gamma

import numpy as np

_EULER = 0.57721566490153286
_FAR = 25.0
_NODES = 64


def _hankel_terms(order, x, count=30):
    """The terms a_k(order) / x^k of Hankel's asymptotic series."""
    term = np.ones_like(x)
    yield term
    for k in range(1, count):
        term = term * ((4 * order**2 - (2 * k - 1) ** 2) / (8 * k)) / x
        yield term


def _hankel(order, x):
    """The even and the odd part of the series, with alternating signs."""
    even, odd = np.zeros_like(x), np.zeros_like(x)
    for k, term in enumerate(_hankel_terms(order, x)):
        sign = -1.0 if k // 2 % 2 else 1.0
        if k % 2:
            odd += sign * term
        else:
            even += sign * term
    return even, odd


def _far(order, x, second):
    """J or (second) Y for large x."""
    even, odd = _hankel(order, x)
    angle = x - (0.5 * order + 0.25) * np.pi
    wave = (
        even * np.sin(angle) + odd * np.cos(angle)
        if second
        else (even * np.cos(angle) - odd * np.sin(angle))
    )
    return np.sqrt(2 / (np.pi * x)) * wave


@lru_cache(maxsize=8)
def _angles_and_weights(order, second):
    """Angles in [0, pi / 2) and weights, so that sum w cos or sin(x sin t) is the series wanted.

    J_n is the mean of cos(n t - x sin t); the sum over k of c_k J_(2k + n) that Y_n needs is then
    a mean of the same functions with other weights.
    """
    t = (np.arange(_NODES) + 0.5) * (np.pi / _NODES)
    wave = np.cos if order == 0 else np.sin
    weights = wave(order * t) if order else np.ones_like(t)
    if second:
        weights = np.zeros_like(t)
        for k in range(1, 31):
            factor = 1 / k if order == 0 else (k + 0.5) / (k * (k + 1))
            weights += (-1) ** k * factor * wave((2 * k + order) * t)
    return np.sin(t), weights / _NODES


def _mean(order, x, second=False):
    sines, weights = _angles_and_weights(order, second)
    wave = np.cos if order == 0 else np.sin
    total = np.zeros_like(x)
    for sine, weight in zip(sines, weights, strict=True):
        total += weight * wave(x * sine)
    return total


def _bessel_j(order, a):
    x = np.asarray(a, np.float64)
    size = np.abs(x)
    near = _mean(order, np.minimum(size, _FAR))
    far = _far(order, np.maximum(size, _FAR), second=False)
    value = np.where(size <= _FAR, near, far)
    return np.where(x < 0, -value, value) if order else value


def bessel_j0(a):
    """The Bessel function of the first kind J0."""
    return _bessel_j(0, a).astype(a.dtype)


def bessel_j1(a):
    """The Bessel function of the first kind J1."""
    return _bessel_j(1, a).astype(a.dtype)


def _bessel_y(order, a):
    x = np.asarray(a, np.float64)
    near = np.where((x > 0) & (x <= _FAR), x, 1.0)
    log = np.log(near / 2) + _EULER - order
    value = 2 / np.pi * (log * _mean(order, near)) - 4 / np.pi * _mean(order, near, second=True)
    if order:
        value = value - 2 / (np.pi * near) * _mean(0, near)
    far = _far(order, np.maximum(x, _FAR), second=True)
    value = np.where(x <= _FAR, value, far)
    return np.where(x == 0, -np.inf, np.where(x < 0, np.nan, value)).astype(a.dtype)


def bessel_y0(a):
    """The Bessel function of the second kind Y0."""
    return _bessel_y(0, a)


def bessel_y1(a):
    """The Bessel function of the second kind Y1."""
    return _bessel_y(1, a)


def _scaled_i(order, size):
    """exp(-x) I(x) for x >= 0: the mean of exp(x (cos t - 1)) cos(n t)."""
    near = np.minimum(size, _FAR)
    t = (np.arange(_NODES) + 0.5) * (np.pi / _NODES)
    total = np.zeros_like(near)
    for cosine, weight in zip(np.cos(t), np.cos(order * t) / _NODES, strict=True):
        total += weight * np.exp(near * (cosine - 1))
    if order:  # the mean cancels near zero, where the power series does not
        low = np.minimum(near, 1.0)
        power = sum((low * low / 4) ** k / (factorial(k) * factorial(k + 1)) for k in range(9))
        total = np.where(near < 1, low / 2 * power * np.exp(-low), total)
    far = np.maximum(size, _FAR)
    series = sum((-1) ** k * term for k, term in enumerate(_hankel_terms(order, far)))
    value = np.where(size <= _FAR, total, series / np.sqrt(2 * np.pi * far))
    return np.where(np.isinf(size), 0.0, value)


def i0e(a):
    """exp(-|a|) I0(a)."""
    return _scaled_i(0, np.abs(np.asarray(a, np.float64))).astype(a.dtype)


def i1e(a):
    """exp(-|a|) I1(a)."""
    x = np.asarray(a, np.float64)
    return (np.sign(x) * _scaled_i(1, np.abs(x))).astype(a.dtype)


def _unscaled(x, scaled):
    # two factors: exp(x) alone overflows before the product does
    half = np.exp(np.abs(x) / 2)
    return half * scaled * half


def i0(a):
    """The modified Bessel function of the first kind I0."""
    x = np.asarray(a, np.float64)
    return _unscaled(x, _scaled_i(0, np.abs(x))).astype(a.dtype)


def i1(a):
    """The modified Bessel function of the first kind I1."""
    x = np.asarray(a, np.float64)
    scaled = np.sign(x) * _scaled_i(1, np.abs(x))
    return _unscaled(x, scaled).astype(a.dtype)


def _k_integral(order, x):
    """exp(x) K(x) for x >= 1: the integral of exp(-x (cosh t - 1)) cosh(order t) over t >= 0."""
    step = 2 * np.arcsinh(np.sqrt(20 / x)) / 48
    total = 0.5 * np.ones_like(x)
    for k in range(1, 49):
        t = k * step
        total += np.exp(-2 * x * np.sinh(t / 2) ** 2) * np.cosh(order * t)
    return step * total


def _k_series(order, x):
    """K0 or K1 for small x, where the logarithm rules."""
    quarter = x * x / 4
    log = np.log(x / 2)
    total = np.zeros_like(x)
    power, harmonic = np.ones_like(x), 0.0
    for k in range(18):
        if order == 0:
            total += power / factorial(k) ** 2 * (harmonic - _EULER - log)
            harmonic += 1 / (k + 1)
        else:
            digammas = 2 * (harmonic - _EULER) + 1 / (k + 1)
            total += power / (factorial(k) * factorial(k + 1)) * (log - digammas / 2)
            harmonic += 1 / (k + 1)
        power = power * quarter
    return total if order == 0 else 1 / x + x / 2 * total


def _bessel_k(order, a, scaled):
    x = np.asarray(a, np.float64)
    small = np.where((x > 0) & (x < 1), x, 1.0)
    large = np.maximum(x, 1.0)
    low = _k_series(order, small) * (np.exp(small) if scaled else 1.0)
    high = _k_integral(order, large) * (1.0 if scaled else np.exp(-large))
    value = np.where(x < 1, low, np.where(np.isinf(x), 0.0, high))
    return np.where(x == 0, np.inf, np.where(x < 0, np.nan, value)).astype(a.dtype)


def modified_bessel_k0(a):
    """The modified Bessel function of the second kind K0."""
    return _bessel_k(0, a, scaled=False)


def modified_bessel_k1(a):
    """The modified Bessel function of the second kind K1."""
    return _bessel_k(1, a, scaled=False)


def scaled_modified_bessel_k0(a):
    """exp(a) K0(a)."""
    return _bessel_k(0, a, scaled=True)


def scaled_modified_bessel_k1(a):
    """exp(a) K1(a)."""
    return _bessel_k(1, a, scaled=True)


def spherical_bessel_j0(a):
    """sin(a) / a, 1 at zero and 0 at infinity."""
    x = np.asarray(a, np.float64)
    value = np.sinc(np.where(np.isinf(x), 1.0, x) / np.pi)
    return np.where(np.isinf(x), 0.0, value).astype(a.dtype)


@lru_cache(maxsize=1)
def _laguerre_rule():
    """Nodes and weights for the integral of u^(-1/6) exp(-u) f(u), by Golub and Welsch."""
    count, alpha = 40, -1 / 6
    k = np.arange(count)
    off = np.sqrt(k[1:] * (k[1:] + alpha))
    nodes, vectors = np.linalg.eigh(np.diag(2 * k + 1 + alpha) + np.diag(off, 1) + np.diag(off, -1))
    return nodes, vectors[0] ** 2


def _airy_integral(z):
    """Ai(z), |z| >= 1, |arg z| <= pi / 3, by Gauss-Laguerre quadrature of K_1/3."""
    zeta = 2 / 3 * z**1.5
    nodes, weights = _laguerre_rule()
    total = sum(w * (2 + u / zeta) ** (-1 / 6) for u, w in zip(nodes, weights, strict=True))
    return np.exp(-zeta) * total / (z**0.25 * (2 ** (5 / 6) * np.sqrt(np.pi)))


def _airy_series(x):
    """Ai(x) for small |x|, by its power series."""
    cube = x**3
    first, second = np.ones_like(x), x.copy()
    one, two = np.ones_like(x), x.copy()
    for k in range(1, 40):
        one = one * cube / ((3 * k - 1) * (3 * k))
        two = two * cube / ((3 * k) * (3 * k + 1))
        first, second = first + one, second + two
    return first / (3 ** (2 / 3) * gamma(2 / 3)) - second / (3 ** (1 / 3) * gamma(1 / 3))


def airy_ai(a):
    """The Airy function Ai."""
    x = np.asarray(a, np.float64)
    series = _airy_series(np.clip(x, -4.0, 1.5))
    right = _airy_integral(np.maximum(x, 1.5))
    turn = np.exp(1j * np.pi / 3)
    left = 2 * (turn * _airy_integral(np.maximum(-x, 4.0) * turn)).real
    return np.where(x < -4, left, np.where(x > 1.5, right, series)).astype(a.dtype)
