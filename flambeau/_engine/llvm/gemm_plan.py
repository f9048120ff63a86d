"""How a matrix product is cut: register tiles, packed panels, blocks of k, and tasks.

The scheme is Goto's and BLIS's (K. Goto and R. van de Geijn, *Anatomy of High-Performance Matrix
Multiplication*, ACM TOMS 34(3), 2008; F. Van Zee and R. van de Geijn, *BLIS*, ACM TOMS 41(3),
2015): a tile of C stays in registers while k runs; B is read from panels that are as wide as a
tile and lie in the second-level cache; A is read an element at a time and broadcast.
All sizes are known when code is made, so that tiles are balanced (11 + 11 + 10 rows for 32, not
14 + 14 + 4), and nothing here depends on how many threads will run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ..loops.kernel import Access, Gemm, Instruction
from .host import Host
from .maths import COSTS

ALIGNMENT = 64  # of scratch memory
# A level-one cache has 8 ways at least, so that the rows of A that a tile reads side by side stay
# there however far apart they lie: A need not be packed.
MOST_ROWS = 8
# A tile is up to so many vectors wide; more, with as many accumulators, where m is small: B is then
# read in longer pieces.
MOST_VECTORS, MOST_ACCUMULATORS = 6, 24
# Bytes of A that a task packs at most, unless a row tile has more. They are read in their order, so
# they may lie beyond the second-level cache.
PACKED_ROWS = 8 << 20
# Rows of A are packed if steps of k lie so many vectors apart. Few sets of the caches take lines
# that are far from each other; and the narrower the tiles are, the more often each line is read.
VECTORS_APART = 64
# Cycles to pack one element of B.
PACK_CYCLES = 0.5
# What one more form of tile costs, for the time to compile it: so many cycles, but no more than
# this share of the run's.
FORM_CYCLES = 40_000
FORM_SHARE = 0.03
# Bytes a cycle that come from the second-level cache or beyond, and vector instructions a cycle:
# for estimates.
BANDWIDTH = 20
ISSUE = 2
# A task is worth having if it takes so many cycles (some 20 us). That makes up to MANY_TASKS;
# there are more of them, up to MOST_TASKS, where they are large.
TASK_CYCLES = 70_000
MANY_TASKS = 16
LARGE_TASK_CYCLES = 1_000_000
MOST_TASKS = 64
# An epilogue of at most so many instructions, on a whole tile, is worked on the accumulators
# themselves: longer ones take too long to compile.
INLINE = 160


@dataclass(frozen=True, slots=True)
class Split:
    """`count` things in `parts` parts whose sizes differ by one at most, larger ones first."""

    count: int
    parts: int

    @property
    def large(self) -> int:
        """The size of the larger parts."""
        return -(-self.count // self.parts)

    def sizes(self) -> list[tuple[int, int]]:
        """(size, how many parts have it), for the one or two sizes that occur."""
        small, larger = divmod(self.count, self.parts)
        found = [(small + 1, larger), (small, self.parts - larger)]
        return [(size, parts) for size, parts in found if size and parts]


@dataclass(frozen=True, slots=True)
class Tiling:
    """The cut of one Gemm.

    Attributes:
        lanes: elements of a vector.
        rows: m, in tiles.
        width: vectors of a panel.
        panels: how many panels n has; the last one may be narrower.
        depth: how much of k a block has.
        blocks: how many blocks k has; the last one may be shorter.
        pack_a, pack_b: whether a task copies its rows of A, its panels of B into the scratch memory
            first.
        row_parts, column_parts: how many tasks the tiles' rows and the panels are dealt to.
        inline: whether the epilogue works on the accumulators; otherwise it reads them back
            from memory, in a loop.
        prefetch: whether the epilogue's memory is asked for before the sum begins.
    """

    lanes: int
    rows: Split
    width: int
    panels: int
    depth: int
    blocks: int
    pack_a: bool
    pack_b: bool
    row_parts: Split
    column_parts: Split
    inline: bool
    prefetch: bool

    @property
    def parts(self) -> int:
        """How many tasks each matrix of a batch makes."""
        return self.row_parts.parts * self.column_parts.parts

    @property
    def rows_stay(self) -> bool:
        """Whether tasks that follow each other have rows of A in common, rather than panels of B:
        whichever leaves less to pack."""
        again = self.pack_b * self.column_parts.count * self.width * self.lanes
        again *= self.row_parts.parts - 1
        return again < self.pack_a * self.rows.count * (self.column_parts.parts - 1)

    def lengths(self, k: int) -> list[int]:
        """How much of k each kind of block has: all but the last one, and the last one."""
        return [self.depth, k - (self.blocks - 1) * self.depth]


@dataclass(frozen=True, slots=True)
class DotTiling:
    """The cut of a product that is computed as dot products.

    Attributes:
        rows, columns: m and n, in tiles.
        row_parts, column_parts: how many tasks the tiles are dealt to.
    """

    rows: Split
    columns: Split
    row_parts: Split
    column_parts: Split

    @property
    def parts(self) -> int:
        """How many tasks each matrix of a batch makes."""
        return self.row_parts.parts * self.column_parts.parts

    @property
    def scratch(self) -> int:
        """Elements of scratch memory: a tile, and a vector beyond."""
        return self.rows.large * self.columns.large + ALIGNMENT


def itemsize(dtype: str) -> int:
    """Bytes of an element; half-precision names that NumPy does not know included."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def accesses(kernel: Gemm) -> list[Access]:
    """Every access of the epilogue: its loads, then its stores."""
    loads = [x.detail for x in kernel.epilogue if x.name == "load"]
    return loads + [access for access, _ in kernel.stores]


def epilogue_cost(kernel: Gemm) -> int:
    """About how many vector instructions the epilogue takes."""
    return sum(COSTS.get(x.name, 1) for x in kernel.epilogue)


def argument_count(kernel: Gemm) -> int:
    """How many pointers the kernel takes, without the scratch memory that follows them."""
    everything = [kernel.a, kernel.b, *accesses(kernel)]
    return 1 + max(access.argument for access in everything)


def simplify(kernel: Gemm) -> Gemm:
    """An equal kernel: no batch dimensions of size 1, nor such as are more rows of one matrix; and
    n is not 1 unless m is."""
    keep = [d for d, size in enumerate(kernel.batch) if size != 1]
    if len(keep) < len(kernel.batch):
        kernel = _with_dimensions(kernel, keep)
    while kernel.batch and _is_more_rows(kernel):
        size = kernel.batch[-1]
        kernel = replace(kernel, m=size * kernel.m, batch=(*kernel.batch[:-1], 1))
        kernel = _with_dimensions(kernel, list(range(len(kernel.batch) - 1)))
    if kernel.n == 1 < kernel.m:
        kernel = transposed(kernel)
    return kernel


def _is_more_rows(kernel: Gemm) -> bool:
    """Whether the last batch dimension shares B, and continues the rows of all else."""
    if kernel.b.strides[-3] or any(x.name == "index" for x in kernel.epilogue):
        return False
    return all(x.strides[-3] == kernel.m * x.strides[-2] for x in (kernel.a, *accesses(kernel)))


def _with_dimensions(kernel: Gemm, keep: list[int]) -> Gemm:
    rank = len(kernel.batch)
    order = [*keep, rank, rank + 1]

    def access(x: Access) -> Access:
        return replace(x, strides=tuple(x.strides[d] for d in order))

    def index(dimension: int) -> int | None:
        return order.index(dimension) if dimension in order else None

    mapped = _map_epilogue(kernel, access, index)
    return replace(mapped, batch=tuple(kernel.batch[d] for d in keep))


def transposed(kernel: Gemm) -> Gemm:
    """The same products with m and n (and a and b) exchanged: C' = B' A'."""
    rank = len(kernel.batch)

    def access(x: Access) -> Access:
        *batch, row, column = x.strides
        return replace(x, strides=(*batch, column, row))

    def index(dimension: int) -> int:
        return 2 * rank + 1 - dimension if dimension >= rank else dimension

    mapped = _map_epilogue(kernel, access, index)
    return replace(mapped, m=kernel.n, n=kernel.m, a=mapped.b, b=mapped.a)


def _map_epilogue(kernel: Gemm, access, index) -> Gemm:
    """Every access, and every dimension that an "index" names, replaced."""
    epilogue = []
    for x in kernel.epilogue:
        if x.name == "load":
            x = replace(x, detail=access(x.detail))
        elif x.name == "index":
            place = index(x.detail)
            x = (
                Instruction("constant", (), x.dtype, 0)
                if place is None
                else replace(x, detail=place)
            )
        epilogue.append(x)
    stores = tuple((access(x), position) for x, position in kernel.stores)
    return replace(
        kernel,
        a=access(kernel.a),
        b=access(kernel.b),
        epilogue=tuple(epilogue),
        stores=stores,
    )


def tile(m: int, vectors: int, k: int, host: Host) -> tuple[float, Split, int]:
    """(cycles, rows, vectors): the best register tile, by a count of cycles.

    Tiles have the accumulators in registers, with a row of B and an element of A, or a column of A
    and a vector of B.
    """
    best = (float("inf"), Split(m, m), 1)
    limit = max(MOST_VECTORS, MOST_ACCUMULATORS * host.registers // 32 // m)
    for width in range(1, min(vectors, limit) + 1):
        most = max(r for r in range(1, MOST_ROWS + 1) if r == 1 or _fits(r, width, host))
        rows = Split(m, -(-m // most))
        whole, rest = divmod(vectors, width)
        forms = [
            (height, tiles, columns, panels)
            for columns, panels in ((width, whole), (rest, 1))
            for height, tiles in rows.sizes()
            if columns and panels
        ]
        cost = sum(
            tiles * panels * _tile_cycles(height, columns)
            for height, tiles, columns, panels in forms
        )
        cost = _with_forms(cost * max(1, k), len(forms))
        if cost < best[0]:
            best = (cost, rows, width)
    return best


def _fits(rows: int, vectors: int, host: Host) -> bool:
    return rows * vectors + min(rows, vectors) + 1 < host.registers


def _with_forms(cycles: float, forms: int) -> float:
    """The cost of a cut that takes `cycles`, with what its forms of tile cost."""
    return cycles + forms * min(FORM_CYCLES, FORM_SHARE * cycles)


def _tile_cycles(rows: int, vectors: int) -> float:
    # for a step of k: multiply-adds, or loads where those take longer (two broadcasts a cycle),
    # or the latency of one multiply-add; then what each visit costs, which favours large tiles
    cycles = max(rows * vectors, vectors + rows / 2, 4)
    return cycles + 0.4 + 0.1 * vectors + 0.05 * rows


def plan(kernel: Gemm, host: Host) -> Tiling | DotTiling:
    """The cut of a kernel that `simplify` has been at."""
    outer, dot = _plan_outer(kernel, host), _plan_dot(kernel, host)
    return outer[1] if dot is None or outer[0] <= dot[0] else dot[1]


def _plan_dot(kernel: Gemm, host: Host) -> tuple[float, DotTiling] | None:
    """The best cut into dot products, and about how many cycles it takes; None if k is not
    contiguous."""
    if (kernel.a.strides[-1], kernel.b.strides[-2]) != (1, 1) or not kernel.k:
        return None
    lanes = host.lanes(itemsize(kernel.dtype))
    steps = -(-kernel.k // lanes)
    best: tuple[float, Split, Split] = (float("inf"), Split(1, 1), Split(1, 1))
    for height in range(1, min(kernel.m, MOST_ROWS) + 1):
        for width in range(1, min(kernel.n, MOST_ROWS) + 1):
            if not _fits(height, width, host):
                break
            rows = Split(kernel.m, -(-kernel.m // height))
            columns = Split(kernel.n, -(-kernel.n // width))
            cost = sum(
                across * down * _dot_cycles(h, w, steps)
                for h, down in rows.sizes()
                for w, across in columns.sizes()
            )
            cost = _with_forms(cost, len(rows.sizes()) * len(columns.sizes()))
            if cost < best[0]:
                best = (cost, rows, columns)
    cost, rows, columns = best
    wanted = _tasks_wanted(kernel, cost, lanes)
    column_parts = min(columns.parts, wanted)
    row_parts = min(rows.parts, -(-wanted // column_parts))
    parts = Split(rows.parts, row_parts), Split(columns.parts, column_parts)
    return cost, DotTiling(rows, columns, *parts)


def _dot_cycles(rows: int, columns: int, steps: int) -> float:
    # loads and multiply-adds of each vector of k, then the sums of lanes, then the visit
    count = rows * columns
    return max(count, rows + columns, 4) * steps * 1.3 + 3 * count + 10 * rows + 20


def _plan_outer(kernel: Gemm, host: Host) -> tuple[float, Tiling]:
    """The best cut into outer products, and about how many cycles it takes."""
    size = itemsize(kernel.dtype)
    lanes = host.lanes(size)
    vectors = -(-kernel.n // lanes)
    cost, rows, width = tile(kernel.m, vectors, kernel.k, host)
    packs = _packs_b(kernel, lanes, host)
    if packs:
        cost += PACK_CYCLES * kernel.n * kernel.k
    panels = -(-vectors // width)
    # half of the L2 cache is for B: k is cut if it does not take all of k of a panel
    packs_a = _packs_a(kernel, host)
    once = rows.parts == 1 and not packs  # every panel is read only once
    room = host.l2 // 2 // (width * lanes * size)
    blocks = 1 if once else max(1, -(-kernel.k // room))
    depth = -(-kernel.k // blocks)
    blocks = -(-kernel.k // depth) if depth else 1
    fitting = panels if once else max(1, room // max(1, depth))
    wanted = _tasks_wanted(kernel, cost, lanes)
    if packs_a:  # each task may have to pack its rows for itself
        wanted = min(wanted, MANY_TASKS)
    # Columns first: B's panels are then packed once, whichever threads the tasks go to. But rows
    # where the epilogue has much memory, for whole rows of it touch fewer pages.
    prefetch = _touched(kernel) > host.l2 // 2
    columns = -(-panels // fitting)
    if not prefetch:
        columns = max(columns, min(wanted, panels))
    parts = -(-wanted // columns)
    if blocks > 1:  # each part of the rows packs its own B
        parts = min(parts, max(1, kernel.m // 256))
    if packs_a:
        parts = max(parts, -(-kernel.m * depth * size // PACKED_ROWS))
    return cost, Tiling(
        lanes=lanes,
        rows=rows,
        width=width,
        panels=panels,
        depth=depth,
        blocks=blocks,
        pack_a=packs_a,
        pack_b=packs,
        row_parts=Split(rows.parts, min(parts, rows.parts)),
        column_parts=Split(panels, columns),
        inline=blocks == 1 and epilogue_cost(kernel) * rows.large * width <= INLINE,
        prefetch=prefetch,
    )


def _touched(kernel: Gemm) -> int:
    """Bytes that the epilogue reads and writes."""
    each = sum(itemsize(x.dtype) for x in set(accesses(kernel)) if x.strides[-2])
    return prod(kernel.batch) * kernel.m * kernel.n * each


def _packs_a(kernel: Gemm, host: Host) -> bool:
    *_, down, across = kernel.a.strides
    if kernel.a.dtype != kernel.dtype:
        return True
    apart = abs(across) * itemsize(kernel.dtype)
    return down == 1 and apart >= VECTORS_APART * host.vector_bytes and kernel.n >= 128


def _packs_b(kernel: Gemm, lanes: int, host: Host) -> bool:
    *_, down, across = kernel.b.strides
    if kernel.b.dtype != kernel.dtype or (across != 1 and kernel.n > 1):
        return True
    if kernel.n % lanes and host.vector_bytes < 32:
        return True  # the last vector needs masked loads
    # far apart, or on top of each other in the caches: worth a copy that is read often
    pitch = abs(down) * itemsize(kernel.dtype)
    return kernel.m >= 64 and (pitch * kernel.k > host.l2 or pitch % 4096 == 0)


def _tasks_wanted(kernel: Gemm, cycles: float, lanes: int) -> int:
    """How many tasks each matrix of the batch should make, if its product takes `cycles`."""
    matrices = max(1, prod(kernel.batch))
    read = itemsize(kernel.dtype) * kernel.k * (kernel.m + kernel.n)
    finishing = epilogue_cost(kernel) * kernel.m * kernel.n / lanes / ISSUE
    total = matrices * int(max(cycles, read / BANDWIDTH) + finishing)
    wanted = min(max(1, total // TASK_CYCLES), MANY_TASKS)
    wanted = max(wanted, min(total // LARGE_TASK_CYCLES, MOST_TASKS))
    return -(-wanted // matrices)
