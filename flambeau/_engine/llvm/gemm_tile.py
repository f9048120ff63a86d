"""Register tiles: the inner loop over k, and what becomes of the accumulators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import llvmlite.ir as ir

from .gemm_code import Values, at, counted, number, times, zeros
from .gemm_epilogue import Column
from .host import Host
from .types import KINDS
from .vector import Vectors


@dataclass(frozen=True, slots=True)
class Strides:
    """How far apart a tile's operands lie, in elements of the sum's dtype.

    Attributes:
        a_row, a_step: of A: from row to row, and from one k to the next.
        b_step: of B: from one k to the next (its columns are contiguous).
    """

    a_row: int
    a_step: int
    b_step: int


class Tile:
    """Code for rows x columns of C, at a builder's position."""

    def __init__(
        self, builder: ir.IRBuilder, host: Host, dtype: str, rows: int, columns: Sequence[Column]
    ):
        self.builder = builder
        self.dtype = dtype
        self.rows = rows
        self.columns = columns
        self.vectors = [Vectors(builder, column.lanes, host) for column in columns]
        self.widths = list({v.lanes: v for v in self.vectors}.values())

    def empty(self) -> Values:
        """Accumulators of zeros, row by row."""
        return [zeros(v, self.dtype) for _ in range(self.rows) for v in self.vectors]

    def outer_products(
        self,
        a: ir.Value,
        b: ir.Value,
        strides: Strides,
        length: ir.Value,
        accumulators: Values,
        unroll: int,
    ) -> Values:
        """Add `length` outer products of a column of A and a row of B to the accumulators.

        Args:
            unroll: steps of k that the loop takes at a time; it divides `length`.
        """
        builder = self.builder

        def steps(start: ir.Value, sums: Values) -> Values:
            here_a = at(builder, a, times(builder, start, strides.a_step), self.dtype)
            here_b = at(builder, b, times(builder, start, strides.b_step), self.dtype)
            for step in range(unroll):
                sums = self._step(here_a, here_b, strides, step, sums)
            return sums

        return counted(builder, number(0), length, steps, accumulators, step=unroll)

    def _step(self, a: ir.Value, b: ir.Value, strides: Strides, step: int, sums: Values) -> Values:
        builder, dtype, width = self.builder, self.dtype, len(self.columns)
        line = at(builder, b, step * strides.b_step, dtype)
        loaded = [
            v.load(at(builder, line, column.start, dtype), dtype, 1, column.mask(v))
            for v, column in zip(self.vectors, self.columns)
        ]
        out = []
        for row in range(self.rows):
            place = at(builder, a, row * strides.a_row + step * strides.a_step, dtype)
            kind = KINDS[dtype]
            scalar = builder.load(place, typ=kind.lane, align=kind.itemsize)
            spread = {v.lanes: v.splat(scalar) for v in self.widths}
            for j, v in enumerate(self.vectors):
                out.append(v.fma(spread[v.lanes], loaded[j], sums[row * width + j], dtype))
        return out

    def by_row(self, accumulators: Values) -> list[Values]:
        """The accumulators, a list for each row."""
        width = len(self.columns)
        return [accumulators[i : i + width] for i in range(0, len(accumulators), width)]

    def load(self, base: ir.Value, pitch: int) -> Values:
        """A tile from memory, `pitch` elements from row to row."""
        return [
            v.load(at(self.builder, base, row * pitch + column.start, self.dtype), self.dtype)
            for row in range(self.rows)
            for v, column in zip(self.vectors, self.columns)
        ]

    def store(self, base: ir.Value, pitch: int, accumulators: Values) -> None:
        """The opposite of `load`."""
        for row, values in enumerate(self.by_row(accumulators)):
            for v, column, value in zip(self.vectors, self.columns, values):
                place = at(self.builder, base, row * pitch + column.start, self.dtype)
                v.store(value, place, self.dtype)
