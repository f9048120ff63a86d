"""Pieces of kernels: the work of one block of a kernel's outer points, or of some points only.

A kernel's dimensions are numbered here as its outer ones (a product's batch), then its inner ones
(a product's m, n and k).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .kernel import Access, Gemm, Instruction, Loop, Stage

# an access, with the dimensions that its strides are for, anew
Change = Callable[[Access, tuple[int, ...]], Access]
# a dimension that an "index" names, anew, and what to add to it
Shift = Callable[[int], tuple[int, int]]


class Unfit(Exception):
    """A kernel that cannot be cut so."""


@dataclass(frozen=True, slots=True)
class Block:
    """The work of one block.

    Attributes:
        kernel: of the block.
        arguments: for each of the kernel's, (the whole kernel's argument, strides in bytes along
            `sizes`).
        sizes: the dimensions along which there are blocks.
    """

    kernel: Loop | Gemm
    arguments: tuple[tuple[int, tuple[int, ...]], ...]
    sizes: tuple[int, ...]


def dimensions(kernel: Loop | Gemm) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sizes of the outer and of the inner dimensions."""
    if isinstance(kernel, Gemm):
        return kernel.batch, (kernel.m, kernel.n, kernel.k)
    return kernel.outer, kernel.inner


def block_of(kernel: Loop | Gemm, count: int) -> Block:
    """One block's work, where the outer points make `count` blocks in row-major order.

    Raises:
        Unfit: blocks would not begin where rows of points do, or work depends on their number.
    """
    outer, inner = dimensions(kernel)
    lead, part = _lead(outer, count)
    split = lead - 1 if part != outer[lead - 1] else None
    left: tuple[int, ...] = () if split is None else (outer[split] // part,)
    sizes = (*outer[: lead - 1], part)
    found: dict[tuple[int, tuple[int, ...]], int] = {}

    def access(x: Access, dims: tuple[int, ...]) -> Access:
        steps = list(x.strides)
        if split is not None:
            steps[split : split + 1] = [steps[split] * left[0], steps[split]]
        size = 2 if x.dtype == "bfloat16" else np.dtype(x.dtype).itemsize
        key = x.argument, tuple(size * step for step in steps[:lead])
        return replace(x, argument=found.setdefault(key, len(found)), strides=tuple(steps[lead:]))

    def index(d: int) -> tuple[int, int]:
        if d < lead:
            raise Unfit
        return d - lead + len(left), 0

    changed = _changed(kernel, (*left, *outer[lead:]), inner, access, index)
    return Block(changed, tuple(found), sizes)


def _lead(outer: tuple[int, ...], count: int) -> tuple[int, int]:
    """How many outer dimensions number the blocks, and the size of the last one's part."""
    left = count
    for place, size in enumerate(outer, 1):
        if size and left % size == 0 and left != size:
            left //= size
        elif size and size % left == 0:
            return place, left
        else:
            break
    raise Unfit


def sliced(kernel: Loop | Gemm, dim: int, start: int, size: int) -> Loop | Gemm:
    """The kernel for the points from `start` on of a dimension only, `size` of them.

    Accesses lie where they lay: their offsets grow.
    """
    outer, inner = dimensions(kernel)
    sizes = [*outer, *inner]
    if (start, size) == (0, sizes[dim]):
        return kernel
    sizes[dim] = size

    def access(x: Access, dims: tuple[int, ...]) -> Access:
        if dim not in dims:
            return x
        return replace(x, offset=x.offset + start * x.strides[dims.index(dim)])

    def index(d: int) -> tuple[int, int]:
        return d, start if d == dim else 0

    split = len(outer)
    return _changed(kernel, tuple(sizes[:split]), tuple(sizes[split:]), access, index)


def by_rows(kernel: Loop | Gemm, times: int) -> Loop | Gemm:
    """A kernel without a batch whose rows (m) are `times` outer points; a Loop's are such."""
    if isinstance(kernel, Loop):
        return kernel
    if kernel.batch or any(x.name == "index" for x in kernel.epilogue):
        raise Unfit
    rows = kernel.m // times

    def access(x: Access, dims: tuple[int, ...]) -> Access:
        step = x.strides[0] * rows if dims[0] == 0 else 0
        return replace(x, strides=(step, *x.strides))

    inner = (rows, kernel.n, kernel.k)
    return _changed(kernel, (times,), inner, access, lambda d: (d + 1, 0))


def with_accesses(kernel: Loop | Gemm, change: Change) -> Loop | Gemm:
    """The kernel with other accesses."""
    outer, inner = dimensions(kernel)
    return _changed(kernel, outer, inner, change, lambda d: (d, 0))


def accesses_of(kernel: Loop | Gemm) -> list[tuple[Access, tuple[int, ...], bool]]:
    """Every access, the dimensions that its strides are for, and whether it is a store."""
    outer, inner = dimensions(kernel)
    rank = len(outer)
    points = tuple(range(rank + len(inner)))
    if isinstance(kernel, Loop):
        bodies = [(stage.body, stage.row) for stage in kernel.stages]
        loads = [x for pair in bodies for body in pair for x in body]
        stores = [a for s in kernel.stages for a, _ in (*s.stores, *s.row_stores)]
        found = []
    else:
        points = points[:-1]
        loads, stores = list(kernel.epilogue), [a for a, _ in kernel.stores]
        batch = points[:rank]
        found = [
            (kernel.a, (*batch, rank, rank + 2), False),
            (kernel.b, (*batch, rank + 2, rank + 1), False),
        ]
    found += [(x.detail, points, False) for x in loads if x.name == "load"]
    return found + [(access, points, True) for access in stores]


def _changed(
    kernel: Loop | Gemm, outer: tuple[int, ...], inner: tuple[int, ...], access: Change,
    index: Shift,
) -> Loop | Gemm:  # fmt: skip
    """A kernel of other sizes, with its accesses and its indices changed."""
    rank = len(dimensions(kernel)[0])
    if isinstance(kernel, Gemm):
        batch = tuple(range(rank))
        dims = (*batch, rank, rank + 1)
        epilogue, where = _body(kernel.epilogue, dims, access, index)
        stores = tuple((access(x, dims), where[n]) for x, n in kernel.stores)
        m, n, k = inner
        return Gemm(
            outer, m, n, k, kernel.dtype, access(kernel.a, (*batch, rank, rank + 2)),
            access(kernel.b, (*batch, rank + 2, rank + 1)), epilogue, stores,
        )  # fmt: skip
    dims = tuple(range(rank + len(kernel.inner)))
    stages = []
    for stage in kernel.stages:
        body, where = _body(stage.body, dims, access, index)
        row, row_where = _body(stage.row, dims, access, index)
        stages.append(
            Stage(
                body,
                tuple(replace(r, value=where[r.value]) for r in stage.reductions),
                tuple((access(x, dims), where[n]) for x, n in stage.stores),
                row,
                tuple(row_where[n] for n in stage.row_results),
                tuple((access(x, dims), row_where[n]) for x, n in stage.row_stores),
            )
        )
    return Loop(outer, inner, tuple(stages))


def _body(
    body: tuple[Instruction, ...], dims: tuple[int, ...], access: Change, index: Shift
) -> tuple[tuple[Instruction, ...], list[int]]:
    """A body anew, and where its values are in it."""
    out: list[Instruction] = []
    where: list[int] = []
    for x in body:
        start = 0
        if x.name == "load":
            x = replace(x, detail=access(x.detail, dims))
        elif x.name == "index":
            dim, start = index(x.detail)
            x = replace(x, detail=dim)
        out.append(replace(x, operands=tuple(where[place] for place in x.operands)))
        if start:
            out.append(Instruction("constant", (), x.dtype, start))
            out.append(Instruction("add", (len(out) - 2, len(out) - 1), x.dtype))
        where.append(len(out) - 1)
    return tuple(out), where
