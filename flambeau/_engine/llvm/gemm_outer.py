"""Products as sums of outer products: register tiles over panels of B.

for each block of k:
    pack A's rows and B's panels, if they are to be packed: `gemm_pack`
    for each row tile:                       the *strip* functions, one for each height
        for each panel:                      registers: `gemm_tile`
            add the outer products of this block
            after the last block, do the epilogue: `gemm_epilogue`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import gcd

import llvmlite.ir as ir

from ..loops.kernel import Gemm
from .gemm_code import Values, at, clip, counted, function, least, number, part, times
from .gemm_epilogue import Column, Site, columns_of
from .gemm_pack import Packer
from .gemm_plan import ALIGNMENT, Tiling, itemsize
from .gemm_tile import Strides, Tile
from .host import Host
from .types import I1, I64, POINTER
from .vector import Vectors


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where things lie in the scratch memory, in elements: B's panels, A's rows, tiles."""

    panel: int
    a: int
    pitch: int
    tiles: int
    tile: int
    total: int

    @classmethod
    def of(cls, kernel: Gemm, tiling: Tiling) -> Scratch:
        """The layout that a tiling needs."""
        unit = ALIGNMENT // itemsize(kernel.dtype)
        rows, width = tiling.rows.large, tiling.width * tiling.lanes
        panel = width * tiling.depth
        panel = -(-panel // unit) * unit
        a = panel * tiling.column_parts.large if tiling.pack_b else 0
        # an odd number of lines, so that rows do not lie on top of each other in the caches
        pitch = (-(-tiling.depth // unit) | 1) * unit
        packed = rows * tiling.row_parts.large * pitch if tiling.pack_a else 0
        tiles = a + -(-packed // unit) * unit
        tile = rows * width
        kept = tiling.row_parts.large * tiling.column_parts.large if tiling.blocks > 1 else 1
        total = tiles + (0 if tiling.inline else kept * tile)
        return cls(panel, a, pitch, tiles, tile, total)


class OuterProduct:
    """The code of one product by outer products of packed or direct operands."""

    def __init__(self, module: ir.Module, kernel: Gemm, name: str, host: Host, tiling: Tiling):
        self.module = module
        self.kernel = kernel
        self.name = name
        self.host = host
        self.tiling = tiling
        self.scratch = Scratch.of(kernel, tiling)
        self.shortest = min(tiling.lengths(kernel.k))
        across = tiling.width * tiling.lanes
        rest = kernel.n - (tiling.panels - 1) * across
        self.full = columns_of(across, tiling.lanes, kernel.dtype)
        self.edge = None if rest == across else columns_of(rest, tiling.lanes, kernel.dtype)
        self.full_panels = tiling.panels - (self.edge is not None)
        # the last panel has code of its own where it is narrower
        self.rank = len(kernel.batch)
        self.finishers: dict[bool, ir.Function] = {}
        self.strips = {height: self.strip(height) for height, _ in tiling.rows.sizes()}

    # -- a task --------------------------------------------------------------------------

    def task(
        self, builder: ir.IRBuilder, context: Sequence[ir.Value],
        operands: tuple[ir.Value, ir.Value], scratch: ir.Value, place: tuple[ir.Value, ir.Value],
        fresh: Values,
    ) -> None:  # fmt: skip
        """One block of C.

        Args:
            context: what all functions take: arguments, numbers, batch indices.
            place: the block's (row part, column part).
            fresh: whether A's rows, and B's panels, are other ones than those packed last.
        """
        tiles = part(builder, place[0], self.tiling.row_parts)
        panels = part(builder, place[1], self.tiling.column_parts)

        def one_block(step: ir.Value, _: Values) -> None:
            self._block(builder, context, scratch, operands, step, panels, tiles, fresh)

        counted(builder, number(0), number(self.tiling.blocks), one_block)

    def _block(
        self, builder: ir.IRBuilder, context: Sequence[ir.Value], scratch: ir.Value,
        operands: tuple[ir.Value, ir.Value], step: ir.Value, panels: tuple[ir.Value, ir.Value],
        tiles: tuple[ir.Value, ir.Value], fresh: Values,
    ) -> None:  # fmt: skip
        kernel, tiling, dtype = self.kernel, self.tiling, self.kernel.dtype
        a, b = operands
        start: ir.Value = number(0)
        length: ir.Value = number(kernel.k)
        if tiling.blocks > 1:
            start = times(builder, step, tiling.depth)
            length = least(builder, number(tiling.depth), builder.sub(number(kernel.k), start))
        a = at(builder, a, times(builder, start, kernel.a.strides[-1]), kernel.a.dtype)
        b = at(builder, b, times(builder, start, kernel.b.strides[-2]), kernel.b.dtype)
        if tiling.pack_b:
            self._once(builder, fresh[1], lambda: self._pack_b(builder, b, scratch, panels, length))
            b = scratch
        start_a, a_row = number(0), kernel.a.strides[-2]
        if tiling.pack_a:
            rows = at(builder, scratch, self.scratch.a, dtype)
            self._once(builder, fresh[0], lambda: self._pack_a(builder, a, rows, tiles, length))
            a, start_a, a_row = rows, self._row(builder, tiles[0]), self.scratch.pitch
        results = at(builder, scratch, self.scratch.tiles, dtype)
        first = builder.icmp_signed("==", step, number(0))
        last = builder.icmp_signed("==", step, number(tiling.blocks - 1))

        for height, low, high in self._heights(builder, tiles):

            def one_tile(tile: ir.Value, _: Values, height=height):
                row = self._row(builder, tile)
                here = times(builder, builder.sub(row, start_a), a_row)
                tile_place = builder.sub(tile, tiles[0])
                pitch = self.scratch.tile * tiling.column_parts.large
                kept = times(builder, tile_place, pitch if tiling.blocks > 1 else 0)
                values = [
                    *context, at(builder, a, here, dtype), b, at(builder, results, kept, dtype),
                    row, *panels, length, first, last,
                ]  # fmt: skip
                builder.call(self.strips[height], values)

            counted(builder, low, high, one_tile)

    def _row(self, builder: ir.IRBuilder, tile: ir.Value) -> ir.Value:
        """The first row of a tile."""
        rows = self.tiling.rows
        small, larger = divmod(rows.count, rows.parts)
        return builder.add(times(builder, tile, small), least(builder, tile, number(larger)))

    def _heights(
        self, builder: ir.IRBuilder, tiles: tuple[ir.Value, ir.Value]
    ) -> Iterator[tuple[int, ir.Value, ir.Value]]:
        """(height, first tile, end) for each height of tiles in a range."""
        done = 0
        for height, count in self.tiling.rows.sizes():
            low, high = number(done), number(done + count)
            yield height, clip(builder, tiles[0], low, high), clip(builder, tiles[1], low, high)
            done += count

    def _once(self, builder: ir.IRBuilder, fresh: ir.Value, pack: Callable[[], None]) -> None:
        """Code that packs what is fresh: in each of several blocks of k, everything."""
        if self.tiling.blocks > 1:
            pack()
            return
        with builder.if_then(fresh):
            pack()

    def _pack_a(
        self, builder: ir.IRBuilder, a: ir.Value, target: ir.Value,
        tiles: tuple[ir.Value, ir.Value], length: ir.Value,
    ) -> None:  # fmt: skip
        access, dtype, pitch = self.kernel.a, self.kernel.dtype, self.scratch.pitch
        row, step = access.strides[-2:]
        packer = Packer(builder, self.host, access.dtype, dtype)
        begin = self._row(builder, tiles[0])
        source = at(builder, a, times(builder, begin, row), access.dtype)
        if step == 1:
            rows = builder.sub(self._row(builder, tiles[1]), begin)
            packer.copy_rows(source, target, rows, row, pitch, length, self.shortest)
            return
        for height, low, high in self._heights(builder, tiles):
            start = builder.sub(self._row(builder, low), begin)
            here = at(builder, source, times(builder, start, row), access.dtype)
            place = at(builder, target, times(builder, start, pitch), dtype)
            count = builder.sub(high, low)
            packer.strips(here, place, height, count, (step, row), (pitch, length))

    def _pack_b(
        self, builder: ir.IRBuilder, b: ir.Value, scratch: ir.Value,
        panels: tuple[ir.Value, ir.Value], length: ir.Value,
    ) -> None:  # fmt: skip
        access, dtype, tiling = self.kernel.b, self.kernel.dtype, self.tiling
        strides = access.strides[-2], access.strides[-1]

        def pack(columns: list[Column], low: ir.Value, high: ir.Value) -> None:
            def panel(index: ir.Value, _: Values) -> None:
                column = times(builder, index, tiling.width * tiling.lanes)
                source = at(builder, b, times(builder, column, access.strides[-1]), access.dtype)
                place = times(builder, builder.sub(index, panels[0]), self.scratch.panel)
                packer = Packer(builder, self.host, access.dtype, dtype)
                shape = (columns[-1].start + columns[-1].active, _width(columns))
                target = at(builder, scratch, place, dtype)
                packer.group(source, target, shape, strides, length, self.shortest)

            counted(builder, low, high, panel)

        full = number(self.full_panels)
        pack(self.full, panels[0], least(builder, panels[1], full))
        if self.edge:
            start = builder.select(builder.icmp_signed(">", panels[0], full), panels[0], full)
            pack(self.edge, start, panels[1])

    # -- a row of tiles ------------------------------------------------------------------

    def strip(self, height: int) -> ir.Function:
        """A function for a row tile of `height` rows and a range of panels."""
        types = [POINTER, POINTER, *[I64] * self.rank, *[POINTER] * 3, *[I64] * 4, I1, I1]
        made, builder = function(self.module, self.host, f"{self.name}.rows{height}", types)
        context = list(made.args[: 2 + self.rank])
        a, b, results, row, begin, end, length, first, last = made.args[2 + self.rank :]
        if self.tiling.blocks == 1:
            length = number(self.kernel.k)
        strides = self.kernel.a.strides[-2:]
        if self.tiling.pack_a:
            strides = (self.scratch.pitch, 1) if strides[1] == 1 else (1, height)
        state = (a, b, results, row, begin, length, first, last)

        def tiles(columns: list[Column], low: ir.Value, high: ir.Value) -> None:
            counted(
                builder,
                low,
                high,
                lambda panel, _: self._tile(
                    builder, context, state, (height, columns, strides), panel
                ),
            )

        full = number(self.full_panels)
        if self.full_panels:
            tiles(self.full, begin, least(builder, end, full))
        if self.edge:
            with builder.if_then(builder.icmp_signed(">", end, full)):
                tiles(self.edge, full, number(self.full_panels + 1))
        builder.ret_void()
        return made

    def _tile(
        self, builder: ir.IRBuilder, context: list, state: tuple, form: tuple, panel: ir.Value
    ) -> None:
        a, b, results, row, begin, length, first, last = state
        height, columns, (a_row, a_step) = form
        tiling, dtype = self.tiling, self.kernel.dtype
        tile = Tile(builder, self.host, dtype, height, columns)
        across = tiling.width * tiling.lanes
        column = times(builder, panel, across)
        place = builder.sub(panel, begin)
        if tiling.pack_b:
            b = at(builder, b, times(builder, place, self.scratch.panel), dtype)
            b_step = _width(columns)
        else:
            b = at(builder, b, column, dtype)
            b_step = self.kernel.b.strides[-2]
        sums = tile.empty()
        if tiling.blocks > 1:
            results = at(builder, results, times(builder, place, self.scratch.tile), dtype)
            sums = _start(builder, tile, first, results, across)
        arguments, numbers, *batch = context
        site = Site(self.kernel, self.host, builder, arguments, numbers, (batch, row, column))
        strides = Strides(a_row, a_step, b_step)
        operands = (a, b, strides)
        if tiling.prefetch:
            sums = self._sum_and_prefetch(builder, tile, operands, (length, last), sums, site)
        else:
            sums = tile.outer_products(*operands, length, sums, self._unroll(len(sums)))
        if tiling.inline:
            site.put_all(tile.by_row(sums), columns)
            return
        tile.store(results, across, sums)
        call = [*context, results, number(height), row, column]
        with builder.if_then(last):
            builder.call(self._finisher(columns is self.edge), call)

    def _sum_and_prefetch(
        self, builder: ir.IRBuilder, tile: Tile, operands: tuple[ir.Value, ir.Value, Strides],
        extent: tuple[ir.Value, ir.Value], sums: Values, site: Site,
    ) -> Values:  # fmt: skip
        """The sum in as many sections as the tile has rows, each after a row's prefetch.

        All rows at once would keep the loads of the sum waiting: a core has few lines under way.
        """
        a, b, strides = operands
        length, last = extent
        unroll = self._unroll(len(sums))
        steps = builder.udiv(builder.add(length, number(tile.rows * unroll - 1)),
                             number(tile.rows * unroll))  # fmt: skip
        section = times(builder, steps, unroll)
        width = tile.columns[-1].start + tile.columns[-1].active

        def one_section(row: ir.Value, sums: Values) -> Values:
            with builder.if_then(last):
                site.prefetch(row, width)
            start = least(builder, builder.mul(row, section), length)
            count = least(builder, section, builder.sub(length, start))
            here_a = at(builder, a, times(builder, start, strides.a_step), self.kernel.dtype)
            here_b = at(builder, b, times(builder, start, strides.b_step), self.kernel.dtype)
            return tile.outer_products(here_a, here_b, strides, count, sums, unroll)

        return counted(builder, number(0), number(tile.rows), one_section, sums)

    def _unroll(self, accumulators: int) -> int:
        wanted = 4 if accumulators <= 8 else 2 if accumulators <= 16 else 1
        return gcd(wanted, *self.tiling.lengths(self.kernel.k)) or 1

    # -- the epilogue on a tile in memory ------------------------------------------------

    def _finisher(self, edge: bool) -> ir.Function:
        if edge not in self.finishers:
            self.finishers[edge] = self._make_finisher(edge)
        return self.finishers[edge]

    def _make_finisher(self, edge: bool) -> ir.Function:
        types = [POINTER, POINTER, *[I64] * self.rank, POINTER, I64, I64, I64]
        name = f"{self.name}.epilogue{'.edge' if edge else ''}"
        made, builder = function(self.module, self.host, name, types)
        arguments, numbers, *batch = made.args[: 2 + self.rank]
        results, height, row, column = made.args[2 + self.rank :]
        columns = self.edge if edge and self.edge else self.full
        across = self.tiling.width * self.tiling.lanes
        dtype = self.kernel.dtype

        def one_vector(form: Column, down: ir.Value, start: ir.Value, _: Values) -> None:
            corner = (batch, row, builder.add(column, start))
            site = Site(self.kernel, self.host, builder, arguments, numbers, corner)
            v = Vectors(builder, form.lanes, self.host)
            line = at(builder, results, times(builder, down, across), dtype)
            site.put(v.load(at(builder, line, start, dtype), dtype), down, form)

        def one_row(down: ir.Value, _: Values) -> None:
            # vectors that are alike share their code, which may be long
            for (lanes, active), group in groupby(columns, lambda x: (x.lanes, x.active)):
                starts = [x.start for x in group]
                each = partial(one_vector, Column(0, lanes, active), down)
                counted(builder, number(starts[0]), number(starts[-1] + 1), each, step=lanes)

        counted(builder, number(0), height, one_row)
        builder.ret_void()
        return made


def _start(
    builder: ir.IRBuilder, tile: Tile, first: ir.Value, results: ir.Value, pitch: int
) -> Values:
    """Zeros in the first block of k; after it, the sums so far."""
    before = builder.block
    load, go = builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(first, go, load)
    builder.position_at_end(load)
    kept = tile.load(results, pitch)
    builder.branch(go)
    builder.position_at_end(go)
    sums = []
    for zero, value in zip(tile.empty(), kept, strict=True):
        phi = builder.phi(value.type)
        phi.add_incoming(zero, before)
        phi.add_incoming(value, load)
        sums.append(phi)
    return sums


def _width(columns: Sequence[Column]) -> int:
    return columns[-1].start + columns[-1].lanes
