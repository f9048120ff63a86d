"""exp, exp2, expm1, and what follows from them: sigmoid, tanh, sinh, cosh.

exp: x = n ln 2 + r with |r| <= ln(2) / 2, ln 2 in two parts so that r is exact to the last bit
(W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980, ch. 6); e^r - 1 - r
by a minimax polynomial of our own (Remez); 2^n is put on by one instruction or in two factors,
so that results below the normal range are rounded once.
"""

from __future__ import annotations

from dataclasses import dataclass

import llvmlite.ir as ir

from ..arithmetic import Rule
from ..types import INTEGER_OF
from ..vector import Vectors
from .avx512 import inverse_estimate, scaled


@dataclass(frozen=True, slots=True)
class _Format:
    """A floating format's constants for exponentials.

    Attributes:
        mantissa, bias: bits of the mantissa; the exponent's bias.
        ln2: ln 2 in two parts; the first has enough low zeros that n * ln2[0] is exact.
        tail: (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2 as a polynomial, highest power first.
        low, high: below and above, e^x is certainly 0 and infinite.
    """

    mantissa: int
    bias: int
    ln2: tuple[float, float]
    tail: tuple[float, ...]
    low: float
    high: float

    @property
    def magic(self) -> float:
        """Adding it rounds to an integer, which then stands in the sum's low bits."""
        return 1.5 * 2.0**self.mantissa


FORMATS = {
    "float32": _Format(
        mantissa=23, bias=127, low=-104.0, high=89.0,
        ln2=(0.693359375, -2.1219444e-4),
        tail=(
            0.00019908908871002495, 0.0013934543821960688, 0.00833328440785408,
            0.04166645556688309, 0.1666666716337204, 0.5,
        ),
    ),
    "float64": _Format(
        mantissa=52, bias=1023, low=-746.0, high=710.0,
        ln2=(6.93147180369123816490e-01, 1.90821492927058770002e-10),
        tail=(
            2.092248440226055e-09, 2.5106275297121835e-08, 2.7557250238648525e-07,
            2.755725283195567e-06, 2.4801587350134605e-05, 0.00019841269876865803,
            0.0013888888888873205, 0.008333333333325544, 0.041666666666666685,
            0.1666666666666667, 0.5,
        ),
    ),
}  # fmt: skip

Whole = tuple[ir.Value, ir.Value]  # whole numbers: as integers, and as floats

_LOG2_E = 1.4426950408889634
_LN2 = 0.6931471805599453


def clamp(v: Vectors, dtype: str, x: ir.Value, low: float, high: float) -> ir.Value:
    """x within [low, high]; NaN stays."""
    builder = v.builder
    above, below = v.constant(dtype, high), v.constant(dtype, low)
    x = builder.select(builder.fcmp_ordered(">", x, above), above, x)
    return builder.select(builder.fcmp_ordered("<", x, below), below, x)


def to_integer(v: Vectors, dtype: str, x: ir.Value, factor: float) -> Whole:
    """x * factor rounded, as an integer vector of the dtype's width and as floats.

    Right for magnitudes below 2^21; NaN gives NaN and some integer.
    """
    magic = v.constant(dtype, FORMATS[dtype].magic)
    pushed = v.fma(x, v.constant(dtype, factor), magic, dtype)
    whole = v.builder.sub(v.as_integer(pushed, dtype), v.as_integer(magic, dtype))
    return whole, v.builder.fsub(pushed, magic)


def power_of_two(v: Vectors, dtype: str, n: ir.Value) -> ir.Value:
    """2^n for integers n within the normal range."""
    form, whole = FORMATS[dtype], INTEGER_OF[dtype]
    raised = v.builder.add(n, v.constant(whole, form.bias))
    return v.as_float(v.builder.shl(raised, v.constant(whole, form.mantissa)), dtype)


def scale(v: Vectors, dtype: str, y: ir.Value, n: Whole) -> ir.Value:
    """y * 2^n for any n that y near 1 needs: overflows and underflows as it should."""
    if v.host.masks:
        return scaled(v, dtype, y, n[1])
    half = v.builder.ashr(n[0], v.constant(INTEGER_OF[dtype], 1))
    y = v.builder.fmul(y, power_of_two(v, dtype, half))
    return v.builder.fmul(y, power_of_two(v, dtype, v.builder.sub(n[0], half)))


def _reduced(v: Vectors, dtype: str, x: ir.Value) -> tuple[Whole, ir.Value]:
    """n and r: x = n ln 2 + r."""
    high, low = FORMATS[dtype].ln2
    n = to_integer(v, dtype, x, _LOG2_E)
    r = v.fma(n[1], v.constant(dtype, -high), x, dtype)
    return n, v.fma(n[1], v.constant(dtype, -low), r, dtype)


def _expm1_reduced(v: Vectors, dtype: str, r: ir.Value) -> ir.Value:
    """e^r - 1 for |r| <= ln(2) / 2."""
    tail = v.polynomial(r, FORMATS[dtype].tail, dtype)
    return v.fma(v.builder.fmul(r, r), tail, r, dtype)


def _exp(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    form = FORMATS[dtype]
    n, r = _reduced(v, dtype, clamp(v, dtype, x, form.low, form.high))
    y = v.builder.fadd(_expm1_reduced(v, dtype, r), v.constant(dtype, 1))
    return scale(v, dtype, y, n)


def _exp2(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    form = FORMATS[dtype]
    x = clamp(v, dtype, x, form.low * 1.5, form.high * 1.5)
    n = to_integer(v, dtype, x, 1.0)
    r = v.builder.fmul(v.builder.fsub(x, n[1]), v.constant(dtype, _LN2))
    y = v.builder.fadd(_expm1_reduced(v, dtype, r), v.constant(dtype, 1))
    return scale(v, dtype, y, n)


def _half_expm1(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    """(e^x - 1) / 2 for x of moderate size; halved, for e^x itself may overflow."""
    # 2^(n-1) (e^r - 1) + (2^(n-1) - 1/2)
    n, r = _reduced(v, dtype, x)
    half = v.constant(dtype, 0.5)
    if v.host.masks:
        power = scaled(v, dtype, half, n[1])
    else:
        power = power_of_two(v, dtype, v.builder.sub(n[0], v.constant(INTEGER_OF[dtype], 1)))
    return v.fma(power, _expm1_reduced(v, dtype, r), v.builder.fsub(power, half), dtype)


def _expm1(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    builder, form = v.builder, FORMATS[dtype]
    out = _half_expm1(v, dtype, clamp(v, dtype, x, -form.mantissa * 1.0, form.high))
    out = builder.fadd(out, out)
    # smaller numbers would be lost in halving; and -0 stays
    tiny = builder.fcmp_ordered(
        "<", v.unary("fabs", x, dtype), v.constant(dtype, 2.0 ** -(form.mantissa + 2))
    )
    return builder.select(tiny, x, out)


def _ratio(v: Vectors, dtype: str, top: ir.Value, x: ir.Value) -> ir.Value:
    """top / (1 + x) for x >= 0, nearly rounded once: what the sum and the quotient lost is put back
    (T. J. Dekker, "A floating-point technique ...", 1971); so an estimate of 1 / (1 + x) will do.
    """
    builder = v.builder
    total = builder.fadd(v.constant(dtype, 1), x)
    lost = builder.fsub(x, builder.fsub(total, v.constant(dtype, 1)))
    if v.host.masks and dtype == "float32":
        inverse = inverse_estimate(v, total)
    else:
        inverse = builder.fdiv(v.constant(dtype, 1), total)
    minus = builder.fneg(builder.fmul(top, inverse))
    left = v.fma(minus, lost, v.fma(minus, total, top, dtype), dtype)
    return v.fma(left, inverse, builder.fneg(minus), dtype)


def _sigmoid(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    # e^x / (1 + e^x) or 1 / (1 + e^-x): by the one that does not overflow
    one = v.constant(dtype, 1)
    z = exp(v, dtype, v.builder.fneg(v.unary("fabs", x, dtype)))
    negative = v.builder.fcmp_ordered("<", x, v.constant(dtype, 0))
    return _ratio(v, dtype, v.builder.select(negative, z, one), z)


def _tanh(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    # t / (1 + t) with t = (e^2x - 1) / 2 of |x|
    builder = v.builder
    magnitude = clamp(v, dtype, v.unary("fabs", x, dtype), 0.0, FORMATS[dtype].mantissa * 1.0)
    t = _half_expm1(v, dtype, builder.fadd(magnitude, magnitude))
    return v.copysign(_ratio(v, dtype, t, t), x, dtype)


def _halved_exp(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    """e^x / 2 for x >= 0, where e^x itself may overflow."""
    form = FORMATS[dtype]
    n, r = _reduced(v, dtype, clamp(v, dtype, x, 0.0, form.high + 1))
    y = v.builder.fadd(_expm1_reduced(v, dtype, r), v.constant(dtype, 1))
    return scale(v, dtype, v.builder.fmul(y, v.constant(dtype, 0.5)), n)


def _cosh(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    half = _halved_exp(v, dtype, v.unary("fabs", x, dtype))
    return v.builder.fadd(half, v.builder.fdiv(v.constant(dtype, 0.25), half))


def _sinh(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    # t = e^|x| - 1: (t + t / (t + 1)) / 2, where e^x is far from 1 its half
    builder = v.builder
    magnitude = v.unary("fabs", x, dtype)
    t = expm1(v, dtype, magnitude)
    near = builder.fadd(t, builder.fdiv(t, builder.fadd(t, v.constant(dtype, 1))))
    near = builder.fmul(near, v.constant(dtype, 0.5))
    large = builder.fcmp_ordered(">", magnitude, v.constant(dtype, FORMATS[dtype].mantissa))
    out = builder.select(large, _halved_exp(v, dtype, magnitude), near)
    return v.copysign(out, x, dtype)


def sharing(name: str, build: Rule) -> Rule:
    """The rule as a function of the module (see `Vectors.shared`)."""

    def rule(v: Vectors, dtype: str, *values: ir.Value) -> ir.Value:
        return v.shared(f"{name}.{dtype}", lambda w, *inner: build(w, dtype, *inner), *values)

    return rule


exp, expm1 = sharing("exp", _exp), sharing("expm1", _expm1)

RULES: dict[str, tuple[str, Rule]] = {
    "exp": ("f", exp),
    "exp2": ("f", sharing("exp2", _exp2)),
    "expm1": ("f", expm1),
    "sigmoid": ("f", sharing("sigmoid", _sigmoid)),
    "tanh": ("f", sharing("tanh", _tanh)),
    "cosh": ("f", sharing("cosh", _cosh)),
    "sinh": ("f", sharing("sinh", _sinh)),
}
