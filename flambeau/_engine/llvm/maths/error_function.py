"""erf, and what the C library alone has code for: erfc, hyperbolic inverses ...

erf of float32: below 1 a polynomial in the square; above, 1 - e^q with a polynomial q for
log(erfc), whose error erfc itself makes small. Both are our own (Remez).
"""

from __future__ import annotations

import llvmlite.ir as ir

from ..arithmetic import Rule
from ..vector import Vectors
from .exponential import clamp, exp, sharing
from .logarithm import log
from .trigonometric import single

_F = "float32"
# erf(x) / x - 1 in x^2 on [0, 1]
_SMALL = (
    7.889122935011983e-05, -0.0008020842215046287, 0.005189535673707724, -0.026854444295167923,
    0.11283600330352783, -0.3761262595653534, 0.12837916612625122,
)  # fmt: skip
# log(erfc(x)) on [1, 4]
_LARGE = (
    -2.1686741092707962e-05, 0.00044133502524346113, -0.004204554948955774, 0.025208236649632454,
    -0.1084185466170311, -0.6332198977470398, -1.1295783519744873, 0.00018803616694640368,
)  # fmt: skip


def _erf(v: Vectors, x: ir.Value) -> ir.Value:
    builder, one = v.builder, v.constant(_F, 1)
    magnitude = v.unary("fabs", x, _F)
    z = builder.fmul(x, x)
    near = v.fma(v.polynomial(z, _SMALL, _F), x, x, _F)
    logarithm = v.polynomial(clamp(v, _F, magnitude, 1.0, 4.0), _LARGE, _F)
    far = v.copysign(builder.fsub(one, exp(v, _F, logarithm)), x, _F)
    return builder.select(builder.fcmp_ordered(">", magnitude, one), far, near)


def _entr(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    # -x log(x); 0 of 0, minus infinity below
    builder, zero = v.builder, v.constant(dtype, 0)
    out = builder.fneg(builder.fmul(x, log(v, dtype, x)))
    out = builder.select(builder.fcmp_ordered("==", x, zero), zero, out)
    negative = builder.fcmp_ordered("<", x, zero)
    return builder.select(negative, v.constant(dtype, float("-inf")), out)


def library(name: str) -> Rule:
    """The C library's function `name`, called lane by lane."""

    def rule(v: Vectors, dtype: str, *values: ir.Value) -> ir.Value:
        def build(w: Vectors, *inner: ir.Value) -> ir.Value:
            return w.library(name, dtype, *inner)

        return v.shared(f"{name}.{dtype}", build, *values)

    return rule


RULES: dict[str, tuple[str, Rule]] = {
    "erf": ("f", single("erf", _erf)),
    "entr": ("f", sharing("entr", _entr)),
    "erfc": ("f", library("erfc")),
    "asinh": ("f", library("asinh")),
    "acosh": ("f", library("acosh")),
    "atanh": ("f", library("atanh")),
    "atan2": ("f", library("atan2")),
    "hypot": ("f", library("hypot")),
}
