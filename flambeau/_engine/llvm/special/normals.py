"""Normal random numbers in blocks of 16, from the words that the eager rule takes."""

from __future__ import annotations

from math import pi, prod

import llvmlite.ir as ir
import numpy as np

from ..maths import RULES
from ..types import DOUBLE, FLOAT, I32, I64
from ..vector import Vectors
from .code import Index, full, i64, many
from .draws import DRAWN, double, unit32
from .table import by_elements, one, register
from .twister import draw_words
from .writer import Writer

_BLOCK = 16


@register("random_normal", tasks=one, work=by_elements(4.0))
def _normal(w: Writer) -> None:
    """Box-Muller on blocks of 16 uniform numbers: 8 radii, then 8 angles; cosines, then sines.

    An incomplete block draws its numbers, and none is used: the last 16 results are drawn anew.
    """
    size, b = prod(w.shapes[1]), w.builder
    words = 1 if w.dtypes[1] == "float32" else 2
    memory, draw = w.memory(I32, DRAWN), draw_words(w.module, w.host)
    step = DRAWN // words
    with w.loop(0, size, step) as start:
        count = w.lower(b.sub(i64(size), i64(start)), step)
        b.call(draw, [w.pointers[0], memory, b.mul(count, i64(words))])
        whole = b.and_(count, i64(-_BLOCK))
        with w.loop(0, whole, _BLOCK) as at:
            _block(w, memory, at, w.add(start, at))
    if size % _BLOCK:
        b.call(draw, [w.pointers[0], memory, i64(_BLOCK * words)])
        _block(w, memory, 0, size - _BLOCK)


def _block(w: Writer, memory: ir.Value, at: Index, goal: Index) -> None:
    """16 results from the words of the numbers from `at` on."""
    b, dtype, half = w.builder, w.dtypes[1], _BLOCK // 2
    v = Vectors(b, half, w.host)
    first, second = (_unit(w, memory, w.add(at, k)) for k in (0, half))
    log = RULES["log"][1](v, dtype, b.fsub(v.constant(dtype, 1), first))
    radius = v.unary("sqrt", b.fmul(v.constant(dtype, -2), log), dtype)
    angle = b.fmul(v.constant(dtype, float(np.dtype(dtype).type(2 * pi))), second)
    for k, name in ((0, "cos"), (half, "sin")):
        found = b.fmul(radius, RULES[name][1](v, dtype, angle))
        w.store(1, w.add(goal, k), _scaled(w, found))


def _unit(w: Writer, memory: ir.Value, at: Index) -> ir.Value:
    """Eight uniform numbers."""
    if w.dtypes[1] == "float32":
        return unit32(w, w.read(memory, at, I32, _BLOCK // 2))
    return double(w, w.read(memory, at, I64, _BLOCK // 2))


def _scaled(w: Writer, standard: ir.Value) -> ir.Value:
    """Times std plus mean, in float64 with one rounding, then in the result's dtype."""
    mean, std = w.params["mean"], w.params["std"]
    if (mean, std) == (0, 1):
        return standard
    b, type_ = w.builder, many(DOUBLE, _BLOCK // 2)
    single = standard.type != type_
    wide = b.fpext(standard, type_) if single else standard
    found = w.fused(wide, full(type_, std), full(type_, mean))
    return b.fptrunc(found, many(FLOAT, _BLOCK // 2)) if single else found
