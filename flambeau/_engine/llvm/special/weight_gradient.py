"""The gradient of a convolution for its weights: rows of gradients times shifted planes.

For every output channel o, input channel c and tap k the sum over samples and places of
g[o, place] * plane[c, place + shift(k)]. Gradients are copied with the planes' pitch, and zeros
where a plane has no place; then a tile of outputs and taps keeps vectors of partial sums in
registers while all places of some samples run, and adds its lanes up at the end. A task is some
output channels of one group, with all samples: the order of the sum is fixed by the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import llvmlite.ir as ir

from ...loops.kernel import Special
from ..gemm_plan import Split
from ..host import Host
from ..types import I64
from .code import Index
from .convolution import multiplications
from .planes import Source, clear, fill_planes, forward_source, forward_taps, summed, table, windows
from .table import register
from .writer import Writer, contiguous, element_type, itemsize

_MOST_OUTPUTS = 32  # of a task: the more there are, the less the planes' copy weighs


@dataclass(frozen=True, slots=True)
class Form:
    """How the sums are cut.

    Attributes:
        source: the input's planes, of `rows` places in the first dimension.
        gradients: the output gradients', with the same pitch.
        rows: places of the first dimension in a piece.
        strips: how many pieces of `rows` places a sample makes.
        together: how many pieces are in scratch memory at a time.
        channels, outputs: of a group.
        parts: the outputs of a group, in tasks.
        height: outputs of a tile, at most.
        across: input channels of a tile.
        taps: how the taps are dealt to tiles.
    """

    source: Source
    gradients: Source
    rows: int
    strips: int
    together: int
    channels: int
    outputs: int
    parts: Split
    height: int
    across: int
    taps: Split
    lanes: int

    @property
    def piece(self) -> int:
        """Elements of one plane of all pieces together, and zeros to fill the last vector."""
        return -(-self.together * self.source.plane // self.lanes) * self.lanes

    @property
    def channel(self) -> int:
        """Elements of a channel's planes."""
        return self.piece * len(self.source.phases)

    @property
    def planes(self) -> int:
        """Elements of all planes, and what shifted vectors read beyond the last one."""
        return self.channels * self.channel + self.source.plane + self.lanes

    @property
    def scratch(self) -> int:
        """Elements of scratch memory: planes, then gradients."""
        return self.planes + self.parts.large * self.piece


def _plan(kernel: Special, host: Host) -> Form:
    (dtype, given, _), (_, result, _), (_, shape, _) = kernel.arguments
    groups = dict(kernel.params)["groups"]
    found = windows(kernel, given[2:], shape[2:], result[2:])
    channels, outputs = shape[1], shape[0] // groups
    parts = Split(outputs, max(-(-outputs // _MOST_OUTPUTS), min(outputs // 8, 2), 1))
    lanes, size = host.lanes(itemsize(dtype)), itemsize(dtype)

    def held(rows: int) -> int:
        source = forward_source(0, found, rows)
        return (channels * len(source.phases) + parts.large) * source.plane * size

    rows = found[0].places
    while rows > 1 and held(rows) > host.l2 // 2:
        rows = -(-rows // 2)
    source = forward_source(0, found, rows)
    strips = -(-found[0].places // rows)
    pieces = given[0] * strips
    across, taps = _columns(prod(shape[2:]), channels, 8 if host.registers == 32 else 4)
    # sums, a column of gradients, and a vector of a plane have registers
    height = min((host.registers - 1) // (across * taps.large + 1), 8)
    tile = (height + across) * source.plane * size
    # longer rows make less of the sums at their ends, shorter ones stay in the caches
    most = max(min(host.l2 // 2 // max(held(rows), 1), 2 * host.l1 // tile), 1)
    together = max(n for n in range(1, min(most, pieces) + 1) if pieces % n == 0)
    gradients = Source(
        1, result[2:], (1,) * len(found), (0,) * len(found), ((0,) * len(found),), source.extent
    )
    return Form(
        source, gradients, rows, strips, together, channels, outputs, parts, height, across, taps,
        lanes,
    )  # fmt: skip


def _columns(taps: int, channels: int, most: int) -> tuple[int, Split]:
    """Input channels of a tile, and its taps: up to `most` columns, equally many if possible."""
    if 2 * taps <= most:
        return min(most // taps, channels), Split(taps, 1)
    parts = [n for n in range(1, taps + 1) if taps % n == 0 and 3 <= taps // n <= most]
    return 1, Split(taps, parts[0] if parts else -(-taps // most))


def _tasks(kernel: Special, host: Host) -> int:
    return dict(kernel.params)["groups"] * _plan(kernel, host).parts.parts


def _scratch(kernel: Special, host: Host) -> int:
    return _plan(kernel, host).scratch * itemsize(kernel.arguments[0][0])


@register("convolution_weight_grad", tasks=_tasks, work=multiplications, scratch=_scratch)
def _weight_grad(w: Writer) -> None:
    plan = _plan(w.kernel, w.host)
    memory, dtype = w.scratch(), w.dtypes[0]
    each = prod(w.shapes[2][1:])
    clear(w, memory, 0, plan.scratch, dtype)
    with w.tasks() as task:
        group, part = w.split(task, (w.params["groups"], plan.parts.parts))
        for size, count, (before, skipped) in _runs(plan.parts):
            # a loop of one round, or of none if the task is one of the others
            first = w.greater(part, before)
            last = w.lower(w.add(part, 1), before + count)
            with w.loop(first, last) as own:
                own = w.add(w.mul(w.add(own, -before), size), skipped)
                output = w.add(w.mul(group, plan.outputs), own)
                start = w.mul(output, each)
                clear(w, w.pointers[2], start, w.add(start, size * each), dtype)
                _all_pieces(w, plan, memory, group, output, size)


def _runs(split: Split) -> list[tuple[int, int, tuple[int, int]]]:
    """(size, parts, (parts, things) before them) of a split."""
    found, parts, things = [], 0, 0
    for size, count in split.sizes():
        found.append((size, count, (parts, things)))
        parts += count
        things += size * count
    return found


def _all_pieces(
    w: Writer, plan: Form, memory: ir.Value, group: Index, output: Index, outputs: int
) -> None:
    """Add what all samples give to `outputs` channels' weights."""
    pieces = w.shapes[0][0] * plan.strips
    with w.loop(0, pieces, plan.together) as begun:
        if plan.strips > 1:
            clear(w, memory, 0, plan.scratch, w.dtypes[0])
        with w.loop(0, plan.together) as number:
            sample, strip = w.split(w.add(begun, number), (pieces // plan.strips, plan.strips))
            first = w.mul(strip, plan.rows) if plan.strips > 1 else 0
            offset = w.mul(number, plan.source.plane)
            start = w.dot((sample, w.mul(group, plan.channels)), w.strides[0][:2])
            fill_planes(
                w, plan.source, memory, offset, start, first, plan.channels,
                (plan.channel, plan.piece), plan.source.extent[0],
            )  # fmt: skip
            start = w.dot((sample, output), w.strides[1][:2])
            fill_planes(
                w, plan.gradients, memory, w.add(offset, plan.planes), start, first, outputs,
                (plan.piece, plan.piece), plan.rows,
            )  # fmt: skip
        _tiles(w, plan, memory, output, outputs)


def _tiles(w: Writer, plan: Form, memory: ir.Value, output: Index, outputs: int) -> None:
    """All tiles of a task, on what is in scratch memory."""
    found = windows(w.kernel, w.shapes[0][2:], w.shapes[2][2:], w.shapes[1][2:])
    offsets = table(w, forward_taps(plan.source, found, plan.piece), f"taps{outputs}")
    whole = plan.channels // plan.across * plan.across
    for height, count, (_, row) in _runs(Split(outputs, -(-outputs // plan.height))):
        with w.loop(row, row + height * count, height) as first:
            for low, high, step in ((0, whole, plan.across), (whole, plan.channels, 1)):
                if low == high:
                    continue
                for width, groups, (_, tap) in _runs(plan.taps):
                    with (
                        w.loop(low, high, step) as channel,
                        w.loop(tap, tap + width * groups, width) as begun,
                    ):
                        taps = [w.add(begun, k) for k in range(width)]
                        shifts = [w.read(offsets, k, I64) for k in taps]
                        columns = [
                            (c, k, shift) for c in range(step) for k, shift in zip(taps, shifts)
                        ]
                        _tile(w, plan, memory, (output, first, channel), height, columns)


def _tile(
    w: Writer, plan: Form, memory: ir.Value, where: tuple, height: int,
    columns: Sequence[tuple[int, Index, Index]],
) -> None:  # fmt: skip
    """Add the sums of `height` outputs and some (channel, tap, offset) to the result."""
    output, row, channel = where
    real, lanes = element_type(w.dtypes[0]), plan.lanes
    zero = ir.Constant(ir.VectorType(real, lanes), None)
    sums = [[w.slot(zero) for _ in columns] for _ in range(height)]
    planes = w.mul(channel, plan.channel)
    gradients = w.add(w.mul(row, plan.piece), plan.planes)
    with w.loop(0, plan.piece, lanes) as place:
        rows = [
            w.read(memory, w.add(place, w.add(gradients, k * plan.piece)), real, lanes)
            for k in range(height)
        ]
        for number, (c, _, offset) in enumerate(columns):
            at = w.add(place, w.add(planes, w.add(c * plan.channel, offset)))
            vector = w.read(memory, at, real, lanes)
            for kept, gradient in zip(sums, rows, strict=True):
                total = w.multiply_add(gradient, vector, w.get(kept[number]))
                w.builder.store(total, kept[number])
    strides = contiguous(w.shapes[2])
    taps = prod(w.shapes[2][2:])
    start = w.dot((w.add(output, row), channel), strides[:2])
    totals = iter(summed(w, [w.get(slot) for kept in sums for slot in kept]))
    for k in range(height):
        for c, tap, _ in columns:
            at = w.add(start, w.add(k * strides[0] + c * taps, tap))
            w.store(2, at, w.builder.fadd(w.load(2, at), next(totals)))
