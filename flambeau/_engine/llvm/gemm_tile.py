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
        # what is kept in registers meanwhile: the shorter one of B's row and A's column
        by_rows = self.rows >= len(self.columns)
        line = at(self.builder, b, step * strides.b_step, self.dtype)
        out = list(sums)
        if by_rows:
            vectors = [self._vector(line, j) for j in range(len(self.columns))]
            for row in range(self.rows):
                spread = self._element(a, row, strides, step)
                for j, value in enumerate(vectors):
                    self._add(out, row, j, spread, value)
        else:
            elements = [self._element(a, row, strides, step) for row in range(self.rows)]
            for j in range(len(self.columns)):
                value = self._vector(line, j)
                for row, spread in enumerate(elements):
                    self._add(out, row, j, spread, value)
        return out

    def _vector(self, line: ir.Value, j: int) -> ir.Value:
        v, column = self.vectors[j], self.columns[j]
        place = at(self.builder, line, column.start, self.dtype)
        return v.load(place, self.dtype, 1, column.mask(v))

    def _element(self, a: ir.Value, row: int, strides: Strides, step: int) -> dict[int, ir.Value]:
        """An element of A in all lanes, for each number of lanes that columns have."""
        offset = row * strides.a_row + step * strides.a_step
        kind = KINDS[self.dtype]
        place = at(self.builder, a, offset, self.dtype)
        scalar = self.builder.load(place, typ=kind.lane, align=kind.itemsize)
        return {v.lanes: v.splat(scalar) for v in self.widths}

    def _add(
        self, sums: Values, row: int, j: int, spread: dict[int, ir.Value], value: ir.Value
    ) -> None:
        v, place = self.vectors[j], row * len(self.columns) + j
        sums[place] = v.fma(spread[v.lanes], value, sums[place], self.dtype)

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
