"""Loops, addresses and transposes that the matrix product's code is written with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import llvmlite.ir as ir

from .gemm_plan import Split
from .types import I64, KINDS, POINTER
from .vector import Vectors, lanes_of

Values = list[ir.Value]


def number(value: int) -> ir.Constant:
    """A 64-bit integer."""
    return ir.Constant(I64, value)


def at(builder: ir.IRBuilder, base: ir.Value, index: ir.Value | int, dtype: str) -> ir.Value:
    """The address of element `index` from `base`, in the dtype's memory form."""
    if isinstance(index, int):
        if index == 0:
            return base
        index = number(index)
    return builder.gep(base, [index], source_etype=KINDS[dtype].memory)


def times(builder: ir.IRBuilder, value: ir.Value, factor: int) -> ir.Value:
    """value * factor, without an instruction where the factor is 0 or 1."""
    if factor == 0:
        return number(0)
    return value if factor == 1 else builder.mul(value, number(factor))


def least(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The smaller of two integers."""
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def clip(builder: ir.IRBuilder, value: ir.Value, low: ir.Value, high: ir.Value) -> ir.Value:
    """`value`, or the bound it is beyond."""
    above = builder.select(builder.icmp_signed("<", value, low), low, value)
    return least(builder, above, high)


def quotient(builder: ir.IRBuilder, value: ir.Value, divisor: int) -> ir.Value:
    """value // divisor, of a number that is not negative."""
    return value if divisor == 1 else builder.udiv(value, number(divisor))


def remainder(builder: ir.IRBuilder, value: ir.Value, divisor: int) -> ir.Value:
    """value % divisor, of a number that is not negative."""
    return number(0) if divisor == 1 else builder.urem(value, number(divisor))


def part(builder: ir.IRBuilder, index: ir.Value, split: Split) -> tuple[ir.Value, ir.Value]:
    """The first thing of part `index`, and of the next part."""
    if split.parts == 1:
        return number(0), number(split.count)

    def start(which: ir.Value) -> ir.Value:
        return builder.udiv(builder.mul(which, number(split.count)), number(split.parts))

    return start(index), start(builder.add(index, number(1)))


def counted(
    builder: ir.IRBuilder,
    start: ir.Value,
    stop: ir.Value,
    body: Callable[[ir.Value, Values], Sequence[ir.Value] | None],
    carried: Sequence[ir.Value] = (),
    step: int = 1,
) -> Values:
    """for (i = start; i < stop; i += step) carried = body(i, carried).

    The test is at the loop's end, after one before the loop where the bounds are not constants.
    """
    before = builder.block
    known = isinstance(start, ir.Constant) and isinstance(stop, ir.Constant)
    if known and start.constant >= stop.constant:
        return list(carried)
    loop = builder.append_basic_block()
    after = builder.append_basic_block()
    if known:
        builder.branch(loop)
    else:
        builder.cbranch(builder.icmp_signed("<", start, stop), loop, after)
    builder.position_at_end(loop)
    index = builder.phi(I64)
    index.add_incoming(start, before)
    phis = []
    for value in carried:
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        phis.append(phi)
    results = list(body(index, phis) or ())
    following = builder.add(index, number(step), flags=("nsw",))
    index.add_incoming(following, builder.block)
    for phi, value in zip(phis, results, strict=True):
        phi.add_incoming(value, builder.block)
    end = builder.block
    builder.cbranch(builder.icmp_signed("<", following, stop), loop, after)
    builder.position_at_end(after)
    if known:
        return results
    outcomes = []
    for value, result in zip(carried, results, strict=True):
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        phi.add_incoming(result, end)
        outcomes.append(phi)
    return outcomes


def function(
    module: ir.Module, vectors_host, name: str, types: Sequence[ir.Type], inline: bool = False
) -> tuple[ir.Function, ir.IRBuilder]:
    """A new internal function without result, and a builder in its entry block."""
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), types), name)
    made.linkage = "internal"
    made.attributes.add("nounwind")
    made.attributes.add("alwaysinline" if inline else "noinline")
    vectors_host.mark(made)
    return made, ir.IRBuilder(made.append_basic_block("entry"))


def transpose(builder: ir.IRBuilder, rows: Values) -> Values:
    """The transpose of as many vectors as each has lanes (a power of two).

    Each step exchanges one bit of the row's number with the same bit of the lane's.
    """
    count = len(rows)
    rows = list(rows)
    bit = count // 2
    while bit:
        first, second = exchange(count, bit)
        for i in range(count):
            if not i & bit:
                a, b = rows[i], rows[i + bit]
                rows[i] = builder.shuffle_vector(a, b, first)
                rows[i + bit] = builder.shuffle_vector(a, b, second)
        bit //= 2
    return rows


def exchange(lanes: int, bit: int) -> tuple[ir.Constant, ir.Constant]:
    """Shuffles of a pair of vectors: lanes without `bit` of both, and lanes with it."""
    numbers = range(lanes)
    first = [lanes + x - bit if x & bit else x for x in numbers]
    second = [lanes + x if x & bit else x + bit for x in numbers]
    return lanes_of(first), lanes_of(second)


def chunks(count: int, most: int) -> list[tuple[int, int]]:
    """(start, power of two) pieces that cover `count` elements, at most `most` each."""
    found, start = [], 0
    while start < count:
        size = min(most, 1 << ((count - start).bit_length() - 1))
        found.append((start, size))
        start += size
    return found


def zeros(v: Vectors, dtype: str) -> ir.Constant:
    """A vector of zeros."""
    return ir.Constant(v.type(dtype), None)


__all__ = [
    "POINTER", "Values", "at", "chunks", "counted", "function", "lanes_of", "least", "number",
    "times", "transpose", "zeros",
]  # fmt: skip
