"""Random numbers from a generator's own memory, word for word what the eager rules draw.

Each kernel has one task: the words come one after the other. They are drawn some at a time into
memory of the stack, and made into numbers by vectors. What is drawn from how many bits is said in
`eager/distributions.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, prod
from typing import Any

import llvmlite.ir as ir
import numpy as np

from ..types import DOUBLE, FLOAT, I32, I64
from .code import Index, full, i64, lanes_of, many, spread
from .table import by_elements, one, register
from .twister import draw_words
from .writer import Writer, element_type

DRAWN = 1024  # words at a time
_LOW_53 = (1 << 53) - 1
_LOW_24 = (1 << 24) - 1

# (words in memory, position of the first, how many numbers) -> their bits
Numbers = Callable[[Index, ir.Value, int], None]


def _each(w: Writer, words: int, make: Numbers) -> None:
    """`make(position, bits, lanes)` for every element of the result.

    Args:
        words: how many words a number takes; two make a 64-bit integer, the first one its upper
            half.
    """
    b, size = w.builder, prod(w.shapes[-1])
    memory, draw = w.memory(I32, DRAWN), draw_words(w.module, w.host)
    step = DRAWN // words
    with w.loop(0, size, step) as start:
        count = w.lower(b.sub(i64(size), i64(start)), i64(step))
        b.call(draw, [w.pointers[0], memory, b.mul(count, i64(words))])

        def convert(at: Index, lanes: int) -> None:
            if words == 1:
                bits = w.read(memory, at, I32, lanes)
            else:
                bits = long_word(w, w.read(memory, at, I64, lanes))
            make(w.add(start, at), bits, lanes)

        w.span(0, count, 8, convert)


def long_word(w: Writer, pair: ir.Value) -> ir.Value:
    """Two words in memory as one of 64 bits, the first one its upper half."""
    half = full(pair.type, 32)
    return w.builder.or_(w.builder.shl(pair, half), w.builder.lshr(pair, half))


def _low(w: Writer, bits: ir.Value, mask: int) -> ir.Value:
    return w.builder.and_(bits, full(bits.type, mask))


# --- zeros and ones ------------------------------------------------------------------------


def _threshold(w: Writer, p: Any) -> ir.Value:
    """How many of the 2^53 integers of 53 bits are below p."""
    if not isinstance(p, tuple):
        return i64(ceil(p * 2.0**53))
    b = w.builder
    scaled = b.fmul(w.number(p, DOUBLE), full(DOUBLE, 2.0**53))
    function = w.intrinsic("llvm.ceil.f64", DOUBLE, scaled)
    return b.fptoui(function, I64)


@register("random_bernoulli", "dropout_mask", tasks=one, work=by_elements(0.5))
def _bernoulli(w: Writer) -> None:
    """A number (1 or `scale`) where 53 bits are below the threshold, else 0."""
    b, real = w.builder, element_type(w.dtypes[1])
    dropout = w.kernel.name == "dropout_mask"
    limit = _threshold(w, w.params["keep" if dropout else "p"])
    if dropout and isinstance(w.params["scale"], tuple):
        scale = w.number(w.params["scale"], real)
    else:
        scale = w.element(1, w.params["scale"] if dropout else 1)

    def make(at: Index, bits: ir.Value, lanes: int) -> None:
        below = b.icmp_unsigned("<", _low(w, bits, _LOW_53), spread(w, limit, lanes))
        w.store(1, at, b.select(below, spread(w, scale, lanes), full(many(real, lanes), 0)))

    _each(w, 2, make)


# --- uniform numbers -----------------------------------------------------------------------


@register("random_uniform", tasks=one, work=by_elements(0.5))
def _uniform(w: Writer) -> None:
    low, high = w.params["low"], w.params["high"]
    if w.dtypes[1] == "float64":
        _each(w, 2, _doubles(w, low, high))
    elif (low, high) == (0, 1):
        _each(w, 1, lambda at, bits, lanes: w.store(1, at, unit32(w, bits)))
    else:
        _each(w, 1, _floats(w, low, high))


def unit32(w: Writer, bits: ir.Value) -> ir.Value:
    """24 bits as a float32 in [0, 1)."""
    type_ = many(FLOAT, lanes_of(bits))
    number = w.builder.sitofp(_low(w, bits, _LOW_24), type_)
    return w.builder.fmul(number, full(type_, 2.0**-24))


def _unit64(w: Writer, bits: ir.Value) -> ir.Value:
    """53 bits of a long word as a float64 in [0, 1)."""
    type_ = many(DOUBLE, lanes_of(bits))
    number = w.builder.uitofp(_low(w, bits, _LOW_53), type_)
    return w.builder.fmul(number, full(type_, 2.0**-53))


def double(w: Writer, pair: ir.Value) -> ir.Value:
    """A float64 in [0, 1) of two words in memory."""
    return _unit64(w, long_word(w, pair))


def _floats(w: Writer, low: float, high: float) -> Numbers:
    """float32 in [low, high): computed in float64, rounded once."""
    b = w.builder
    first, last = (float(w.element(1, x).constant) for x in (low, high))
    span = float(np.float32(last - first))

    def make(at: Index, bits: ir.Value, lanes: int) -> None:
        type_ = many(DOUBLE, lanes)
        number = b.sitofp(_low(w, bits, _LOW_24), type_)
        number = b.fadd(b.fmul(number, full(type_, 2.0**-24 * span)), full(type_, first))
        _store_below(w, at, b.fptrunc(number, many(FLOAT, lanes)), first, last)

    return make


def _doubles(w: Writer, low: float, high: float) -> Numbers:
    """float64 in [low, high), with one rounding."""

    def make(at: Index, bits: ir.Value, lanes: int) -> None:
        type_ = many(DOUBLE, lanes)
        number = _unit64(w, bits)
        if (low, high) != (0, 1):
            number = w.fused(number, full(type_, float(high) - float(low)), full(type_, low))
            _store_below(w, at, number, low, high)
        else:
            w.store(1, at, number)

    return make


def _store_below(w: Writer, at: Index, number: ir.Value, low: float, high: float) -> None:
    """What was rounded to the excluded end becomes the included one."""
    b, type_ = w.builder, number.type
    reached = b.fcmp_ordered("==", number, full(type_, high))
    w.store(1, at, b.select(reached, full(type_, low), number))


# --- integers ------------------------------------------------------------------------------


@register("random_integers", tasks=one, work=by_elements(0.5))
def _integers(w: Writer) -> None:
    """low + word % (high - low); ranges from 2^28 on take two words."""
    b, type_ = w.builder, element_type(w.dtypes[1])
    low, span = w.params["low"], w.params["high"] - w.params["low"]
    words = 1 if span < 1 << 28 else 2

    def make(at: Index, bits: ir.Value, lanes: int) -> None:
        number = b.urem(bits, full(bits.type, span))
        wide = many(I64, lanes)
        if words == 1:
            number = b.zext(number, wide)
        number = b.add(number, full(wide, low))
        if isinstance(type_, ir.IntType):
            number = number if type_ == I64 else b.trunc(number, many(type_, lanes))
        else:
            number = b.sitofp(number, many(type_, lanes))
        w.store(1, at, number)

    _each(w, words, make)


@register("random_permutation", tasks=one, work=by_elements(2.0))
def _permutation(w: Writer) -> None:
    """Fisher-Yates from the front: place i is swapped with i + word % (count - i)."""
    b, count = w.builder, w.shapes[1][0]
    type_ = element_type(w.dtypes[1])
    with w.loop(0, count) as at:
        w.store(1, at, i64(at) if type_ == I64 else b.trunc(i64(at), type_))
    memory, draw = w.memory(I32, DRAWN), draw_words(w.module, w.host)
    with w.loop(0, count - 1, DRAWN) as start:
        taken = w.lower(b.sub(i64(count - 1), i64(start)), i64(DRAWN))
        b.call(draw, [w.pointers[0], memory, taken])
        with w.loop(0, taken) as at:
            place = w.add(start, at)
            left = b.trunc(b.sub(i64(count), i64(place)), I32)
            jump = b.zext(b.urem(w.read(memory, at, I32), left), I64)
            target = w.add(place, jump)
            here, there = w.load(1, place), w.load(1, target)
            w.store(1, target, here)
            w.store(1, place, there)
