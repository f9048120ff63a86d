"""What happens to the elements of a product: the epilogue's body, on vectors of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import llvmlite.ir as ir

from ..loops.kernel import Access, Gemm, Instruction
from .body import build_body, load_number
from .gemm_code import POINTER, Values, at, number, times
from .gemm_plan import accesses
from .host import Host
from .types import I32, KINDS
from .vector import Vectors

LINE = 64  # bytes of a cache line


@dataclass(frozen=True, slots=True)
class Column:
    """One vector of a tile's row.

    Attributes:
        start: its first element, from the tile's left edge.
        lanes: of its register: fewer than others have, at the right edge of C.
        active: how many of its lanes are elements of C.
    """

    start: int
    lanes: int
    active: int

    def mask(self, v: Vectors) -> ir.Constant | None:
        """The active lanes; None for all."""
        return None if self.active == self.lanes else v.first_lanes(self.active)


def columns_of(count: int, lanes: int, dtype: str) -> list[Column]:
    """The vectors that cover `count` elements, the last one no wider than it has to be."""
    least = max(1, 16 // KINDS[dtype].itemsize)
    found = []
    for start in range(0, count, lanes):
        active = min(lanes, count - start)
        narrow = min(lanes, max(least, 1 << (active - 1).bit_length()))
        found.append(Column(start, narrow, active))
    return found


def load_argument(builder: ir.IRBuilder, arguments: ir.Value, place: int) -> ir.Value:
    """Pointer number `place` of a kernel's arguments."""
    here = builder.gep(arguments, [number(place)], source_etype=POINTER)
    return builder.load(here, typ=POINTER, align=8)


def batch_offset(builder: ir.IRBuilder, access: Access, batch: Sequence[ir.Value]) -> ir.Value:
    """Where a batch's matrix starts, in elements."""
    offset: ir.Value = number(access.offset)
    for index, stride in zip(batch, access.strides):
        if stride:
            offset = builder.add(offset, times(builder, index, stride))
    return offset


class Site:
    """The epilogue at a tile of C: the addresses there, and the code for each vector."""

    def __init__(
        self,
        kernel: Gemm,
        host: Host,
        builder: ir.IRBuilder,
        arguments: ir.Value,
        numbers: ir.Value,
        place: tuple[Sequence[ir.Value], ir.Value, ir.Value],
    ):
        """`place` is (batch indices, row, column) of the tile's corner."""
        self.kernel = kernel
        self.host = host
        self.builder = builder
        self.arguments = arguments
        self.numbers = numbers
        self.batch, self.row, self.column = place
        self.bases: dict[Access, ir.Value] = {}
        # what does not depend on the row is loaded once for each column of the tile
        self.kept: dict[tuple[Access, Column], ir.Value] = {}
        for access in accesses(kernel):
            self.bases[access] = self._base(access)

    def _base(self, access: Access) -> ir.Value:
        builder = self.builder
        offset = batch_offset(builder, access, self.batch)
        *_, down, across = access.strides
        offset = builder.add(offset, times(builder, self.row, down))
        offset = builder.add(offset, times(builder, self.column, across))
        return at(
            builder, load_argument(builder, self.arguments, access.argument), offset, access.dtype
        )

    def prepare(self, columns: Sequence[Column]) -> None:
        """Load what all rows share, before anything is stored."""
        for x in self.kernel.epilogue:
            if x.name == "load" and x.detail.strides[-2] == 0:
                for column in columns:
                    v = Vectors(self.builder, column.lanes, self.host)
                    value = self._load(v, x.detail, number(0), column)
                    self.kept[x.detail, column] = value

    def prefetch(self, down: ir.Value, width: int) -> None:
        """Ask for a row's memory in good time: that of every access that runs along rows.

        Args:
            down: the row, from the tile's top.
            width: its elements.
        """
        flags = [ir.Constant(I32, flag) for flag in (0, 3, 1)]  # to read, to keep, data
        v = Vectors(self.builder, 1, self.host)
        for access in dict.fromkeys(accesses(self.kernel)):
            if access.strides[-1] != 1 or not access.strides[-2]:
                continue
            for start in range(0, width, LINE // KINDS[access.dtype].itemsize):
                place = self._pointer(access, down, Column(start, 1, 1))
                v.intrinsic("llvm.prefetch.p0", ir.VoidType(), place, *flags)

    def _pointer(self, access: Access, down: ir.Value, column: Column) -> ir.Value:
        *_, row_stride, stride = access.strides
        if isinstance(down, ir.Constant):
            offset = down.constant * row_stride + column.start * stride
            return at(self.builder, self.bases[access], offset, access.dtype)
        offset = times(self.builder, down, row_stride)
        here = at(self.builder, self.bases[access], offset, access.dtype)
        return at(self.builder, here, column.start * stride, access.dtype)

    def _load(self, v: Vectors, access: Access, down: ir.Value, column: Column) -> ir.Value:
        pointer = self._pointer(access, down, column)
        return v.load(pointer, access.dtype, access.strides[-1], column.mask(v))

    def put(self, product: ir.Value, down: ir.Value, column: Column) -> None:
        """Compute and store the elements of one vector, `down` rows from the tile's top."""
        v = Vectors(self.builder, column.lanes, self.host)
        rank = len(self.kernel.batch)

        def index(dimension: int) -> ir.Value:
            if dimension < rank:
                return v.splat(self.batch[dimension])
            if dimension == rank:
                return v.splat(self.builder.add(self.row, down))
            return v.ramp(self.builder.add(self.column, number(column.start)), 1)

        def leaf(x: Instruction) -> ir.Value:
            if x.name == "product":
                return product
            if x.name == "number":
                return load_number(v, self.numbers, x)
            if x.name == "index":
                return index(x.detail)
            kept = self.kept.get((x.detail, column))
            return self._load(v, x.detail, down, column) if kept is None else kept

        values = build_body(v, self.kernel.epilogue, leaf)
        for access, position in self.kernel.stores:
            pointer = self._pointer(access, down, column)
            stride = access.strides[-1]
            v.store(values[position], pointer, access.dtype, stride, column.mask(v))

    def put_all(self, rows: Sequence[Values], columns: Sequence[Column]) -> None:
        """Compute and store a tile that is in registers."""
        self.prepare(columns)
        for down, row in enumerate(rows):
            for product, column in zip(row, columns, strict=True):
                self.put(product, number(down), column)
