"""Vector maths: transcendental functions as polynomials on vectors, in float32 and float64."""

from __future__ import annotations

from ..arithmetic import Rule
from . import exponential, logarithm

# name: (families of dtypes with code, rule(v, dtype, *values))
RULES: dict[str, tuple[str, Rule]] = {**exponential.RULES, **logarithm.RULES}
