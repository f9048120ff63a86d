"""Two instructions of AVX-512 that take the place of many: powers of two put on, and estimates of
reciprocals. Asked for only on hosts that have them (`Host.masks`)."""

from __future__ import annotations

import llvmlite.ir as ir

from ..types import I32, KINDS
from ..vector import Vectors, lanes_of

_CURRENT_ROUNDING = ir.Constant(I32, 4)
_NARROWEST, _WIDEST = 128, 512  # bits of a register


def scaled(v: Vectors, dtype: str, y: ir.Value, n: ir.Value) -> ir.Value:
    """y * 2^n for whole n (as floats), rounded once: overflows and underflows as it should."""
    return _by_registers(v, dtype, "mask.scalef", (y, n))


def inverse_estimate(v: Vectors, x: ir.Value) -> ir.Value:
    """1 / x of float32, to a relative error of 2^-14."""
    return _by_registers(v, "float32", "rcp14", (x,))


def _by_registers(v: Vectors, dtype: str, name: str, values: tuple[ir.Value, ...]) -> ir.Value:
    """The instruction on values of any power of two of lanes."""
    builder, lanes = v.builder, v.lanes
    bits = KINDS[dtype].bits * lanes
    if bits > _WIDEST:
        halves = []
        half = Vectors(builder, lanes // 2, v.host)
        for start in (0, lanes // 2):
            mask = lanes_of(range(start, start + lanes // 2))
            parts = tuple(builder.shuffle_vector(x, x, mask) for x in values)
            halves.append(_by_registers(half, dtype, name, parts))
        return builder.shuffle_vector(*halves, lanes_of(range(lanes)))
    if bits < _NARROWEST:
        count = _NARROWEST // KINDS[dtype].bits
        mask = lanes_of([lane % lanes for lane in range(count)])
        wide = tuple(builder.shuffle_vector(x, x, mask) for x in values)
        made = _call(Vectors(builder, count, v.host), dtype, name, wide)
        return builder.shuffle_vector(made, made, lanes_of(range(lanes)))
    return _call(v, dtype, name, values)


def _call(v: Vectors, dtype: str, name: str, values: tuple[ir.Value, ...]) -> ir.Value:
    kind = KINDS[dtype]
    bits = kind.bits * v.lanes
    every = ir.Constant(ir.IntType(max(8, v.lanes)), -1)
    rounding = (_CURRENT_ROUNDING,) if bits == _WIDEST and name == "mask.scalef" else ()
    full = f"llvm.x86.avx512.{name}.p{'s' if kind.bits == 32 else 'd'}.{bits}"
    return v.intrinsic(full, values[0].type, *values, values[0], every, *rounding)
