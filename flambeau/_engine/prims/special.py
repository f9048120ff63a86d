"""Special functions: elementwise, of real floating operands."""

from __future__ import annotations

from .elementwise import same
from .primitive import declare

_UNARY = (
    "erf erfc erfinv erfcx ndtr log_ndtr ndtri lgamma digamma bessel_j0 bessel_j1 bessel_y0 "
    "bessel_y1 i0 i0e i1 i1e modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 "
    "scaled_modified_bessel_k1 spherical_bessel_j0 airy_ai entr"
)
# polynomials in a, of degree b; zeta: the sum over k of (k + b)^-a; igamma: P(a, b)
POLYNOMIALS = (
    "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w "
    "shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u "
    "shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w hermite_polynomial_h "
    "hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p"
)

for _name in _UNARY.split():
    declare(_name, "a", shape=same, elementwise=True)
for _name in ("zeta", "igamma", "igammac", *POLYNOMIALS.split()):
    declare(_name, "a b", shape=same, elementwise=True)
declare("polygamma", "a", "order", shape=same, elementwise=True)
