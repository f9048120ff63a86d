"""Elementwise primitives without transcendental functions: arithmetic, comparisons, bits.

Each rule is `rule(v, dtype, *values)`: `dtype` is the operands', values are vectors. Semantics
are those of the eager NumPy rules, to the sign of zero and the case of division by zero.
"""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.ir as ir

from .types import INTEGER_OF, KINDS
from .vector import Vectors

Rule = Callable[..., ir.Value]


def floating(dtype: str) -> bool:
    """Whether arithmetic on the dtype is floating."""
    return KINDS[dtype].family == "f"


def compare(v: Vectors, dtype: str, sign: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """a `sign` b as IEEE 754 has it: NaN is unequal to all."""
    family = KINDS[dtype].family
    if family == "f":
        ask = v.builder.fcmp_unordered if sign == "!=" else v.builder.fcmp_ordered
    else:
        ask = v.builder.icmp_signed if family == "i" else v.builder.icmp_unsigned
    return ask(sign, a, b)


def truth(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """a != 0; NaN is true."""
    return a if dtype == "bool" else compare(v, dtype, "!=", a, v.constant(dtype, 0))


def _by_family(floats: str, integers: str, bools: str = "") -> Rule:
    def rule(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
        name = {"f": floats, "b": bools}.get(KINDS[dtype].family, integers)
        return getattr(v.builder, name)(a, b)

    return rule


add = _by_family("fadd", "add", "or_")
sub = _by_family("fsub", "sub")
mul = _by_family("fmul", "mul", "and_")


def _comparison(sign: str) -> Rule:
    return lambda v, dtype, a, b: compare(v, dtype, sign, a, b)


def _logical(name: str) -> Rule:
    return lambda v, dtype, a, b: getattr(v.builder, name)(truth(v, dtype, a), truth(v, dtype, b))


def _bitwise(name: str) -> Rule:
    return lambda v, dtype, a, b: getattr(v.builder, name)(a, b)


def _rounding(name: str) -> Rule:
    return lambda v, dtype, a: v.unary(name, a, dtype) if floating(dtype) else a


def neg(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """-a; integers wrap."""
    return v.builder.fneg(a) if floating(dtype) else v.builder.sub(v.constant(dtype, 0), a)


def absolute(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """|a|; the most negative integer stays."""
    if floating(dtype):
        return v.unary("fabs", a, dtype)
    if KINDS[dtype].family != "i":
        return a
    return v.builder.select(compare(v, dtype, "<", a, v.constant(dtype, 0)), neg(v, dtype, a), a)


def sign(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """-1, 0 or 1; 0 of NaN."""
    zero = v.constant(dtype, 0)
    positive = compare(v, dtype, ">", a, zero)
    out = v.builder.select(positive, v.constant(dtype, 1), zero)
    if KINDS[dtype].family in "bu":
        return out
    return v.builder.select(compare(v, dtype, "<", a, zero), v.constant(dtype, -1), out)


def square(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """a * a."""
    return mul(v, dtype, a, a)


def reciprocal(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """1 / a."""
    return v.builder.fdiv(v.constant(dtype, 1), a)


def rsqrt(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """1 / sqrt(a), both rounded."""
    return reciprocal(v, dtype, v.unary("sqrt", a, dtype))


def relu(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """The larger of a and 0; NaN stays."""
    if KINDS[dtype].family in "bu":
        return a
    zero = v.constant(dtype, 0)
    if not floating(dtype):
        return v.builder.select(compare(v, dtype, ">", a, zero), a, zero)
    # one instruction on x86: the second operand where they are equal or a NaN is there
    return v.builder.select(v.builder.fcmp_ordered("<", a, zero), zero, a)


def _extreme(sign: str, ignore_nan: bool) -> Rule:
    def rule(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
        first = v.builder.select(compare(v, dtype, sign, a, b), a, b)
        if not floating(dtype):
            return first
        if ignore_nan:  # `first` is b where one is NaN
            return v.builder.select(v.is_nan(b), a, first)
        return v.builder.select(v.is_nan(a), a, first)

    return rule


maximum, minimum = _extreme(">", False), _extreme("<", False)


def copysign(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """|a| with b's sign."""
    return v.copysign(a, b, dtype)


def signbit(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """Whether the sign is minus, of zeros and NaN too."""
    whole = INTEGER_OF.get(dtype, dtype)
    bits = v.as_integer(a, dtype) if floating(dtype) else a
    if KINDS[dtype].family in "bu":
        return v.constant("bool", False)
    return v.builder.icmp_signed("<", bits, v.constant(whole, 0))


def isnan(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """Whether a is NaN."""
    return v.is_nan(a) if floating(dtype) else v.constant("bool", False)


def isinf(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """Whether a is infinite."""
    if not floating(dtype):
        return v.constant("bool", False)
    magnitude = v.unary("fabs", a, dtype)
    return v.builder.fcmp_ordered("==", magnitude, v.constant(dtype, float("inf")))


def isfinite(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """Whether a is neither infinite nor NaN."""
    if not floating(dtype):
        return v.constant("bool", True)
    magnitude = v.unary("fabs", a, dtype)
    return v.builder.fcmp_ordered("<", magnitude, v.constant(dtype, float("inf")))


def where(v: Vectors, dtype: str, condition: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """a where the condition (bool) holds, b elsewhere."""
    return v.builder.select(condition, a, b)


# -- division ----------------------------------------------------------------------------------


def quotient(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """Integers: a / b rounded to zero; 0 where b is; the most negative by -1 wraps."""
    builder, one, zero = v.builder, v.constant(dtype, 1), v.constant(dtype, 0)
    none = builder.icmp_unsigned("==", b, zero)
    if KINDS[dtype].family == "u":
        found = builder.udiv(a, builder.select(none, one, b))
        return builder.select(none, zero, found)
    minus = builder.icmp_signed("==", b, v.constant(dtype, -1))
    found = builder.sdiv(a, builder.select(builder.or_(none, minus), one, b))
    return builder.select(none, zero, builder.select(minus, neg(v, dtype, a), found))


def fmod(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """a - b * (a / b rounded to zero), exact; of integers 0 where b is 0."""
    if floating(dtype):
        return v.builder.frem(a, b)
    left = v.builder.sub(a, v.builder.mul(quotient(v, dtype, a, b), b))
    none = v.builder.icmp_unsigned("==", b, v.constant(dtype, 0))
    return v.builder.select(none, v.constant(dtype, 0), left)


def _signs_differ(v: Vectors, dtype: str, left: ir.Value, b: ir.Value) -> ir.Value:
    """Whether a remainder rounded to zero is not 0 and has the other sign than b."""
    zero = v.constant(dtype, 0)
    unequal = v.builder.xor(compare(v, dtype, "<", left, zero), compare(v, dtype, "<", b, zero))
    return v.builder.and_(unequal, compare(v, dtype, "!=", left, zero))


def remainder(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """The remainder with b's sign."""
    left = fmod(v, dtype, a, b)
    if KINDS[dtype].family == "u":
        return left
    builder = v.builder
    turned = builder.select(_signs_differ(v, dtype, left, b), add(v, dtype, left, b), left)
    if not floating(dtype):
        return turned
    zero = v.constant(dtype, 0)
    exact = builder.and_(
        builder.fcmp_ordered("==", left, zero), builder.fcmp_unordered("!=", b, zero)
    )
    return builder.select(exact, v.copysign(zero, b, dtype), turned)


def floor_divide(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """a / b rounded down: as Python's, by way of the remainder; integers 0 where b is 0."""
    builder = v.builder
    if KINDS[dtype].family == "u":
        return quotient(v, dtype, a, b)
    if not floating(dtype):
        found = quotient(v, dtype, a, b)
        lower = _signs_differ(v, dtype, fmod(v, dtype, a, b), b)
        return builder.sub(found, builder.zext(lower, v.type(dtype)))
    zero, one = v.constant(dtype, 0), v.constant(dtype, 1)
    left = fmod(v, dtype, a, b)
    ratio = builder.fdiv(a, b)
    found = builder.fdiv(builder.fsub(a, left), b)
    lower = _signs_differ(v, dtype, left, b)
    found = builder.select(lower, builder.fsub(found, one), found)
    down = v.unary("floor", found, dtype)
    far = builder.fcmp_ordered(">", builder.fsub(found, down), v.constant(dtype, 0.5))
    down = builder.select(far, builder.fadd(down, one), down)
    none = builder.fcmp_ordered("==", found, zero)
    down = builder.select(none, v.copysign(zero, ratio, dtype), down)
    return builder.select(builder.fcmp_ordered("==", b, zero), ratio, down)


# -- bits and integers -------------------------------------------------------------------------


def bitwise_not(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """Every bit turned; of bool the opposite."""
    return v.builder.xor(a, v.constant(dtype, True if dtype == "bool" else -1))


def _shift(name: str) -> Rule:
    def rule(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
        builder, bits = v.builder, KINDS[dtype].bits
        inside = builder.icmp_unsigned("<", b, v.constant(dtype, bits))
        safe = builder.select(inside, b, v.constant(dtype, 0))
        rest: ir.Value = v.constant(dtype, 0)
        if name == "ashr":
            rest = builder.ashr(a, v.constant(dtype, bits - 1))
        return builder.select(inside, getattr(builder, name)(a, safe), rest)

    return rule


left_shift = _shift("shl")
_arithmetic_shift, _logical_shift = _shift("ashr"), _shift("lshr")


def right_shift(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """a >> b; by too many bits all of them are shifted out."""
    rule = _arithmetic_shift if KINDS[dtype].family == "i" else _logical_shift
    return rule(v, dtype, a, b)


def integer_pow(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """a to the power b, wrapping; 1 / a rounded to zero to negative powers.

    By squaring, bit by bit of the exponent, for as long as an exponent has bits left.
    """
    return v.shared(f"pow.{dtype}", lambda w, x, y: _power_loop(w, dtype, x, y), a, b)


def _power_loop(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    builder, one, zero = v.builder, v.constant(dtype, 1), v.constant(dtype, 0)
    entry = builder.block
    loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    out, base, left = (builder.phi(a.type) for _ in range(3))
    odd = builder.icmp_unsigned("!=", builder.and_(left, one), zero)
    new_out = builder.select(odd, builder.mul(out, base), out)
    new_base, new_left = builder.mul(base, base), builder.lshr(left, one)
    for phi, start, following in (
        (out, one, new_out), (base, a, new_base), (left, b, new_left),
    ):  # fmt: skip
        phi.add_incoming(start, entry)
        phi.add_incoming(following, loop)
    builder.cbranch(any_lane(v, builder.icmp_unsigned("!=", new_left, zero)), loop, done)
    builder.position_at_end(done)
    if KINDS[dtype].family == "u":
        return new_out
    unit = builder.icmp_unsigned("==", absolute(v, dtype, a), one)
    odd = builder.icmp_unsigned("!=", builder.and_(b, one), zero)
    negative = builder.select(unit, builder.select(odd, a, one), zero)
    return builder.select(builder.icmp_signed("<", b, zero), negative, new_out)


def any_lane(v: Vectors, condition: ir.Value) -> ir.Value:
    """Whether a condition holds in any lane: an i1."""
    name = f"llvm.vector.reduce.or.v{v.lanes}i1"
    return v.intrinsic(name, ir.IntType(1), condition)


def nextafter(v: Vectors, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """The number after a on the way to b."""
    builder, whole = v.builder, INTEGER_OF[dtype]
    zero = v.constant(dtype, 0)
    bits = v.as_integer(a, dtype)
    grows = builder.xor(builder.fcmp_ordered("<", a, b), builder.fcmp_ordered("<", a, zero))
    step = builder.select(grows, v.constant(whole, 1), v.constant(whole, -1))
    moved = v.as_float(builder.add(bits, step), dtype)
    smallest = v.copysign(v.bits(dtype, 1), b, dtype)
    moved = builder.select(builder.fcmp_ordered("==", a, zero), smallest, moved)
    out = builder.select(builder.fcmp_ordered("==", a, b), b, moved)
    return builder.select(builder.fcmp_unordered("uno", a, b), builder.fadd(a, b), out)


def angle(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """Of real numbers: pi with a minus sign, 0 without; NaN stays."""
    pi = v.constant(dtype, 3.141592653589793)
    out = v.builder.select(signbit(v, dtype, a), pi, v.constant(dtype, 0))
    return v.builder.select(v.is_nan(a), a, out)


def round_decimals(v: Vectors, dtype: str, a: ir.Value, decimals: int) -> ir.Value:
    """a rounded to a multiple of 10^-decimals, ties to even."""
    power = v.constant(dtype, 10.0 ** abs(decimals))
    up, down = v.builder.fmul, v.builder.fdiv
    if decimals < 0:
        up, down = down, up
    return down(v.unary("rint", up(a, power), dtype), power)


def identity(v: Vectors, dtype: str, a: ir.Value) -> ir.Value:
    """a."""
    return a


# name: (families of dtypes it has code for, rule)
RULES: dict[str, tuple[str, Rule]] = {
    "neg": ("fi u", neg),
    "abs": ("fiub", absolute),
    "sign": ("fiu", sign),
    "ceil": ("fiub", _rounding("ceil")),
    "floor": ("fiub", _rounding("floor")),
    "trunc": ("fiub", _rounding("trunc")),
    "rint": ("f", _rounding("rint")),
    "sqrt": ("f", _rounding("sqrt")),
    "rsqrt": ("f", rsqrt),
    "reciprocal": ("f", reciprocal),
    "square": ("fiu", square),
    "relu": ("fiub", relu),
    "conj": ("fiu", identity),
    "bitwise_not": ("iub", bitwise_not),
    "isnan": ("fiub", isnan),
    "isinf": ("fiub", isinf),
    "isfinite": ("fiub", isfinite),
    "logical_not": ("fiub", lambda v, d, a: v.builder.xor(truth(v, d, a), v.constant("bool", 1))),
    "signbit": ("f", signbit),
    "angle": ("f", angle),
    "round_decimals": ("f", round_decimals),
    "add": ("fiub", add),
    "sub": ("fiu", sub),
    "mul": ("fiub", mul),
    "div": ("f", lambda v, d, a, b: v.builder.fdiv(a, b)),
    "floor_divide": ("fiu", floor_divide),
    "remainder": ("fiu", remainder),
    "fmod": ("fiu", fmod),
    "maximum": ("fiub", maximum),
    "minimum": ("fiub", minimum),
    "fmax": ("fiub", _extreme(">", True)),
    "fmin": ("fiub", _extreme("<", True)),
    "nextafter": ("f", nextafter),
    "copysign": ("f", copysign),
    "bitwise_and": ("iub", _bitwise("and_")),
    "bitwise_or": ("iub", _bitwise("or_")),
    "bitwise_xor": ("iub", _bitwise("xor")),
    "left_shift": ("iu", left_shift),
    "right_shift": ("iu", right_shift),
    "eq": ("fiub", _comparison("==")),
    "ne": ("fiub", _comparison("!=")),
    "lt": ("fiub", _comparison("<")),
    "le": ("fiub", _comparison("<=")),
    "gt": ("fiub", _comparison(">")),
    "ge": ("fiub", _comparison(">=")),
    "logical_and": ("fiub", _logical("and_")),
    "logical_or": ("fiub", _logical("or_")),
    "logical_xor": ("fiub", _logical("xor")),
    "where": ("fiubh", where),
}
