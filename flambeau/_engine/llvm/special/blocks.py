"""Copying blocks of memory between layouts."""

from __future__ import annotations

from collections.abc import Sequence

import llvmlite.ir as ir

from .code import Index
from .writer import Writer, contiguous, itemsize, merged

# an argument, its element where the block begins, and the block's strides (None: row-major)
Place = tuple[int, Index, Sequence[int] | None]

_TILE = {4: 8, 8: 8}  # elements of a transposed tile's side, by their size


def copy_block(w: Writer, shape: Sequence[int], source: Place, target: Place) -> None:
    """Copy a block between arguments of one dtype."""
    strides = [contiguous(shape) if place[2] is None else place[2] for place in (source, target)]
    sizes, (reading, writing) = merged(shape, strides)
    if 0 in sizes:
        return
    if not sizes or (reading[-1] == writing[-1] == 1):
        _rows(w, sizes, source, reading, target, writing)
    elif writing[-1] == 1 and 1 in reading and itemsize(w.dtypes[source[0]]) in _TILE:
        _transposed(w, sizes, source, reading, target, writing)
    else:
        with w.nest(sizes) as place:
            value = w.load(source[0], w.add(source[1], w.dot(place, reading)))
            w.store(target[0], w.add(target[1], w.dot(place, writing)), value)


def _rows(
    w: Writer, sizes: list[int], source: Place, reading: list[int], target: Place,
    writing: list[int],
) -> None:  # fmt: skip
    """Rows that are contiguous on both sides: vectors."""
    *outer, row = sizes or [1]
    with w.nest(outer) as place:
        start = w.add(source[1], w.dot(place, reading[:-1]))
        goal = w.add(target[1], w.dot(place, writing[:-1]))

        def copy(at: Index, lanes: int) -> None:
            w.store(target[0], w.add(goal, at), w.load(source[0], w.add(start, at), lanes))

        w.span(0, row, itemsize(w.dtypes[source[0]]), copy)


def _transposed(
    w: Writer, sizes: list[int], source: Place, reading: list[int], target: Place,
    writing: list[int],
) -> None:  # fmt: skip
    """Rows that are columns on the other side: square tiles are turned in registers."""
    dim = reading.index(1)
    side = _TILE[itemsize(w.dtypes[source[0]])]
    outer = [d for d in range(len(sizes) - 1) if d != dim]
    height, width = sizes[dim], sizes[-1]
    step, pitch = reading[-1], writing[dim]
    with w.nest([sizes[d] for d in outer]) as place:
        start = w.add(source[1], w.dot(place, [reading[d] for d in outer]))
        goal = w.add(target[1], w.dot(place, [writing[d] for d in outer]))

        def cell(row: Index, column: Index) -> None:
            at = w.add(start, w.add(row, w.mul(column, step)))
            w.store(target[0], w.add(goal, w.add(w.mul(row, pitch), column)), w.load(source[0], at))

        whole_rows, whole_columns = height // side * side, width // side * side
        with w.loop(0, whole_rows, side) as row, w.loop(0, whole_columns, side) as column:
            at = w.add(start, w.add(row, w.mul(column, step)))
            tile = [w.load(source[0], w.add(at, k * step), side) for k in range(side)]
            out = w.add(goal, w.add(w.mul(row, pitch), column))
            for k, vector in enumerate(turned(w.builder, tile)):
                w.store(target[0], w.add(out, k * pitch), vector)
        with w.loop(0, whole_rows) as row, w.loop(whole_columns, width) as column:
            cell(row, column)
        with w.loop(whole_rows, height) as row, w.loop(0, width) as column:
            cell(row, column)


def turned(builder: ir.IRBuilder, tile: list[ir.Value]) -> list[ir.Value]:
    """The transpose of a square of vectors: log2(side) rounds of perfect shuffles."""
    side = len(tile)
    low = [k // 2 + (k % 2) * side for k in range(side)]
    high = [index + side // 2 for index in low]
    masks = [ir.Constant(ir.VectorType(ir.IntType(32), side), half) for half in (low, high)]
    for _ in range(side.bit_length() - 1):
        pairs = zip(tile[: side // 2], tile[side // 2 :], strict=True)
        tile = [builder.shuffle_vector(a, b, mask) for a, b in pairs for mask in masks]
    return tile
