"""pow: of floats by logarithm and exponential, of integers by squaring."""

from __future__ import annotations

import llvmlite.ir as ir

from ..arithmetic import Rule, floating, integer_pow
from ..vector import Vectors
from .exponential import exp
from .logarithm import log


def _pow32(v: Vectors, x: ir.Value, y: ir.Value) -> ir.Value:
    # |x|^y in float64, whose logarithm is 2^29 times finer than the result; then C99's cases
    builder, one = v.builder, v.constant("float32", 1)
    magnitude = v.unary("fabs", x, "float32")
    wide = [builder.fpext(value, v.type("float64")) for value in (magnitude, y)]
    exponent = builder.fmul(wide[1], log(v, "float64", wide[0]))
    out = builder.fptrunc(exp(v, "float64", exponent), v.type("float32"))
    infinite = builder.fcmp_ordered(
        "==", v.unary("fabs", y, "float32"), v.constant("float32", float("inf"))
    )
    unit = builder.fcmp_ordered("==", magnitude, one)
    out = builder.select(builder.and_(unit, infinite), one, out)
    out = _signed(v, x, y, out)
    certain = builder.or_(
        builder.fcmp_ordered("==", x, one),
        builder.fcmp_ordered("==", y, v.constant("float32", 0)),
    )
    return builder.select(certain, one, out)


def _signed(v: Vectors, x: ir.Value, y: ir.Value, out: ir.Value) -> ir.Value:
    """|x|^y with the sign that a negative x gives: NaN where y is no integer."""
    builder, dtype = v.builder, "float32"
    bits = v.as_integer(x, dtype)
    minus = builder.icmp_signed("<", bits, v.constant("int32", 0))  # -0 too
    whole = builder.fcmp_ordered("==", v.unary("trunc", y, dtype), y)
    half = builder.fmul(y, v.constant(dtype, 0.5))
    odd = builder.and_(whole, builder.fcmp_unordered("!=", v.unary("trunc", half, dtype), half))
    out = builder.select(builder.and_(minus, odd), builder.fneg(out), out)
    finite = builder.fcmp_ordered(">", x, v.constant(dtype, float("-inf")))
    below = builder.and_(finite, builder.fcmp_ordered("<", x, v.constant(dtype, 0)))
    wrong = builder.and_(below, builder.not_(whole))
    return builder.select(wrong, v.constant(dtype, float("nan")), out)


def power(v: Vectors, dtype: str, x: ir.Value, y: ir.Value) -> ir.Value:
    """x to the power y, as C99 (floats) and the eager rule (integers) have it."""
    if not floating(dtype):
        return integer_pow(v, dtype, x, y)
    if dtype == "float32":
        return v.shared("pow.float32", _pow32, x, y)
    return v.shared("pow.float64", lambda w, a, b: w.library("pow", dtype, a, b), x, y)


def constant_power(v: Vectors, dtype: str, x: ir.Value, exponent: float) -> ir.Value | None:
    """x to one of the small powers that products give as exactly (2) or nearly so; else None."""
    if not floating(dtype) or exponent not in (-1, 1, 2, 3, 4):
        return None
    if exponent == -1:
        return v.builder.fdiv(v.constant(dtype, 1), x)
    if exponent == 1:
        return x
    square = v.builder.fmul(x, x)
    if exponent == 2:
        return square
    return v.builder.fmul(square, x if exponent == 3 else square)


RULES: dict[str, tuple[str, Rule]] = {"pow": ("fiu", power)}
