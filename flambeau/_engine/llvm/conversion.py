"""Conversions between dtypes, as NumPy's `astype` and the eager rule of "convert" do them."""

from __future__ import annotations

import llvmlite.ir as ir

from .types import KINDS
from .vector import Vectors


def convert(v: Vectors, value: ir.Value, source: str, target: str) -> ir.Value:
    """`value`, of dtype `source`, as dtype `target`.

    Floats outside an integer's range, and NaN, become the most negative integer of 32 or 64
    bits (what x86 processors give, hence NumPy), of which narrower ones take the low bits.
    """
    if source == target:
        return value
    a, b = KINDS[source], KINDS[target]
    if a.family == "h":
        wide = half_to_float(v, value, source)
        return convert(v, wide, "float32", target)
    if b.family == "b":
        zero = v.constant(source, 0)
        if a.family == "f":
            return v.builder.fcmp_unordered("!=", value, zero)
        return v.builder.icmp_unsigned("!=", value, zero)
    if b.family == "h":
        return _to_half(v, value, source, target)
    if a.family == "f":
        return _from_float(v, value, source, target)
    return _from_integer(v, value, source, target)


def _from_integer(v: Vectors, value: ir.Value, source: str, target: str) -> ir.Value:
    a, b, to, builder = KINDS[source], KINDS[target], v.type(target), v.builder
    if b.family == "f":
        return builder.sitofp(value, to) if a.family == "i" else builder.uitofp(value, to)
    if a.family == "b":
        return builder.zext(value, to)
    if a.itemsize == b.itemsize:
        return value  # signed or not, the bits are the same
    if a.itemsize > b.itemsize:
        return builder.trunc(value, to)
    return builder.sext(value, to) if a.family == "i" else builder.zext(value, to)


def _from_float(v: Vectors, value: ir.Value, source: str, target: str) -> ir.Value:
    b, to, builder = KINDS[target], v.type(target), v.builder
    if b.family == "f":
        return (builder.fpext if target == "float64" else builder.fptrunc)(value, to)
    if b.itemsize == 8 or b.family == "u":
        return convert(v, _to_signed(v, value, source, "int64"), "int64", target)
    return convert(v, _to_signed(v, value, source, "int32"), "int32", target)


def _to_signed(v: Vectors, value: ir.Value, source: str, target: str) -> ir.Value:
    # LLVM leaves out-of-range conversions undefined: they are asked of zero instead
    builder, bits = v.builder, KINDS[target].bits
    limit = float(1 << (bits - 1))
    below = -limit - 1 if source == "float64" and bits == 32 else -limit
    above_low = builder.fcmp_ordered(
        ">" if below != -limit else ">=", value, v.constant(source, below)
    )
    inside = builder.and_(above_low, builder.fcmp_ordered("<", value, v.constant(source, limit)))
    safe = builder.select(inside, value, v.constant(source, 0))
    found = builder.fptosi(safe, v.type(target))
    return builder.select(inside, found, v.constant(target, -(1 << (bits - 1))))


def half_to_float(v: Vectors, value: ir.Value, source: str) -> ir.Value:
    """float16 or bfloat16 bits as float32: exact."""
    builder = v.builder
    if source == "bfloat16":
        wide = builder.zext(value, v.type("int32"))
        return v.as_float(builder.shl(wide, v.constant("int32", 16)), "float32")
    if v.host.fma:
        half = builder.bitcast(value, ir.VectorType(ir.HalfType(), v.lanes))
        return builder.fpext(half, v.type("float32"))
    # without the instruction: shift the exponent into place, then scale by 2^112
    wide = builder.zext(value, v.type("int32"))
    magnitude = builder.and_(wide, v.constant("int32", 0x7FFF))
    sign = builder.shl(builder.xor(wide, magnitude), v.constant("int32", 16))
    shifted = v.as_float(builder.shl(magnitude, v.constant("int32", 13)), "float32")
    scaled = v.as_integer(builder.fmul(shifted, v.constant("float32", 2.0**112)), "float32")
    special = builder.icmp_unsigned(">", magnitude, v.constant("int32", 0x7BFF))
    whole = builder.or_(scaled, v.constant("int32", 0x7F800000))
    return v.as_float(builder.or_(sign, builder.select(special, whole, scaled)), "float32")


def _to_half(v: Vectors, value: ir.Value, source: str, target: str) -> ir.Value:
    if source == "float64" and target == "float16":
        value = _round_to_odd(v, value)
    elif source != "float32":
        value = convert(v, value, source, "float32")
    return float_to_bfloat16(v, value) if target == "bfloat16" else float_to_float16(v, value)


def _round_to_odd(v: Vectors, value: ir.Value) -> ir.Value:
    # double to float so that rounding the float once more gives what rounding once would
    # (Boldo and Melquiond, "When double rounding is odd", 2005)
    builder = v.builder
    near = builder.fptrunc(value, v.type("float32"))
    back = builder.fpext(near, v.type("float64"))
    bits = v.as_integer(near, "float32")
    away = builder.fcmp_ordered(
        ">", v.unary("fabs", back, "float64"), v.unary("fabs", value, "float64")
    )
    cut = builder.sub(bits, builder.zext(away, v.type("int32")))
    inexact = builder.zext(builder.fcmp_unordered("!=", back, value), v.type("int32"))
    return v.as_float(builder.or_(cut, inexact), "float32")


def float_to_bfloat16(v: Vectors, value: ir.Value) -> ir.Value:
    """float32 to bfloat16 bits, to the nearest, ties to even; NaN stays one."""
    builder = v.builder
    bits = v.as_integer(value, "float32")
    sixteen = v.constant("int32", 16)
    odd = builder.and_(builder.lshr(bits, sixteen), v.constant("int32", 1))
    rounded = builder.add(builder.add(bits, v.constant("int32", 0x7FFF)), odd)
    quiet = builder.or_(bits, v.constant("int32", 0x400000))
    kept = builder.select(v.is_nan(value), quiet, rounded)
    return builder.trunc(builder.lshr(kept, sixteen), v.type("int16"))


def float_to_float16(v: Vectors, value: ir.Value) -> ir.Value:
    """float32 to float16 bits, to the nearest, ties to even."""
    builder = v.builder
    if v.host.fma:
        half = builder.fptrunc(value, ir.VectorType(ir.HalfType(), v.lanes))
        return builder.bitcast(half, v.type("int16"))
    number = lambda x: v.constant("int32", x)  # noqa: E731
    bits = v.as_integer(value, "float32")
    magnitude = builder.and_(bits, number(0x7FFFFFFF))
    sign = builder.lshr(builder.xor(bits, magnitude), number(16))
    odd = builder.and_(builder.lshr(magnitude, number(13)), number(1))
    rebiased = builder.add(builder.add(magnitude, number(((15 - 127) << 23) + 0xFFF)), odd)
    normal = builder.lshr(rebiased, number(13))
    # adding 0.5 rounds a number below 2^-14 to a multiple of 2^-24, in the low bits
    half = v.constant("float32", 0.5)
    pushed = builder.fadd(v.as_float(magnitude, "float32"), half)
    small = builder.sub(v.as_integer(pushed, "float32"), number(0x3F000000))
    nan = builder.icmp_unsigned(">", magnitude, number(0x7F800000))
    large = builder.select(nan, number(0x7E00), number(0x7C00))
    out = builder.select(builder.icmp_unsigned("<", magnitude, number(0x38800000)), small, normal)
    out = builder.select(builder.icmp_unsigned(">=", magnitude, number(0x47800000)), large, out)
    return builder.trunc(builder.or_(out, sign), v.type("int16"))
