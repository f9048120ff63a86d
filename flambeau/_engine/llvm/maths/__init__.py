"""Vector maths: transcendental functions as polynomials on vectors, in float32 and float64."""

from __future__ import annotations

from ..arithmetic import Rule
from . import error_function, exponential, logarithm, power, trigonometric

# name: (families of dtypes with code, rule(v, dtype, *values))
RULES: dict[str, tuple[str, Rule]] = (
    exponential.RULES | logarithm.RULES | trigonometric.RULES | error_function.RULES | power.RULES
)

# About how many vector instructions an operation takes, where it is more than one.
COSTS: dict[str, int] = dict.fromkeys(RULES, 24) | {
    "div": 4, "sqrt": 4, "rsqrt": 8, "reciprocal": 4, "maximum": 3, "minimum": 3,
    "floor_divide": 60, "remainder": 60, "fmod": 60,
}  # fmt: skip
