"""The space a Loop kernel runs over: which dimensions there are, and where vectors lie in it.

Dimensions of size 1 go, neighbours that every access walks through as one become one, and one
dimension is the *axis*: vectors run along it. It is the last inner dimension (a row's elements
in the lanes, "within") or, for elementwise kernels and reductions over leading dimensions, an
outer one (every lane a row of its own, "across").
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..loops.kernel import Access, Instruction, Loop, Stage
from .host import Host
from .maths import COSTS
from .types import KINDS

TASK = 16384  # elements a task has, about: some microseconds
# Rows of few elements with much to do go side by side, though their elements must be gathered.
_NARROW, _GATHERING_PAYS = 12, 24
_SHORT = 4  # native vectors of a row that is not looped over
_TURNED = 4  # vectors of a unit of work that jumps through memory


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of the axis: `trips` vectors of `lanes` elements from `start` on.

    Attributes:
        live: how many lanes count: fewer than `lanes` only in the last segment, of one trip.
    """

    start: int
    trips: int
    lanes: int
    live: int


@dataclass(frozen=True, slots=True)
class Space:
    """A kernel's dimensions, simplified.

    Attributes:
        outer, inner: sizes; `inner` is empty for elementwise kernels.
        sources: for each dimension, outer then inner, the kernel's dimensions it was made of.
        across: whether the axis is the last outer dimension; the last inner one otherwise.
        cuts: the axis's segments, for each stage: all alike if `across`.
        trips: how many of the first segment's vectors are one unit of work ("across" only).
        turned: whether units that follow each other differ in the last dimension of `rest`, not
            in the block: where an access jumps along the axis but not there, what a jump
            brought into the cache is used before it is gone.
    """

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    sources: tuple[tuple[int, ...], ...]
    across: bool
    cuts: tuple[tuple[Segment, ...], ...]
    trips: int
    turned: bool = False

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Of the axis, if `across`."""
        return self.cuts[0]

    @property
    def rest(self) -> tuple[int, ...]:
        """The outer dimensions without the axis: a unit of work is at one point of them."""
        return self.outer[:-1] if self.across else self.outer

    @property
    def rows_axis(self) -> int | None:
        """The kernel's dimension that the axis is, if lanes are rows; None if they are not."""
        if not self.across or not self.sources[0]:
            return None
        return self.sources[len(self.outer) - 1][-1]

    @property
    def blocks(self) -> int:
        """How many units the axis is cut into."""
        return max(1, -(-self.segments[0].trips // self.trips)) if self.across else 1

    @property
    def units(self) -> int:
        """Units of work: a point of `rest`, and a block of the axis."""
        return math.prod(self.rest) * self.blocks

    @property
    def units_per_task(self) -> int:
        """How many units of work make a task."""
        points = math.prod(self.outer) * math.prod(self.inner)
        return max(1, TASK * self.units // max(points, 1))

    def strides(self, access: Access) -> tuple[int, ...]:
        """An access's strides along this space's dimensions."""
        # dimensions that became one are contiguous: the last one's stride is the step
        return tuple(access.strides[source[-1]] if source else 0 for source in self.sources)


def accesses(kernel: Loop) -> Iterator[Access]:
    """Every load's and store's access, stores first."""
    for stage in kernel.stages:
        yield from (access for access, _ in (*stage.stores, *stage.row_stores))
    for instruction in instructions(kernel):
        if instruction.name == "load":
            yield instruction.detail


def instructions(kernel: Loop) -> Iterator[Instruction]:
    """Every instruction of every body."""
    for stage in kernel.stages:
        yield from stage.body
        yield from stage.row


def is_elementwise(kernel: Loop) -> bool:
    """Whether nothing is reduced, and nothing done once a row."""
    return not any(s.reductions or s.row or s.row_stores for s in kernel.stages)


# All dimensions have size 1: an axis of one element.
_ONE_POINT = Space((1,), (), ((),), True, ((Segment(0, 1, 1, 1),),), 1)


def lay_out(kernel: Loop, host: Host) -> Space:
    """The space in which a kernel's code runs on a host."""
    sizes = (*kernel.outer, *kernel.inner)
    split = len(sizes) if is_elementwise(kernel) else len(kernel.outer)
    found = list(accesses(kernel))
    indexed = {i.detail for i in instructions(kernel) if i.name == "index"}
    groups = [(d,) for d in range(len(sizes))]
    outer = _merged([g for g in groups[:split] if sizes[g[0]] != 1], sizes, found, indexed)
    inner = _merged([g for g in groups[split:] if sizes[g[0]] != 1], sizes, found, indexed)
    if is_elementwise(kernel):
        outer = _ordered(kernel, outer)
        outer = _merged(outer, sizes, found, indexed)
    # what stays the same all along a row is read once, and does not matter
    walking = [a for a in found if any(a.strides[d] for group in inner for d in group)]
    across = not inner or (bool(outer) and _smoother(outer[-1][-1], inner[-1][-1], walking))
    if across and not outer:
        return _ONE_POINT
    counts = [tuple(math.prod(sizes[d] for d in g) for g in part) for part in (outer, inner)]
    if not across and outer and math.prod(counts[1]) <= _NARROW and counts[0][-1] >= _NARROW:
        across = _total_cost(kernel) >= _GATHERING_PAYS
    size = (counts[0] if across else counts[1])[-1]
    axis = (outer if across else inner)[-1][-1]
    jumps = any(a.strides[axis] not in (0, 1) for a in found)
    native = native_lanes(kernel, host)
    # lanes that are rows stay together through all stages
    together = [kernel.stages] * len(kernel.stages) if across else [(s,) for s in kernel.stages]
    widths = [1 if jumps else _width(s, host, across, size // native) for s in together]
    cuts = tuple(segments(size, native, width) for width in widths)
    turned = jumps and across and not inner and len(outer) > 1
    inside = math.prod(counts[1]) if across else 1
    trips = _TURNED if turned else max(1, TASK // (cuts[0][0].lanes * max(inside, 1)))
    return Space(counts[0], counts[1], (*outer, *inner), across, cuts, trips, turned)


def _merged(
    groups: list[tuple[int, ...]],
    sizes: tuple[int, ...],
    found: list[Access],
    indexed: set[int],
) -> list[tuple[int, ...]]:
    out: list[tuple[int, ...]] = []
    for group in groups:
        count = math.prod(sizes[d] for d in group)
        if (
            out
            and not indexed & {*out[-1], *group}
            and all(a.strides[out[-1][-1]] == a.strides[group[-1]] * count for a in found)
        ):
            out[-1] = (*out[-1], *group)
        else:
            out.append(group)
    return out


def _ordered(kernel: Loop, groups: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Dimensions as the first store has them in memory, so that it writes in order."""
    stores = [access for stage in kernel.stages for access, _ in stage.stores]
    if not stores:
        return groups
    return sorted(groups, key=lambda g: -abs(stores[0].strides[g[-1]]))


def _smoother(a: int, b: int, found: list[Access]) -> bool:
    """Whether more accesses are contiguous (or constant) along dimension `a` than along `b`."""

    def score(d: int) -> int:
        return sum(2 if x.strides[d] == 1 else x.strides[d] == 0 for x in found)

    return score(a) > score(b)


def _cost(body: tuple[Instruction, ...]) -> int:
    return sum(COSTS.get(i.name, 1) for i in body)


def _total_cost(kernel: Loop) -> int:
    return sum(_cost(stage.body) + _cost(stage.row) for stage in kernel.stages)


def native_lanes(kernel: Loop, host: Host) -> int:
    """How many elements a vector has: a register full of what the kernel mostly computes on."""
    names = {a.dtype for a in accesses(kernel)}
    names |= {i.dtype for i in instructions(kernel) if i.name != "index"}
    sizes = {KINDS[name].itemsize for name in names if name != "bool"} or {1}
    wide = {size for size in sizes if size >= 4}
    return host.lanes(min(wide) if wide else max(sizes))


def _width(stages: tuple[Stage, ...], host: Host, across: bool, vectors: int) -> int:
    """How many registers a vector fills: more for short bodies, whose latency would be felt.

    Args:
        stages: what is done with one vector.
        across: whether lanes are rows: reductions read longer pieces of memory at a time then.
        vectors: how many native vectors the axis has.
    """
    if not across and 1 < vectors <= _SHORT:
        return 1 << (vectors.bit_length() - 1)  # no loop at all, and nothing waits for the last sum
    cost = max(_cost(stage.body) for stage in stages)
    reduced = any(stage.reductions for stage in stages)
    width = 4 if cost <= 4 else 2 if cost <= 12 or (reduced and not across) else 1
    if across and reduced:
        width *= 2
    if host.registers < 32:
        width = min(width, 8 if across else 2)
    while width > 1 and vectors < 4 * width and vectors % width:
        width //= 2
    return width


def segments(size: int, native: int, width: int) -> tuple[Segment, ...]:
    """An axis of `size` as vectors of width * native elements, then native ones, then a rest."""
    out: list[Segment] = []
    start = 0
    for lanes in dict.fromkeys((width * native, native)):
        trips = (size - start) // lanes
        if trips:
            out.append(Segment(start, trips, lanes, lanes))
            start += trips * lanes
    left = size - start
    if left:
        lanes = 1 << max(left - 1, 0).bit_length()
        out.append(Segment(start, 1, lanes, left))
    return tuple(out) or (Segment(0, 0, 1, 1),)
