"""Copies of a product's operands in the order in which the register tiles read them.

Packed elements lie as [k][group]: all of a group (a tile's rows of A, a panel's columns of B)
for one step of k, then the next; or as [group][k] (`copy_rows`) where the operand has k contiguous
and is only read an element at a time. Half-precision operands are widened on the way.
"""

from __future__ import annotations

import llvmlite.ir as ir

from .conversion import convert
from .gemm_code import Values, at, chunks, counted, lanes_of, least, number, times, transpose, zeros
from .host import Host
from .types import KINDS
from .vector import Vectors

# Groups of A's rows that are packed side by side.
BUNCH = 16
# Steps of k that are packed for all of a group before the next ones.
STRETCH = 64


class Packer:
    """Copies from memory of one dtype to memory of another, at a builder's position."""

    def __init__(self, builder: ir.IRBuilder, host: Host, source: str, target: str):
        self.builder = builder
        self.host = host
        self.source = source
        self.target = target
        self.lanes = host.lanes(KINDS[target].itemsize)
        # Squares of 32 bytes: a third of the shuffles in the code, and no slower than wider ones
        self.square = min(host.vector_bytes, 32) // KINDS[target].itemsize

    def load(self, pointer: ir.Value, lanes: int) -> ir.Value:
        """`lanes` elements of the source, as the target's dtype."""
        v = Vectors(self.builder, lanes, self.host)
        return convert(v, v.load(pointer, self.source), self.source, self.target)

    def store(self, value: ir.Value, pointer: ir.Value) -> None:
        """Put a vector of the target's dtype down."""
        v = Vectors(self.builder, value.type.count, self.host)
        v.store(value, pointer, self.target)

    def group(
        self,
        source: ir.Value,
        target: ir.Value,
        shape: tuple[int, int],
        strides: tuple[int, int],
        length: ir.Value,
        shortest: int,
    ) -> None:
        """Pack `length` steps of k of a group, as [k][width].

        Args:
            shape: (how many of the group's elements exist, width); the rest becomes zeros.
            strides: (of k, of the group), in elements of the source.
            shortest: the least value of `length`.
        """
        valid, width = shape
        along_k, along_group = strides
        if along_group == 1:
            self._lines(source, target, shape, along_k, length)
        elif along_k == 1 and shortest >= self.square:
            self._squares(source, target, shape, along_group, length)
        else:
            self._elements(source, target, shape, strides, length)

    def _lines(
        self, source: ir.Value, target: ir.Value, shape: tuple[int, int], stride: int,
        length: ir.Value,
    ) -> None:  # fmt: skip
        valid, width = shape
        builder = self.builder

        def line(step: ir.Value, _: Values) -> None:
            origin = at(builder, source, times(builder, step, stride), self.source)
            here = at(builder, target, times(builder, step, width), self.target)
            for start, size in chunks(valid, self.lanes):
                value = self.load(at(builder, origin, start, self.source), size)
                self.store(value, at(builder, here, start, self.target))
            for start, size in chunks(width - valid, self.lanes):
                v = Vectors(builder, size, self.host)
                place = at(builder, here, valid + start, self.target)
                self.store(zeros(v, self.target), place)

        counted(builder, number(0), length, line)

    def _squares(
        self, source: ir.Value, target: ir.Value, shape: tuple[int, int], stride: int,
        length: ir.Value,
    ) -> None:  # fmt: skip
        # whole squares, then the elements that are left over beside them, padded; a stretch of
        # k at a time, so that the lines written stay in the nearest cache until they are full
        valid, width = shape
        builder, side = self.builder, self.square
        whole = valid // side * side

        def stretch(begin: ir.Value, _: Values) -> None:
            end = least(builder, builder.add(begin, number(STRETCH)), length)

            def column(first: ir.Value, _: Values) -> None:
                origin = at(builder, source, times(builder, first, stride), self.source)
                here = at(builder, target, first, self.target)
                self._transposed(origin, here, (side, side, width), stride, (begin, end, length))

            counted(builder, number(0), number(whole), column, step=side)
            for start in range(whole, width, side):
                rows = min(side, max(valid - start, 0))
                origin = at(builder, source, start * stride, self.source)
                here = at(builder, target, start, self.target)
                sizes = (rows, min(side, width - start), width)
                self._transposed(origin, here, sizes, stride, (begin, end, length))

        counted(builder, number(0), length, stretch, step=STRETCH)

    def _transposed(
        self, source: ir.Value, target: ir.Value, shape: tuple[int, int, int], stride: int,
        bounds: tuple[ir.Value, ir.Value, ir.Value],
    ) -> None:  # fmt: skip
        # along k; the last square overlaps its neighbour if it has to
        rows, lanes, width = shape
        builder, side = self.builder, self.square
        begin, end, length = bounds
        last = builder.sub(length, number(side))

        def square(position: ir.Value, _: Values) -> None:
            step = least(builder, position, last)
            origin = at(builder, source, step, self.source)
            here = at(builder, target, times(builder, step, width), self.target)
            found = [
                self.load(at(builder, origin, row * stride, self.source), side)
                for row in range(rows)
            ]
            rest = zeros(Vectors(builder, side, self.host), self.target)
            found += [rest] * (side - rows)
            for row, value in enumerate(transpose(builder, found)):
                if lanes < side:
                    value = builder.shuffle_vector(value, value, lanes_of(range(lanes)))
                self.store(value, at(builder, here, row * width, self.target))

        counted(builder, begin, end, square, step=side)

    def _elements(
        self, source: ir.Value, target: ir.Value, shape: tuple[int, int],
        strides: tuple[int, int], length: ir.Value,
    ) -> None:  # fmt: skip
        valid, width = shape
        along_k, along_group = strides
        builder = self.builder

        def line(step: ir.Value, _: Values) -> None:
            origin = at(builder, source, times(builder, step, along_k), self.source)
            here = at(builder, target, times(builder, step, width), self.target)

            def element(index: ir.Value, _: Values) -> None:
                place = at(builder, origin, times(builder, index, along_group), self.source)
                self.store(self.load(place, 1), at(builder, here, index, self.target))

            counted(builder, number(0), number(valid), element)
            one = zeros(Vectors(builder, 1, self.host), self.target)
            counted(
                builder,
                number(valid),
                number(width),
                lambda index, _: self.store(one, at(builder, here, index, self.target)),
            )

        counted(builder, number(0), length, line)

    def strips(
        self, source: ir.Value, target: ir.Value, height: int, count: ir.Value,
        strides: tuple[int, int], shape: tuple[int, ir.Value],
    ) -> None:  # fmt: skip
        """Pack `count` groups of `height` rows of A that follow each other, each as [k][height].

        A step of k is read for BUNCH groups at a time, because steps may lie on pages of their own.

        Args:
            strides: (of k, of the rows), in elements of the source.
            shape: (how far apart two packed rows lie on average, steps of k).
        """
        builder = self.builder
        along_k, along_rows = strides
        pitch, length = shape
        pieces = chunks(height, self.lanes if along_rows == 1 else 1)

        def bunch(first: ir.Value, _: Values) -> None:
            end = least(builder, builder.add(first, number(BUNCH)), count)

            def line(step: ir.Value, _: Values) -> None:
                origin = at(builder, source, times(builder, step, along_k), self.source)
                place = at(builder, target, times(builder, step, height), self.target)

                def strip(index: ir.Value, _: Values) -> None:
                    row = times(builder, index, height)
                    read = at(builder, origin, times(builder, row, along_rows), self.source)
                    written = at(builder, place, times(builder, row, pitch), self.target)
                    for start, size in pieces:
                        piece = at(builder, read, start * along_rows, self.source)
                        self.store(self.load(piece, size), at(builder, written, start, self.target))

                counted(builder, first, end, strip)

            counted(builder, number(0), length, line)

        counted(builder, number(0), count, bunch, step=BUNCH)

    def copy_rows(
        self, source: ir.Value, target: ir.Value, rows: ir.Value, stride: int, pitch: int,
        length: ir.Value, shortest: int,
    ) -> None:  # fmt: skip
        """Copy `rows` rows of `length` contiguous elements, to rows that lie `pitch` apart."""
        builder = self.builder
        lanes = self.lanes if shortest >= self.lanes else 1
        last = builder.sub(length, number(lanes))

        def row(index: ir.Value, _: Values) -> None:
            origin = at(builder, source, times(builder, index, stride), self.source)
            here = at(builder, target, times(builder, index, pitch), self.target)

            def piece(position: ir.Value, _: Values) -> None:
                step = least(builder, position, last)
                value = self.load(at(builder, origin, step, self.source), lanes)
                self.store(value, at(builder, here, step, self.target))

            counted(builder, number(0), length, piece, step=lanes)

        counted(builder, number(0), rows, row)
