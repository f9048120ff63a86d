"""The Mersenne Twister 19937 as native code on a generator's memory.

Matsumoto and Nishimura (1998): a word of the next block is made of words i, i + 1 and i + 397 of
this one, and tempered when it is drawn. Both steps are done on vectors; the words that a step
reads and an earlier one wrote are always at least a vector away.
"""

from __future__ import annotations

import llvmlite.ir as ir

from ..host import Host
from ..types import I32, I64, POINTER
from .code import Code, Index, full, i64, many

_WORDS, _MIDDLE = 624, 397
_MATRIX, _UPPER, _LOWER = 0x9908B0DF, 0x80000000, 0x7FFFFFFF
_NAME = "draw_words"


def draw_words(module: ir.Module, host: Host) -> ir.Function:
    """void draw_words(ptr state, ptr out, i64 count): the next `count` tempered words."""
    known = module.globals.get(_NAME)
    if known is not None:
        return known
    signature = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64])
    code = Code(module, _NAME, signature, host)
    code.function.linkage = "internal"
    state, out, count = code.function.args
    for pointer in (state, out):
        pointer.add_attribute("noalias")
    builder = code.builder
    done = code.slot(i64(0))
    left = code.slot(builder.sext(code.read(state, _WORDS, I32), I64))
    with code.repeat() as leave:
        leave(builder.icmp_signed(">=", code.get(done), count))
        with code.when(builder.icmp_signed(">=", code.get(left), i64(_WORDS))):
            _refill(code, state)
            builder.store(i64(0), left)
        first, start = code.get(left), code.get(done)
        available = builder.sub(i64(_WORDS), first)
        wanted = builder.sub(count, start)
        taken = code.lower(available, wanted)

        def temper(at: Index, lanes: int) -> None:
            word = code.read(state, code.add(first, at), I32, lanes)
            code.write(out, code.add(start, at), _tempered(builder, word))

        code.span(0, taken, 4, temper)
        builder.store(builder.add(start, taken), done)
        builder.store(builder.add(first, taken), left)
    code.write(state, _WORDS, builder.trunc(code.get(left), I32))
    builder.ret_void()
    return code.function


def _refill(code: Code, state: ir.Value) -> None:
    """The next block of words, in the place of this one."""
    overlap = _WORDS - _MIDDLE

    def early(at: Index, lanes: int) -> None:
        _twist(code, state, at, code.add(at, 1), code.add(at, _MIDDLE), lanes)

    def late(at: Index, lanes: int) -> None:
        _twist(code, state, at, code.add(at, 1), code.add(at, -overlap), lanes)

    code.span(0, overlap, 4, early)
    code.span(overlap, _WORDS - 1, 4, late)
    _twist(code, state, _WORDS - 1, 0, _MIDDLE - 1, 1)


def _twist(code: Code, state: ir.Value, at: Index, after: Index, far: Index, lanes: int) -> None:
    b = code.builder
    type_ = many(I32, lanes)
    here, following, other = (code.read(state, k, I32, lanes) for k in (at, after, far))
    joined = b.or_(b.and_(here, full(type_, _UPPER)), b.and_(following, full(type_, _LOWER)))
    odd = b.sub(full(type_, 0), b.and_(following, full(type_, 1)))  # all ones or none
    twisted = b.xor(b.lshr(joined, full(type_, 1)), b.and_(odd, full(type_, _MATRIX)))
    code.write(state, at, b.xor(other, twisted))


def _tempered(b: ir.IRBuilder, word: ir.Value) -> ir.Value:
    type_ = word.type
    word = b.xor(word, b.lshr(word, full(type_, 11)))
    for shift, mask in ((7, 0x9D2C5680), (15, 0xEFC60000)):
        word = b.xor(word, b.and_(b.shl(word, full(type_, shift)), full(type_, mask)))
    return b.xor(word, b.lshr(word, full(type_, 18)))
