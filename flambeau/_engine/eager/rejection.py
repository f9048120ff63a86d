"""Samplers that draw until a number is accepted: gamma, Poisson, binomial, Dirichlet.

How many words one number takes depends on the numbers themselves, so these run one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .mt19937 import GeneratorState

_THIRD = np.float32(1.0) / np.float32(3.0)  # PyTorch rounds this constant to float32


def each(sample: Callable[..., float], *arguments: np.ndarray) -> np.ndarray:
    """`sample` called on each element, in float64, in C order."""
    lists = [a.reshape(-1).tolist() for a in arguments]
    count = arguments[0].size
    out = np.fromiter(map(sample, *lists), np.float64, count)
    return out.reshape(arguments[0].shape)


def gamma(state: GeneratorState, alpha: np.ndarray) -> np.ndarray:
    """Gamma(alpha, 1) numbers in float64, after Marsaglia and Tsang (2000).

    A squeezed rejection from d * (1 + c * normal)^3 with d = alpha - 1/3, c = 1 / sqrt(9 d);
    alpha below 1 is drawn at alpha + 1 and scaled by u^(1 / alpha). What depends on alpha alone
    is computed in alpha's own precision.
    """
    one = alpha.dtype.type(1)
    raised = np.where(alpha < one, alpha + one, alpha)
    inverse = np.where(alpha < one, one / np.where(alpha > 0, alpha, one), 0)
    centre = raised - alpha.dtype.type(_THIRD)

    def sample(a: float, d: float, power: float) -> float:
        if a == 0.0:
            return 0.0
        scale = (1.0 - state.uniform()) ** power if a < 1.0 else 1.0
        return scale * _marsaglia_tsang(state, d)

    return each(sample, alpha, centre, inverse)


def _marsaglia_tsang(state: GeneratorState, d: float) -> float:
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = state.normal()
        y = 1.0 + c * x
        if y <= 0.0:
            continue
        v = y * y * y
        u = 1.0 - state.uniform()
        square = x * x
        if u < 1.0 - 0.0331 * square * square:
            return d * v
        if math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return d * v


def standard_gamma(state: GeneratorState, alpha: np.ndarray) -> np.ndarray:
    """Gamma(alpha, 1) numbers of alpha's dtype, at least the smallest normal number."""
    return np.maximum(gamma(state, alpha).astype(alpha.dtype), np.finfo(alpha.dtype).tiny)


def dirichlet(state: GeneratorState, alpha: np.ndarray) -> np.ndarray:
    """Dirichlet numbers: gamma numbers divided by their sum over the last dimension."""
    parts = gamma(state, alpha.astype(np.float64))
    shares = (parts / parts.sum(axis=-1, keepdims=True)).astype(alpha.dtype)
    return np.maximum(shares, np.finfo(alpha.dtype).tiny)


def poisson(state: GeneratorState, rate: np.ndarray) -> np.ndarray:
    """Poisson numbers of rate's dtype."""

    def sample(mean: float) -> float:
        if mean >= 10.0:
            return _poisson_rejection(state, mean)
        return _poisson_product(state, mean) if mean > 0.0 else 0.0

    return each(sample, rate).astype(rate.dtype)


def _poisson_product(state: GeneratorState, mean: float) -> float:
    """Knuth: count how many uniforms can be multiplied before exp(-mean) is reached."""
    limit = math.exp(-mean)
    count, product = 0, state.uniform()
    while product > limit:
        count += 1
        product *= state.uniform()
    return float(count)


def _poisson_rejection(state: GeneratorState, mean: float) -> float:
    """Hoermann (1993), transformed rejection with squeeze (PTRS)."""
    log_mean = math.log(mean)
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = math.log(1.1239 + 1.1328 / (b - 3.4))
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = state.uniform() - 0.5
        v = state.uniform()
        distance = 0.5 - abs(u)
        k = math.floor((2.0 * a / distance + b) * u + mean + 0.43)
        if distance >= 0.07 and v <= squeeze:
            return float(k)
        if k < 0 or (distance < 0.013 and v > distance) or v == 0.0:
            continue
        left = math.log(v) + log_inverse_alpha - math.log(a / (distance * distance) + b)
        if left <= -mean + k * log_mean - math.lgamma(k + 1.0):
            return float(k)


def binomial(state: GeneratorState, count: np.ndarray, prob: np.ndarray) -> np.ndarray:
    """Binomial numbers of count's dtype; both operands share a dtype."""
    number = count.dtype.type

    def sample(n: float, p: float) -> float:
        if n <= 0.0 or p <= 0.0:
            return 0.0
        if p >= 1.0:
            return n
        if p > 0.5:  # count the failures
            return n - draw(n, float(number(1) - number(p)))
        return draw(n, p)

    def draw(n: float, p: float) -> float:
        if float(number(n) * number(p)) >= 10.0:
            return _binomial_rejection(state, n, p, number)
        return _binomial_waiting(state, n, p)

    return each(sample, count, prob).astype(count.dtype)


def _binomial_waiting(state: GeneratorState, n: float, p: float) -> float:
    """Count the geometric waiting times that fit into n trials."""
    log_failure = math.log1p(-p)
    successes, trials = -1, 0.0
    while trials <= n:
        u = state.uniform()
        trials += math.ceil(math.log(u) / log_failure) if u > 0.0 else math.inf
        successes += 1
    return float(successes)


def _binomial_rejection(
    state: GeneratorState, n: float, p: float, number: Callable[[float], float]
) -> float:
    """Hoermann (1993), transformed rejection with squeeze (BTRS).

    The set-up is rounded to the tensor's dtype (`number`), as PyTorch does.
    """
    deviation = float(number(math.sqrt(n * p * (1.0 - p))))
    b = float(number(1.15 + 2.53 * deviation))
    a = float(number(-0.0873 + 0.0248 * b + 0.01 * p))
    c = float(number(n * p + 0.5))
    squeeze = float(number(0.92 - 4.2 / b))
    odds = float(number(p / (1.0 - p)))
    alpha = float(number((2.83 + 5.1 / b) * deviation))
    mode = float(number(math.floor((n + 1.0) * p)))
    while True:
        u = state.uniform() - 0.5
        v = state.uniform()
        distance = 0.5 - abs(u)
        k = math.floor((2.0 * a / distance + b) * u + c)
        if distance >= 0.07 and v <= squeeze:
            return float(k)
        if k < 0 or k > n or v == 0.0:
            continue
        bound = (
            (mode + 0.5) * math.log((mode + 1.0) / (odds * (n - mode + 1.0)))
            + (n + 1.0) * math.log((n - mode + 1.0) / (n - k + 1.0))
            + (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
            + _stirling_tail(mode)
            + _stirling_tail(n - mode)
            - _stirling_tail(k)
            - _stirling_tail(n - k)
        )
        if math.log(v * alpha / (a / (distance * distance) + b)) <= bound:
            return float(k)


def _stirling_tail(k: float) -> float:
    """What Stirling's series adds to log(k!): the tail of the expansion about k + 1."""
    if k < 10:
        exact = math.lgamma(k + 1.0)
        return exact - ((k + 0.5) * math.log(k + 1.0) - (k + 1.0) + 0.5 * math.log(2 * math.pi))
    square = (k + 1.0) ** 2
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1.0)
