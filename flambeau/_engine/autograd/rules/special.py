"""Gradients of special functions; those that PyTorch does not differentiate have none."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

from ...prims.special import POLYNOMIALS
from ..table import gradient, no_gradient
from .shared import P

gradient("erf", lambda g, a: g * P.exp(-(a * a)) * (2 / sqrt(pi)))
gradient("erfc", lambda g, a: g * P.exp(-(a * a)) * (-2 / sqrt(pi)))
gradient("erfinv", lambda g, out: g * P.exp(out * out) * (sqrt(pi) / 2))
gradient("erfcx", lambda g, a, out: g * (2 * a * out - 2 / sqrt(pi)))
gradient("ndtr", lambda g, a: g * P.exp(a * a * -0.5) * (1 / sqrt(2 * pi)))
gradient("log_ndtr", lambda g, a: g / P.erfcx(a * -sqrt(0.5)) * sqrt(2 / pi))
gradient("ndtri", lambda g, out: g * P.exp(out * out * 0.5) * sqrt(2 * pi))
gradient("lgamma", lambda g, a: g * P.digamma(a))
gradient("digamma", lambda g, a: g * P.polygamma(a, order=1))
gradient("polygamma", lambda g, a, order: g * P.polygamma(a, order=order + 1))
gradient("entr", lambda g, a: -g * (P.log(a) + 1))
gradient("i0", lambda g, a: g * P.i1(a))
gradient("i0e", lambda g, a, out: g * (P.i1e(a) - P.sign(a) * out))
gradient("i1", lambda g, a, out: g * _i1_slope(a, P.i0(a), out))
gradient("i1e", lambda g, a, out: g * (_i1_slope(a, P.i0e(a), out) - P.sign(a) * out))


def _i1_slope(a: Any, zeroth: Any, first: Any) -> Any:
    """I0 - I1 / a, which is 1/2 at zero."""
    zero = P.eq(a, 0)
    return P.where(zero, 0.5, zeroth - first / P.where(zero, 1, a))


def _unknown(name: str) -> Any:
    def rule(g: Any) -> Any:
        raise NotImplementedError(f"the derivative for '{name}: input' is not implemented.")

    return rule


def _density(g: Any, a: Any, b: Any) -> Any:
    """The gamma density at b, the slope of igamma in b."""
    return g * P.exp((a - 1) * P.log(b) - b - P.lgamma(a))


gradient("igamma", _unknown("igamma"), _density)
gradient("igammac", _unknown("igammac"), lambda g, a, b: -_density(g, a, b))
gradient("zeta", _unknown("zeta"), lambda g, a, b: g * -a * P.zeta(a + 1, b))
no_gradient(
    "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_k0",
    "modified_bessel_k1", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
    "spherical_bessel_j0", "airy_ai", *POLYNOMIALS.split(),
)  # fmt: skip
