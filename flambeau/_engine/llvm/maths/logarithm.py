"""log, log2, log10, log1p, and binary cross-entropy.

x = 2^e m with m in [sqrt(1/2), sqrt(2)), f = m - 1. float32: log(1 + f) = f - f^2 / 2 + f^3 q(f),
as in Cephes' logf (S. Moshier). float64: by s = f / (2 + f), log(1 + f) = 2 atanh(s), as in
fdlibm (K. C. Ng, 1993). The polynomials are our own (Remez).
"""

from __future__ import annotations

import llvmlite.ir as ir

from ..arithmetic import Rule, maximum
from ..types import INTEGER_OF
from ..vector import Vectors
from .exponential import FORMATS, power_of_two, sharing

# (log(1 + f) - f + f^2 / 2) / f^3, highest power first
_TAIL32 = (
    0.07023024559020996, -0.11785701662302017, 0.11821452528238297, -0.12382780760526657,
    0.14225976169109344, -0.16669511795043945, 0.20001831650733948, -0.2499997913837433,
    0.33333316445350647,
)  # fmt: skip
# (2 atanh(s) / s - 2) / s^2 in s^2
_TAIL64 = (
    0.13101929193024445, 0.13267292939032255, 0.15386295670312963, 0.18181794596822556,
    0.22222222401630362, 0.2857142857075909, 0.4000000000000095, 0.6666666666666666,
)  # fmt: skip
_LOWEST = {"float32": 2.0**-126, "float64": 2.0**-1022}  # the smallest normal number
_SQRT_HALF = {"float32": 0x3F3504F3, "float64": 0x3FE6A09E667F3BCD}  # bits
_LOG2_E, _LOG10_E = 1.4426950408889634, 0.4342944819032518
# log10(2) in two parts, the first with low zeros
_LOG10_2 = {
    "float32": (0.301025390625, 4.605038981195214e-06),
    "float64": (0.3010299955494702, 1.1451100898021838e-10),
}


def split(v: Vectors, dtype: str, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """e (an integer) and m of a normal x > 0; of other numbers anything."""
    builder, whole = v.builder, INTEGER_OF[dtype]
    bits = v.as_integer(x, dtype)
    mantissa = v.constant(whole, FORMATS[dtype].mantissa)
    e = builder.ashr(builder.sub(bits, v.constant(whole, _SQRT_HALF[dtype])), mantissa)
    return e, v.as_float(builder.sub(bits, builder.shl(e, mantissa)), dtype)


def _normal(v: Vectors, dtype: str, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """e as a float, and f, of any x > 0: smaller numbers are scaled up first."""
    builder, shift = v.builder, FORMATS[dtype].mantissa
    small = builder.fcmp_ordered("<", x, v.constant(dtype, _LOWEST[dtype]))
    raised = builder.fmul(x, v.constant(dtype, 2.0**shift))
    e, m = split(v, dtype, builder.select(small, raised, x))
    less = builder.select(small, v.constant(dtype, shift), v.constant(dtype, 0))
    e_float = builder.fsub(builder.sitofp(e, v.type(dtype)), less)
    return e_float, builder.fsub(m, v.constant(dtype, 1))


def _near_one(v: Vectors, dtype: str, f: ir.Value, e: ir.Value | None = None) -> ir.Value:
    """log(1 + f), plus e ln 2 if e is given."""
    builder = v.builder
    high, low = FORMATS[dtype].ln2
    half_square = builder.fmul(builder.fmul(f, f), v.constant(dtype, 0.5))
    if dtype == "float32":
        cube = builder.fmul(builder.fmul(f, f), f)
        tail = builder.fmul(cube, v.polynomial(f, _TAIL32, dtype))
    else:
        s = builder.fdiv(f, builder.fadd(f, v.constant(dtype, 2)))
        z = builder.fmul(s, s)
        rest = builder.fmul(z, v.polynomial(z, _TAIL64, dtype))
        tail = builder.fmul(s, builder.fadd(half_square, rest))
    if e is not None:
        tail = v.fma(e, v.constant(dtype, low), tail, dtype)
    out = builder.fadd(f, builder.fsub(tail, half_square))
    return out if e is None else v.fma(e, v.constant(dtype, high), out, dtype)


def _edges(v: Vectors, dtype: str, x: ir.Value, out: ir.Value) -> ir.Value:
    """A logarithm's values where x is not positive and finite."""
    builder, zero = v.builder, v.constant(dtype, 0)
    infinity = v.constant(dtype, float("inf"))
    out = builder.select(builder.fcmp_ordered("==", x, infinity), infinity, out)
    out = builder.select(builder.fcmp_ordered("==", x, zero), builder.fneg(infinity), out)
    wrong = builder.fcmp_unordered("<", x, zero)  # NaN too
    return builder.select(wrong, v.constant(dtype, float("nan")), out)


def _log(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    e, f = _normal(v, dtype, x)
    return _edges(v, dtype, x, _near_one(v, dtype, f, e))


def _log2(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    e, f = _normal(v, dtype, x)
    out = v.fma(_near_one(v, dtype, f), v.constant(dtype, _LOG2_E), e, dtype)
    return _edges(v, dtype, x, out)


def _log10(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    high, low = _LOG10_2[dtype]
    e, f = _normal(v, dtype, x)
    rest = v.builder.fmul(e, v.constant(dtype, low))
    out = v.fma(_near_one(v, dtype, f), v.constant(dtype, _LOG10_E), rest, dtype)
    return _edges(v, dtype, x, v.fma(e, v.constant(dtype, high), out, dtype))


def _log1p(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
    # u = 1 + x rounded, and what rounding lost is put back to f
    builder, one = v.builder, v.constant(dtype, 1)
    u = builder.fadd(x, one)
    part = builder.fsub(u, one)
    lost = builder.fadd(builder.fsub(x, part), builder.fsub(one, builder.fsub(u, part)))
    e, m = split(v, dtype, u)
    minus_e = builder.sub(v.constant(INTEGER_OF[dtype], 0), e)
    lost = builder.fmul(lost, power_of_two(v, dtype, minus_e))
    far = builder.fcmp_ordered(">", x, v.constant(dtype, 2.0 ** (FORMATS[dtype].mantissa + 2)))
    lost = builder.select(far, v.constant(dtype, 0), lost)
    f = builder.fadd(builder.fsub(m, one), lost)
    out = _near_one(v, dtype, f, builder.sitofp(e, v.type(dtype)))
    out = _edges(v, dtype, u, out)
    return builder.select(builder.fcmp_ordered("==", x, v.constant(dtype, 0)), x, out)


def _binary_cross_entropy(v: Vectors, dtype: str, a: ir.Value, target: ir.Value) -> ir.Value:
    builder, one, floor = v.builder, v.constant(dtype, 1), v.constant(dtype, -100)
    present = maximum(v, dtype, log(v, dtype, a), floor)
    absent = maximum(v, dtype, log1p(v, dtype, builder.fneg(a)), floor)
    missing = builder.fmul(builder.fsub(target, one), absent)
    return builder.fsub(missing, builder.fmul(target, present))


def is_no_probability(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """Where a is not between 0 and 1 (binary cross-entropy refuses it)."""
    negative = v.builder.fcmp_unordered("<", a, v.constant(dtype, 0))
    return v.builder.or_(negative, v.builder.fcmp_unordered(">", a, v.constant(dtype, 1)))


log, log1p = sharing("log", _log), sharing("log1p", _log1p)

RULES: dict[str, tuple[str, Rule]] = {
    "log": ("f", log),
    "log2": ("f", sharing("log2", _log2)),
    "log10": ("f", sharing("log10", _log10)),
    "log1p": ("f", log1p),
    "binary_cross_entropy": ("f", sharing("binary_cross_entropy", _binary_cross_entropy)),
}
