"""Gradient rules for random primitives: a number drawn passes no gradient on to what shaped it."""

from __future__ import annotations

from typing import Any

from ..table import gradient, no_gradient
from .shared import P, filled, zeros_like

# PyTorch keeps these on the tape, with a gradient of zero
gradient("sample_bernoulli", lambda g: zeros_like(g))
gradient("sample_poisson", lambda g: zeros_like(g))
gradient("sample_binomial", lambda g: zeros_like(g), lambda g: zeros_like(g))
gradient(
    "sample_normal",
    lambda g, mean_shape: filled(g, mean_shape, 0),
    lambda g, std_shape: filled(g, std_shape, 0),
)


gradient("sample_gamma", lambda g, out, alpha: g * P.gamma_slope(alpha, out))


def _unknown(g: Any) -> Any:
    raise NotImplementedError(
        "flambeau does not differentiate dirichlet samples, nor gamma samples twice, with "
        "respect to their concentration; detach it, or sample under no_grad()"
    )


gradient("sample_dirichlet", _unknown)
gradient("gamma_slope", _unknown, _unknown)

no_gradient(
    "random_uniform", "random_normal", "random_integers", "random_bernoulli",
    "random_exponential", "random_geometric", "random_log_normal", "random_cauchy",
    "random_permutation", "dropout_mask", "rrelu_slopes", "multinomial",
)  # fmt: skip
