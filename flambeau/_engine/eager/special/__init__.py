"""Rules for special functions, in NumPy alone; computed in float64 whatever the dtype."""

from __future__ import annotations

import numpy as np

from ..table import rule, rules
from . import bessel, error_function, gamma, polynomials

_ERROR_FUNCTION = "erf erfc erfinv erfcx ndtr log_ndtr ndtri"
_GAMMA = "lgamma digamma zeta igamma igammac"
_BESSEL = (
    "bessel_j0 bessel_j1 bessel_y0 bessel_y1 i0 i0e i1 i1e modified_bessel_k0 "
    "modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1 "
    "spherical_bessel_j0 airy_ai"
)

for _module, _names in ((error_function, _ERROR_FUNCTION), (gamma, _GAMMA), (bessel, _BESSEL)):
    rules(**{name: getattr(_module, name) for name in _names.split()})

rules(
    hermite_polynomial_h=polynomials.hermite_h,
    hermite_polynomial_he=polynomials.hermite_he,
    laguerre_polynomial_l=polynomials.laguerre_l,
    legendre_polynomial_p=polynomials.legendre_p,
)
for _kind in "tuvw":
    rules(
        **{
            f"chebyshev_polynomial_{_kind}": polynomials.chebyshev(_kind),
            f"shifted_chebyshev_polynomial_{_kind}": polynomials.chebyshev(_kind, shifted=True),
        }
    )


@rule("polygamma")
def _polygamma(a, *, order):
    return gamma.polygamma(order, a)


@rule("entr")
def _entr(a):
    value = -a * np.log(np.where(a > 0, a, a.dtype.type(1)))
    return np.where(a < 0, a.dtype.type(-np.inf), value)
