"""Loops and choices in generated code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import llvmlite.ir as ir

from .types import I64


def number(value: int) -> ir.Constant:
    """An int64 constant."""
    return ir.Constant(I64, value)


@contextmanager
def counted(
    builder: ir.IRBuilder, start: ir.Value, stop: ir.Value, step: int = 1
) -> Iterator[ir.Value]:
    """The code inside runs for start, start + step ... as long as that is below `stop`."""
    before = builder.block
    head = builder.append_basic_block("head")
    body = builder.append_basic_block("body")
    done = builder.append_basic_block("done")
    builder.branch(head)
    builder.position_at_end(head)
    counter = builder.phi(I64)
    counter.add_incoming(start, before)
    builder.cbranch(builder.icmp_signed("<", counter, stop), body, done)
    builder.position_at_end(body)
    yield counter
    following = builder.add(counter, number(step), flags=("nsw",))
    counter.add_incoming(following, builder.block)
    builder.branch(head)
    builder.position_at_end(done)


@contextmanager
def repeated(builder: ir.IRBuilder, times: int, step: int = 1) -> Iterator[ir.Value]:
    """The code inside runs `times` times, for 0, step, 2 step ...: no loop for just one."""
    if times == 1:
        yield number(0)
        return
    with counted(builder, number(0), number(times * step), step) as counter:
        yield counter


def smaller(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The smaller of two int64."""
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def digits(builder: ir.IRBuilder, value: ir.Value, sizes: tuple[int, ...]) -> tuple[ir.Value, ...]:
    """`value` as a number whose digits' ranges are `sizes`: a flat index as coordinates."""
    found: list[ir.Value] = []
    for size in reversed(sizes[1:]):
        found.append(builder.urem(value, number(size)))
        value = builder.udiv(value, number(size))
    return (*([value] if sizes else []), *reversed(found))
