"""Products as dot products: both operands are contiguous along k, and one side of C is short.

A batch of one through a linear layer is the case to think of. Nothing is packed: vectors run along
k, each accumulator belongs to one element of C, and at the end the accumulators' lanes are summed
by the tree of shuffles that transposes a square of vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import llvmlite.ir as ir

from ..loops.kernel import Gemm
from .conversion import convert
from .gemm_code import (
    Values,
    at,
    chunks,
    clip,
    counted,
    exchange,
    function,
    lanes_of,
    number,
    part,
    times,
    zeros,
)
from .gemm_epilogue import Site, columns_of
from .gemm_plan import DotTiling
from .host import Host
from .types import I64, KINDS, POINTER
from .vector import Vectors


def sum_lanes(v: Vectors, sums: Values) -> ir.Value:
    """A vector with the sum of each of a power of two of vectors, in their order."""
    builder = v.builder
    count = len(sums)
    lanes = v.lanes
    while lanes > count:
        lanes //= 2
        low, high = lanes_of(range(lanes)), lanes_of(range(lanes, 2 * lanes))
        sums = [
            builder.fadd(builder.shuffle_vector(x, x, low), builder.shuffle_vector(x, x, high))
            for x in sums
        ]
    bit = count // 2
    while bit:
        first, second = exchange(lanes, bit)
        sums = [
            builder.fadd(
                builder.shuffle_vector(sums[i], sums[i + bit], first),
                builder.shuffle_vector(sums[i], sums[i + bit], second),
            )
            for i in range(bit)
        ]
        bit //= 2
    return sums[0]


class DotProduct:
    """The code of one product by dot products."""

    def __init__(self, module: ir.Module, kernel: Gemm, name: str, host: Host, tiling: DotTiling):
        self.module = module
        self.kernel = kernel
        self.name = name
        self.host = host
        self.tiling = tiling
        self.rank = len(kernel.batch)
        self.lanes = host.lanes(KINDS[kernel.dtype].itemsize)
        self.forms = {
            (height, width): self._form(height, width)
            for height, _ in tiling.rows.sizes()
            for width, _ in tiling.columns.sizes()
        }

    def task(
        self, builder: ir.IRBuilder, context: Sequence[ir.Value],
        operands: tuple[ir.Value, ir.Value], scratch: ir.Value, place: tuple[ir.Value, ir.Value],
        fresh: Values,
    ) -> None:  # fmt: skip
        """One block of C: as `OuterProduct.task`, but nothing is ever packed."""
        tiling, kernel = self.tiling, self.kernel
        a, b = operands
        rows = part(builder, place[0], tiling.row_parts)
        columns = part(builder, place[1], tiling.column_parts)

        def column_tile(column: ir.Value, width: int) -> None:
            here_b = at(builder, b, times(builder, column, kernel.b.strides[-1]), kernel.b.dtype)

            def row_tile(row: ir.Value, height: int) -> None:
                offset = times(builder, row, kernel.a.strides[-2])
                here_a = at(builder, a, offset, kernel.a.dtype)
                call = [*context, here_a, here_b, scratch, row, column]
                builder.call(self.forms[height, width], call)

            self._tiles(builder, tiling.rows.sizes(), rows, row_tile)

        self._tiles(builder, tiling.columns.sizes(), columns, column_tile)

    def _tiles(
        self, builder: ir.IRBuilder, sizes: list[tuple[int, int]],
        bounds: tuple[ir.Value, ir.Value], body: Callable[[ir.Value, int], None],
    ) -> None:  # fmt: skip
        """body(first element, size) for the tiles in bounds, which are numbered on."""
        done = 0
        for size, count in sizes:
            skipped = done if done and size != sizes[0][0] else 0

            def one(tile: ir.Value, _: Values, size=size, skipped=skipped) -> None:
                start = times(builder, tile, size)
                body(builder.add(start, number(skipped)) if skipped else start, size)

            low, high = number(done), number(done + count)
            counted(
                builder, clip(builder, bounds[0], low, high), clip(builder, bounds[1], low, high),
                one,
            )  # fmt: skip
            done += count

    def _form(self, height: int, width: int) -> ir.Function:
        types = [POINTER, POINTER, *[I64] * self.rank, POINTER, POINTER, POINTER, I64, I64]
        name = f"{self.name}.dot{height}x{width}"
        made, builder = function(self.module, self.host, name, types)
        context = list(made.args[: 2 + self.rank])
        a, b, scratch, row, column = made.args[2 + self.rank :]
        sums = self._accumulate(builder, height, width, a, b)
        dtype = self.kernel.dtype
        for start, size in chunks(len(sums), self.lanes):
            v = Vectors(builder, self.lanes, self.host)
            total = sum_lanes(v, sums[start : start + size])
            w = Vectors(builder, size, self.host)
            w.store(total, at(builder, scratch, start, dtype), dtype)
        columns = columns_of(width, self.lanes, dtype)
        arguments, numbers, *batch = context
        site = Site(self.kernel, self.host, builder, arguments, numbers, (batch, row, column))
        site.prepare(columns)

        def one_row(down: ir.Value, _: Values) -> None:
            line = at(builder, scratch, times(builder, down, width), dtype)
            for place in columns:
                v = Vectors(builder, place.lanes, self.host)
                product = v.load(at(builder, line, place.start, dtype), dtype)
                site.put(product, down, place)

        if height == 1:
            one_row(number(0), [])
        else:
            counted(builder, number(0), number(height), one_row)
        builder.ret_void()
        return made

    def _accumulate(
        self, builder: ir.IRBuilder, height: int, width: int, a: ir.Value, b: ir.Value
    ) -> Values:
        v = Vectors(builder, self.lanes, self.host)
        dtype, k, lanes = self.kernel.dtype, self.kernel.k, self.lanes
        whole = k // lanes * lanes
        sums: Values = [zeros(v, dtype)] * (height * width)

        def steps(count: int):
            def body(start: ir.Value, sums: Values) -> Values:
                for step in range(count):
                    sums = self._step(builder, (height, width), a, b, start, step * lanes, sums)
                return sums

            return body

        unroll = 2 if len(sums) <= 8 and whole // lanes % 2 == 0 else 1
        sums = counted(builder, number(0), number(whole), steps(unroll), sums, unroll * lanes)
        if k > whole:
            rest = k - whole
            sums = self._step(builder, (height, width), a, b, number(whole), 0, sums, rest)
        return sums

    def _step(
        self, builder: ir.IRBuilder, shape: tuple[int, int], a: ir.Value, b: ir.Value,
        start: ir.Value, offset: int, sums: Values, count: int | None = None,
    ) -> Values:  # fmt: skip
        """Add the products of one vector of k, or of its first `count` lanes."""
        kernel, dtype = self.kernel, self.kernel.dtype
        height, width = shape
        v = Vectors(builder, self.lanes, self.host)

        def load(base: ir.Value, index: int, stride: int, source: str) -> ir.Value:
            place = at(builder, at(builder, base, start, source), index * stride + offset, source)
            return convert(v, _load_first(v, place, source, count), source, dtype)

        down, across = kernel.a.strides[-2], kernel.b.strides[-1]
        rows = [load(a, row, down, kernel.a.dtype) for row in range(height)]
        out = list(sums)
        for column in range(width):
            value = load(b, column, across, kernel.b.dtype)
            for row in range(height):
                place = row * width + column
                out[place] = v.fma(rows[row], value, out[place], dtype)
        return out


def _load_first(v: Vectors, pointer: ir.Value, dtype: str, count: int | None) -> ir.Value:
    """A vector of which only the first `count` lanes are read; the others are 0."""
    if count is None:
        return v.load(pointer, dtype)
    if v.host.vector_bytes >= 32:
        return v.load(pointer, dtype, 1, v.first_lanes(count))
    value: ir.Value = zeros(v, dtype)
    for lane in range(count):
        kind = KINDS[dtype]
        place = at(v.builder, pointer, lane, dtype)
        scalar = v.builder.load(place, typ=kind.lane, align=kind.itemsize)
        value = v.builder.insert_element(value, scalar, ir.Constant(ir.IntType(32), lane))
    return value
