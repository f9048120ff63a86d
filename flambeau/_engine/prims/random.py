"""Random numbers. `generator` is a GeneratorState: a hidden input, and it is written.

The rows without operands give row-major tensors; "sample" rows draw one number for each element
of their operands.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .primitive import Aval, declare


def _drawn(*, shape: tuple[int, ...], dtype: np.dtype, **_: Any) -> Aval:
    return Aval(shape, dtype)


def _sampled(a: Aval, *_: Any, **__: Any) -> Aval:
    return a


def _normal(*_: Any, shape: tuple[int, ...], dtype: np.dtype, **__: Any) -> Aval:
    return Aval(shape, dtype)


def _multinomial(p: Aval, *, num_samples: int, **_: Any) -> Aval:
    return Aval((*p.shape[:-1], num_samples), np.dtype(np.int64))


def _permutation(*, count: int, dtype: np.dtype, **_: Any) -> Aval:
    return Aval((count,), dtype)


for _name, _params in (
    ("random_uniform", "low high"),
    ("random_normal", "mean std serial"),
    ("random_integers", "low high"),  # low None: the dtype's own range; high None: 2^63
    ("random_bernoulli", "p"),
    ("random_exponential", "rate"),
    ("random_geometric", "p"),
    ("random_log_normal", "mean std"),
    ("random_cauchy", "median sigma"),
    ("dropout_mask", "keep scale"),  # `scale` with probability `keep`, else 0
):
    declare(_name, "", f"shape dtype {_params} generator", shape=_drawn)

declare("sample_normal", "mean std", "shape dtype generator", shape=_normal)
declare("random_permutation", "", "count dtype generator", shape=_permutation)
declare("sample_bernoulli", "p", "generator", shape=_sampled)
declare("sample_poisson", "rate", "generator", shape=_sampled)
declare("sample_gamma", "alpha", "generator", shape=_sampled)
declare("gamma_slope", "alpha sample", shape=_sampled)  # d sample / d alpha
declare("sample_dirichlet", "alpha", "generator", shape=_sampled)
declare("sample_binomial", "count prob", "generator", shape=_sampled)
declare("rrelu_slopes", "a", "lower upper generator", shape=_sampled)
declare("multinomial", "p", "num_samples replacement generator", shape=_multinomial)
