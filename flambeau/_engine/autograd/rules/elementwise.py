"""Gradients of elementwise primitives. Broadcast dimensions are summed back by the engine.

Complex gradients follow PyTorch: the conjugate of the derivative multiplies `g`.
"""

from __future__ import annotations

from math import log
from typing import Any

from ..table import gradient, joint_gradient, no_gradient
from .shared import P, conj, zeros_like

gradient("neg", lambda g: -g)
gradient("abs", lambda g, a: g * P.sign(a))
gradient("complex_abs", lambda g, a: P.mul(P.convert(g, dtype=a._array.dtype), _unit(a)))
gradient("exp", lambda g, out: g * conj(out))
gradient("expm1", lambda g, out: g * (conj(out) + 1))
gradient("exp2", lambda g, out: g * conj(out) * log(2))
gradient("log", lambda g, a: g / conj(a))
gradient("log1p", lambda g, a: g / (conj(a) + 1))
gradient("log2", lambda g, a: g / (conj(a) * log(2)))
gradient("log10", lambda g, a: g / (conj(a) * log(10)))
gradient("sqrt", lambda g, out: g / (conj(out) * 2))
gradient("rsqrt", lambda g, out: g * conj(out * out * out) * -0.5)
gradient("reciprocal", lambda g, out: -g * conj(out * out))
gradient("square", lambda g, a: g * (conj(a) * 2))
gradient("sin", lambda g, a: g * conj(P.cos(a)))
gradient("cos", lambda g, a: -g * conj(P.sin(a)))
gradient("tan", lambda g, out: g * conj(out * out + 1))
gradient("asin", lambda g, a: g * conj(P.rsqrt(1 - a * a)))
gradient("acos", lambda g, a: -g * conj(P.rsqrt(1 - a * a)))
gradient("atan", lambda g, a: g / conj(a * a + 1))
gradient("sinh", lambda g, a: g * conj(P.cosh(a)))
gradient("cosh", lambda g, a: g * conj(P.sinh(a)))
gradient("tanh", lambda g, out: g * conj(1 - out * out))
gradient("asinh", lambda g, a: g * conj(P.rsqrt(a * a + 1)))
gradient("acosh", lambda g, a: g * conj(P.rsqrt(a - 1) * P.rsqrt(a + 1)))
gradient("atanh", lambda g, a: g / conj(1 - a * a))
gradient("sigmoid", lambda g, out: g * conj((1 - out) * out))
# where the input is NaN the gradient passes, as in PyTorch
gradient("relu", lambda g, out: P.where(P.le(out, 0), 0, g))
gradient("conj", lambda g: P.conj(g))
gradient("convert", lambda g: g)
gradient("real_part", lambda g: P.make_complex(g, zeros_like(g)))
gradient("imag_part", lambda g: P.make_complex(zeros_like(g), g))
gradient("make_complex", lambda g: P.real_part(g), lambda g: P.imag_part(g))
gradient("angle", lambda g, a: _angle(g, a))
for _name in ("sign", "ceil", "floor", "trunc", "rint"):
    gradient(_name, lambda g: zeros_like(g))
gradient("round_decimals", lambda g: zeros_like(g))

gradient("add", lambda g: g, lambda g: g)
gradient("sub", lambda g: g, lambda g: -g)
gradient("mul", lambda g, b: g * conj(b), lambda g, a: g * conj(a))
gradient("div", lambda g, b: g / conj(b), lambda g, a, b: -g * conj(a / b / b))
gradient(
    "pow", lambda g, a, b: _pow_base(g, a, b), lambda g, a, b, out: _pow_exponent(g, a, b, out)
)
gradient(
    "atan2",
    lambda g, a, b: g * b * _per_square(a, b),
    lambda g, a, b: -g * a * _per_square(a, b),
)
gradient("hypot", lambda g, a, out: g * (a / out), lambda g, b, out: g * (b / out))
gradient("copysign", lambda g, a, b, out: _copysign(g, a, out), lambda g: zeros_like(g))
gradient("nextafter", lambda g: g, lambda g: zeros_like(g))
gradient("fmod", lambda g: g, lambda g, a, b: -g * P.trunc(a / b))
gradient("remainder", lambda g: g, lambda g, a, b: -g * P.floor(a / b))
gradient("floor_divide", lambda g: zeros_like(g), lambda g: zeros_like(g))


def _per_square(a: Any, b: Any) -> Any:
    """1 / (a^2 + b^2), and 0 where that is infinite."""
    found = P.reciprocal(a * a + b * b)
    return P.where(P.isinf(found), 0.0, found)


def _extreme(loses: str) -> Any:
    """Gradient rules of max/min of two: the loser gets nothing, a tie is shared equally."""

    def share(g: Any, mine: Any, other: Any) -> Any:
        tie = P.eq(mine, other)
        return P.where(tie, g * 0.5, P.where(getattr(P, loses)(mine, other), 0, g))

    return lambda g, a, b: share(g, a, b), lambda g, a, b: share(g, b, a)


def _extreme_of_numbers(first: str) -> Any:
    """Gradient rules of fmax/fmin: the first operand wins ties, NaN loses."""

    def wins(a: Any, b: Any) -> Any:
        return P.logical_or(getattr(P, first)(a, b), P.isnan(b))

    return (
        lambda g, a, b: P.where(wins(a, b), g, 0),
        lambda g, a, b: P.where(wins(a, b), 0, g),
    )


def _number(x: Any) -> bool:
    return isinstance(x, (int, float, complex))


def _unit(a: Any) -> Any:
    """a / |a|, zero at zero."""
    size = P.convert(P.complex_abs(a), dtype=a._array.dtype)
    return P.where(P.eq(size, 0), 0, a / size)


def _angle(g: Any, a: Any) -> Any:
    if a._array.dtype.kind != "c":
        return zeros_like(g)
    re, im = P.real_part(a), P.imag_part(a)
    size = re * re + im * im
    scale = P.where(P.eq(size, 0), 0, g / size)
    return P.make_complex(-scale * im, scale * re)


def _pow_base(g: Any, a: Any, b: Any) -> Any:
    if _number(b):
        if b == 0:
            return zeros_like(g)
        return g * conj(P.pow(a, b - 1) * b)
    slope = b * P.pow(a, b - 1)
    return g * conj(P.where(P.eq(b, 0), 0, slope))


def _pow_exponent(g: Any, a: Any, b: Any, out: Any) -> Any:
    if _number(a):
        # 0 ** b is flat for b >= 0
        return g * conj(out * log(a)) if a > 0 else _pow_exponent_at_zero(g, a, b, out)
    slope = out * P.log(a)
    if a._array.dtype.kind == "c":
        return g * conj(P.where(P.eq(a, 0), 0, slope))
    return g * P.where(P.logical_and(P.eq(a, 0), P.ge(b, 0)), 0, slope)


def _pow_exponent_at_zero(g: Any, a: float, b: Any, out: Any) -> Any:
    return P.where(P.ge(b, 0), 0 * g, g * float("nan")) if a == 0 else g * float("nan")


def _copysign(g: Any, a: Any, out: Any) -> Any:
    if _number(a):
        return None
    return P.where(P.eq(a, 0), 0, g * (out / a))


gradient("maximum", *_extreme("lt"))
gradient("minimum", *_extreme("gt"))
gradient("fmax", *_extreme_of_numbers("ge"))
gradient("fmin", *_extreme_of_numbers("le"))
gradient(
    "where",
    None,
    lambda g, condition: P.where(condition, g, 0),
    lambda g, condition: P.where(condition, 0, g),
)
joint_gradient(
    "frexp", lambda gs, outs: (gs[0] * P.exp2(-P.convert(outs[1], dtype=gs[0]._array.dtype)),)
)
no_gradient(
    "gcd", "lcm", "isnan", "isinf", "isfinite", "logical_not", "signbit", "bitwise_not",
    "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "eq", "ne", "lt",
    "le", "gt", "ge", "logical_and", "logical_or", "logical_xor",
)  # fmt: skip
