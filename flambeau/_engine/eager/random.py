"""NumPy rules for random primitives: flat draws put into shape."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from . import distributions, rejection
from .gamma_slope import gamma_slope
from .table import rule, rules


def _shaped(draw: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The rule that draws as many numbers as `shape` holds."""

    def run(*, shape: tuple[int, ...], dtype: np.dtype, generator: Any, **how: Any) -> np.ndarray:
        return draw(generator, prod(shape), dtype, **how).reshape(shape)

    return run


def _integers(generator: Any, count: int, dtype: np.dtype, low: Any, high: Any) -> np.ndarray:
    if low is None:
        return distributions.any_integers(generator, count, dtype)
    return distributions.integers(generator, count, dtype, low, high)


def _bernoulli(generator: Any, count: int, dtype: np.dtype, p: float) -> np.ndarray:
    return distributions.bernoulli_mask(generator, count, p).astype(dtype)


def _dropout_mask(
    generator: Any, count: int, dtype: np.dtype, keep: float, scale: float
) -> np.ndarray:
    return distributions.bernoulli_mask(generator, count, keep) * dtype.type(scale)


rules(
    random_uniform=_shaped(distributions.uniform),
    random_normal=_shaped(distributions.normal),
    random_integers=_shaped(_integers),
    random_bernoulli=_shaped(_bernoulli),
    random_exponential=_shaped(distributions.exponential),
    random_geometric=_shaped(distributions.geometric),
    random_log_normal=_shaped(distributions.log_normal),
    random_cauchy=_shaped(distributions.cauchy),
    dropout_mask=_shaped(_dropout_mask),
    random_permutation=lambda *, count, dtype, generator: distributions.permutation(
        generator, count, dtype
    ),
    sample_gamma=lambda alpha, *, generator: rejection.standard_gamma(generator, alpha),
    gamma_slope=gamma_slope,
    sample_dirichlet=lambda alpha, *, generator: rejection.dirichlet(generator, alpha),
    sample_binomial=lambda count, prob, *, generator: rejection.binomial(generator, count, prob),
)


@rule("sample_poisson")
def _sample_poisson(rate, *, generator):
    if not (rate >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return rejection.poisson(generator, rate)


@rule("sample_bernoulli")
def _sample_bernoulli(p, *, generator):
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError(
            "bernoulli: Expected p_in >= 0 && p_in <= 1 to be true, but got false: every "
            "probability has to lie in [0, 1]"
        )
    kept = distributions.bernoulli(generator, p.reshape(-1))
    return kept.reshape(p.shape).astype(p.dtype)


@rule("sample_normal")
def _sample_normal(mean, std, *, shape, dtype, generator):
    """Normal numbers around `mean` (arrays broadcast); std and mean are applied one by one."""
    one_scale = not isinstance(std, np.ndarray)
    if not one_scale and (std < 0).any():
        raise RuntimeError("normal expects all elements of std >= 0.0")
    scale = float(std) if one_scale else 1.0
    drawn = distributions.normal(generator, prod(shape), dtype, 0.0, scale).reshape(shape)
    if not one_scale:
        drawn = drawn * std
    return (drawn + mean).astype(dtype, copy=False)


@rule("rrelu_slopes")
def _rrelu_slopes(a, *, lower, upper, generator):
    """A slope from [lower, upper) where a <= 0, else 1; numbers are drawn where needed only."""
    slopes = np.ones(a.shape, a.dtype)
    negative = a <= 0
    if generator is None:  # one slope for all
        slopes[negative] = lower
        return slopes
    draws = generator.uniforms(int(np.count_nonzero(negative)))
    slopes[negative] = draws * (upper - lower) + lower
    return slopes


@rule("multinomial")
def _multinomial(p, *, num_samples, replacement, generator):
    rows = p if p.ndim == 2 else p[None]
    if rows.size and not (np.isfinite(rows.astype(np.float64)).all() and (rows >= 0).all()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if rows.size and (rows.sum(axis=1, dtype=np.float64) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    drawn = distributions.multinomial(generator, rows, num_samples, replacement)
    return drawn.reshape(*p.shape[:-1], num_samples)
