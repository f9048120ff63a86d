"""Reductions: what each kind starts from, how two values meet, and lanes folded into one.

The order in which values meet depends on shapes and the host only: element k of a row goes to
lane k modulo the lanes, lanes are folded in halves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir
import numpy as np

from ..loops.kernel import Reduction
from . import arithmetic
from .conversion import convert
from .types import I1, I32, KINDS
from .vector import Vectors

# Accumulators are tuples of vectors: one, or (value, index) for argmax and argmin.
Parts = tuple[ir.Value, ...]

_INDEXED = ("argmax", "argmin")


@dataclass(frozen=True, slots=True)
class Folding:
    """How one reduction works.

    Attributes:
        kind: as in `kernel.Reduction`.
        dtype: of the values reduced: an accumulator's; an index comes beside it as int64.
        result: the row value's dtype.
    """

    kind: str
    dtype: str
    result: str

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes of an accumulator's parts."""
        return (self.dtype, "int64") if self.kind in _INDEXED else (self.dtype,)

    def start(self, v: Vectors) -> Parts:
        """What nothing reduces to."""
        first = v.constant(self.dtype, self._identity())
        return (first, v.constant("int64", 0)) if self.kind in _INDEXED else (first,)

    def _identity(self) -> Any:
        if self.kind in ("sum", "any"):
            return 0
        if self.kind in ("prod", "all"):
            return 1
        lowest = self.kind in ("amax", "argmax")
        family = KINDS[self.dtype].family
        if family == "f":
            return -np.inf if lowest else np.inf
        if family == "b":
            return not lowest
        limits = np.iinfo(self.dtype)
        return limits.min if lowest else limits.max

    def prepare(self, v: Vectors, value: ir.Value, dtype: str, index: ir.Value | None) -> Parts:
        """A value of the body, of `dtype`, and its flat inner index, as an accumulator's parts."""
        if self.kind in ("any", "all"):
            return (arithmetic.truth(v, dtype, value),)
        value = convert(v, value, dtype, self.dtype)
        if index is not None and self.kind in _INDEXED:
            return (value, index)
        return (value,)

    def meet(self, v: Vectors, a: Parts, b: Parts) -> Parts:
        """Two accumulators as one."""
        if self.kind in _INDEXED:
            return self._meet_indexed(v, a, b)
        rule = {
            "sum": arithmetic.add, "prod": arithmetic.mul, "any": arithmetic.add,
            "all": arithmetic.mul, "amax": arithmetic.maximum, "amin": arithmetic.minimum,
        }[self.kind]  # fmt: skip
        return (rule(v, self.dtype, a[0], b[0]),)

    def _meet_indexed(self, v: Vectors, a: Parts, b: Parts) -> Parts:
        # b wins if it is more extreme, or equally so and earlier; NaN is more extreme than all
        builder, sign = v.builder, ">" if self.kind == "argmax" else "<"
        more = arithmetic.compare(v, self.dtype, sign, b[0], a[0])
        same = arithmetic.compare(v, self.dtype, "==", b[0], a[0])
        if KINDS[self.dtype].family == "f":
            a_nan, b_nan = v.is_nan(a[0]), v.is_nan(b[0])
            more = builder.or_(more, builder.and_(b_nan, builder.not_(a_nan)))
            same = builder.or_(same, builder.and_(a_nan, b_nan))
        earlier = builder.and_(same, builder.icmp_signed("<", b[1], a[1]))
        wins = builder.or_(more, earlier)
        return tuple(builder.select(wins, y, x) for x, y in zip(a, b, strict=True))

    def masked(self, v: Vectors, parts: Parts, mask: ir.Value) -> Parts:
        """`parts` in the mask's lanes, nothing elsewhere."""
        pairs = zip(parts, self.start(v), strict=True)
        return tuple(v.builder.select(mask, x, nothing) for x, nothing in pairs)

    def narrowed(self, v: Vectors, parts: Parts, lanes: int) -> tuple[Vectors, Parts]:
        """Lanes folded in halves until `lanes` are left."""
        if v.lanes == lanes:
            return v, parts
        if self.kind in ("any", "all"):
            return self._narrowed_truth(v, parts[0], lanes)
        nan, meet = None, self.meet
        if self.kind in ("amax", "amin") and KINDS[self.dtype].family == "f":
            # asked once: then the halves can meet in one instruction
            nan, meet = arithmetic.any_lane(v, v.is_nan(parts[0])), self._meet_numbers
        while v.lanes > lanes:
            half = Vectors(v.builder, v.lanes // 2, v.host)
            low = tuple(_half(half, part, 0) for part in parts)
            high = tuple(_half(half, part, half.lanes) for part in parts)
            v, parts = half, meet(half, low, high)
        if nan is not None:
            parts = (v.builder.select(v.splat(nan), v.constant(self.dtype, np.nan), parts[0]),)
        return v, parts

    def _narrowed_truth(self, v: Vectors, part: ir.Value, lanes: int) -> tuple[Vectors, Parts]:
        # one instruction; that all lanes have the result does no harm
        name = "or" if self.kind == "any" else "and"
        found = v.intrinsic(f"llvm.vector.reduce.{name}.v{v.lanes}i1", I1, part)
        narrow = Vectors(v.builder, lanes, v.host)
        return narrow, (narrow.splat(found),)

    def _meet_numbers(self, v: Vectors, a: Parts, b: Parts) -> Parts:
        sign = ">" if self.kind == "amax" else "<"
        more = arithmetic.compare(v, self.dtype, sign, a[0], b[0])
        return (v.builder.select(more, a[0], b[0]),)

    def finish(self, v: Vectors, parts: Parts) -> ir.Value:
        """The row value."""
        return convert(v, parts[-1], self.dtypes[-1], self.result)


def folding(reduction: Reduction, dtype: str) -> Folding:
    """The reduction of a body's value of `dtype`."""
    if reduction.kind in ("any", "all"):
        return Folding(reduction.kind, "bool", reduction.dtype)
    own = dtype if reduction.kind in _INDEXED else reduction.dtype
    return Folding(reduction.kind, own, reduction.dtype)


def _half(half: Vectors, value: ir.Value, start: int) -> ir.Value:
    places = ir.Constant(ir.VectorType(I32, half.lanes), list(range(start, start + half.lanes)))
    return half.builder.shuffle_vector(value, value, places)
