"""sin, cos, tan, asin, acos, atan of float32; of float64, the C library's.

Arguments are reduced by multiples of pi / 2 in float64, with pi / 2 in two parts (Cody and Waite,
1980), which is exact enough up to 2^28 (2^20 without fused multiplication); vectors with a larger
argument go to the C library.
The polynomials are our own (Remez), in the square of the argument, highest power first.
"""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.ir as ir

from ..arithmetic import Rule, any_lane
from ..vector import Vectors
from .exponential import to_integer

_PI_2 = (1.57079632673412561417, 6.07710050650619224932e-11)
_SIN = (2.724938894971274e-06, -0.00019840082677546889, 0.008333331905305386, -0.1666666716337204)
_COS = (-2.7300504257254943e-07, 2.480059629306197e-05, -0.00138888880610466, 0.0416666679084301)
_ASIN = (
    0.03393123298883438, 0.01700003631412983, 0.031133046373724937, 0.044596537947654724,
    0.07500103116035461, 0.1666666567325592,
)  # fmt: skip
_ATAN = (
    0.001565751270391047, -0.009492920711636543, 0.026961343362927437, -0.04962804540991783,
    0.07071522623300552, -0.08945650607347488, 0.11090976744890213, -0.14284271001815796,
    0.19999960064888, -0.3333333432674408,
)  # fmt: skip
_HALF_PI = (1.5707963705062866, -4.371139000186241e-08)  # in float32 and what that lacks
_F = "float32"


def _quadrant(v: Vectors, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Which multiple of pi / 2 (int32) is nearest, and sine and cosine of what is left."""
    builder = v.builder
    wide = builder.fpext(x, v.type("float64"))
    whole, times = to_integer(v, "float64", wide, 2 / 3.141592653589793)
    left = v.fma(times, v.constant("float64", -_PI_2[0]), wide, "float64")
    left = v.fma(times, v.constant("float64", -_PI_2[1]), left, "float64")
    r = builder.fptrunc(left, v.type(_F))
    z = builder.fmul(r, r)
    sine = v.fma(builder.fmul(z, v.polynomial(z, _SIN, _F)), r, r, _F)  # -0 stays
    tail = v.fma(z, v.polynomial(z, _COS, _F), v.constant(_F, -0.5), _F)
    cosine = v.fma(z, tail, v.constant(_F, 1), _F)
    return builder.trunc(whole, v.type("int32")), sine, cosine


def _bit(v: Vectors, whole: ir.Value, bit: int) -> ir.Value:
    found = v.builder.and_(whole, v.constant("int32", bit))
    return v.builder.icmp_unsigned("!=", found, v.constant("int32", 0))


def _sine(v: Vectors, x: ir.Value, shift: int) -> ir.Value:
    """The sine of x + shift pi / 2."""
    builder = v.builder
    whole, sine, cosine = _quadrant(v, x)
    whole = builder.add(whole, v.constant("int32", shift))
    out = builder.select(_bit(v, whole, 1), cosine, sine)
    return builder.select(_bit(v, whole, 2), builder.fneg(out), out)


def _tangent(v: Vectors, x: ir.Value) -> ir.Value:
    builder = v.builder
    whole, sine, cosine = _quadrant(v, x)
    turned = _bit(v, whole, 1)
    top = builder.select(turned, builder.fneg(cosine), sine)
    return builder.fdiv(top, builder.select(turned, sine, cosine))


def _periodic(name: str, build: Callable[[Vectors, ir.Value], ir.Value]) -> Rule:
    """`build` for float32 where no argument is large, the library's function else."""

    def whole(v: Vectors, x: ir.Value) -> ir.Value:
        builder = v.builder
        limit = v.constant(_F, 2.0 ** (28 if v.host.fma else 20))
        far = builder.fcmp_ordered(">", v.unary("fabs", x, _F), limit)
        slow, fast, done = (builder.append_basic_block(n) for n in ("slow", "fast", "done"))
        builder.cbranch(any_lane(v, far), slow, fast)
        builder.position_at_end(slow)
        from_library = v.library(name, _F, x)
        builder.branch(done)
        builder.position_at_end(fast)
        own = build(v, x)
        builder.branch(done)
        builder.position_at_end(done)
        out = builder.phi(x.type)
        out.add_incoming(from_library, slow)
        out.add_incoming(own, fast)
        return out

    def rule(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
        if dtype == _F:
            return v.shared(f"{name}.{_F}", whole, x)
        return v.shared(f"{name}.{dtype}", lambda w, y: w.library(name, dtype, y), x)

    return rule


def _arcsine_parts(v: Vectors, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Of |x|: whether it is above 1/2, and asin(|x|) or, there, asin(sqrt((1 - |x|) / 2))."""
    builder, half = v.builder, v.constant(_F, 0.5)
    magnitude = v.unary("fabs", x, _F)
    above = builder.fcmp_ordered(">", magnitude, half)
    less = v.fma(magnitude, v.constant(_F, -0.5), half, _F)
    z = builder.select(above, less, builder.fmul(magnitude, magnitude))
    s = builder.select(above, v.unary("sqrt", less, _F), magnitude)
    return above, v.fma(builder.fmul(s, z), v.polynomial(z, _ASIN, _F), s, _F), magnitude


def _asin(v: Vectors, x: ir.Value) -> ir.Value:
    above, found, _ = _arcsine_parts(v, x)
    # (pi / 4 - found) is exact where it is small
    half = v.builder.fsub(v.constant(_F, _HALF_PI[0] / 2), found)
    half = v.builder.fadd(half, v.constant(_F, _HALF_PI[1] / 2))
    turned = v.builder.fadd(half, half)
    return v.copysign(v.builder.select(above, turned, found), x, _F)


def _acos(v: Vectors, x: ir.Value) -> ir.Value:
    builder = v.builder
    above, found, magnitude = _arcsine_parts(v, x)
    twice = builder.fadd(found, found)
    negative = builder.fcmp_ordered("<", x, v.constant(_F, 0))
    pi = v.constant(_F, 2 * _HALF_PI[0])
    large = builder.select(negative, builder.fsub(pi, twice), twice)
    low = builder.fsub(v.constant(_F, _HALF_PI[1]), v.copysign(found, x, _F))
    small = builder.fadd(v.constant(_F, _HALF_PI[0]), low)
    return builder.select(above, large, small)


def _atan(v: Vectors, x: ir.Value) -> ir.Value:
    builder, one = v.builder, v.constant(_F, 1)
    magnitude = v.unary("fabs", x, _F)
    above = builder.fcmp_ordered(">", magnitude, one)
    s = builder.select(above, builder.fdiv(one, magnitude), magnitude)
    z = builder.fmul(s, s)
    found = v.fma(builder.fmul(s, z), v.polynomial(z, _ATAN, _F), s, _F)
    low = builder.fsub(v.constant(_F, _HALF_PI[1]), found)
    turned = builder.fadd(v.constant(_F, _HALF_PI[0]), low)
    return v.copysign(builder.select(above, turned, found), x, _F)


def single(name: str, build: Callable[[Vectors, ir.Value], ir.Value]) -> Rule:
    """`build` for float32, the C library's function `name` for float64."""

    def rule(v: Vectors, dtype: str, x: ir.Value) -> ir.Value:
        if dtype == _F:
            return v.shared(f"{name}.{_F}", build, x)
        return v.shared(f"{name}.{dtype}", lambda w, y: w.library(name, dtype, y), x)

    return rule


RULES: dict[str, tuple[str, Rule]] = {
    "sin": ("f", _periodic("sin", lambda v, x: _sine(v, x, 0))),
    "cos": ("f", _periodic("cos", lambda v, x: _sine(v, x, 1))),
    "tan": ("f", _periodic("tan", _tangent)),
    "asin": ("f", single("asin", _asin)),
    "acos": ("f", single("acos", _acos)),
    "atan": ("f", single("atan", _atan)),
}
