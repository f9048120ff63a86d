"""Convolution and its gradient for the input: shifted planes times weights, in register tiles.

A task is a strip of one sample's results for one group of channels. The sources' planes (see
`planes`) are copied into scratch memory; then a tile of some channels and some vectors of places
stays in registers while source channels and taps run: a step is one load a vector, and one
multiplication and addition for each vector and channel, with a weight in all lanes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import llvmlite.ir as ir

from ...loops.kernel import Special
from ..gemm_plan import Split
from ..host import Host
from ..types import I64
from .code import Index, i64, spread
from .planes import (
    Job,
    Source,
    backward_jobs,
    backward_source,
    clear,
    fill_planes,
    forward_source,
    forward_taps,
    phase_count,
    table,
    weight_taps,
    windows,
)
from .table import register
from .writer import Writer, element_type, itemsize


@dataclass(frozen=True, slots=True)
class Correlation:
    """What is computed, and how it is cut.

    Attributes:
        jobs: the phases of the result.
        counts: places of a job in each dimension, of which `rows` in the first one are a strip.
        steps: how far apart a job's places lie in the result.
        channels, outputs: of a group: what is summed over, and what the result has.
        weights: strides of the weights by output, channel and group.
        tiles, width, panels: outputs in tiles; vectors of a tile; tiles beside one another.
    """

    source: Source
    jobs: tuple[Job, ...]
    counts: tuple[int, ...]
    rows: int
    steps: tuple[int, ...]
    channels: int
    outputs: int
    groups: int
    weights: tuple[int, int, int]
    tiles: Split
    width: int
    panels: int
    lanes: int

    @property
    def strips(self) -> int:
        """How many strips a sample's results make."""
        return -(-self.counts[0] // self.rows)

    @property
    def length(self) -> int:
        """Elements of a row of results in scratch memory."""
        return self.panels * self.width * self.lanes

    @property
    def channel(self) -> int:
        """Elements of a channel's planes."""
        return self.source.plane * len(self.source.phases)

    @property
    def planes(self) -> int:
        """Elements of all planes, and some beyond that the last vectors read."""
        return self.channels * self.channel + self.length

    @property
    def scratch(self) -> int:
        """Elements of scratch memory: planes, then a tile's results."""
        return self.planes + self.tiles.large * self.length


def _plan(kernel: Special, host: Host) -> Correlation:
    dtype, _, _ = kernel.arguments[0]
    size = itemsize(dtype)
    rows = _dimensions(kernel, 1)[0][0]
    while rows > 1:
        source = _dimensions(kernel, rows)[1]
        held = source.plane * len(source.phases) * _channels(kernel)[0] * size
        if held <= host.l2 // 2:
            break
        rows = -(-rows // 2)
    counts, source, jobs, steps = _dimensions(kernel, rows)
    channels, outputs, groups, weights = _channels(kernel)
    lanes = host.lanes(size)
    last = sum((n - 1) * p for n, p in zip((rows, *counts[1:]), source.pitches, strict=True))
    vectors = -(-(last + 1) // lanes)
    tiles, panels = _tile(outputs, vectors, host)
    return Correlation(
        source, jobs, counts, rows, steps, channels, outputs, groups, weights, tiles,
        -(-vectors // panels), panels, lanes,
    )  # fmt: skip


def _tile(outputs: int, vectors: int, host: Host) -> tuple[Split, int]:
    """Outputs in tiles and tiles beside one another: the fewest cycles for one step of the sum."""

    def cycles(rows: int, width: int) -> float:
        # multiplications, or loads, or the latency of one of them
        return max(rows * width, width + rows / 2, 4) + 0.5

    choices = []
    for width in range(1, min(vectors, 6) + 1):
        most = min((host.registers - width - 1) // width, 12)
        tiles = Split(outputs, -(-outputs // max(most, 1)))
        panels = -(-vectors // width)
        cost = tiles.parts * panels * cycles(tiles.large, -(-vectors // panels))
        choices.append((cost, tiles, panels))
    _, tiles, panels = min(choices, key=lambda choice: choice[0])
    return tiles, panels


def _dimensions(kernel: Special, rows: int) -> tuple:
    """(places of each job, source, jobs, steps in the result) for strips of `rows`."""
    (_, given, _), (_, shape, strides), (_, result, _) = kernel.arguments
    taps = shape[2:]
    if kernel.name == "convolution":
        found = windows(kernel, given[2:], taps, result[2:])
        source = forward_source(0, found, rows)
        offsets = forward_taps(source, found, source.plane)
        pairs = zip(weight_taps(found, strides[2:]), offsets, strict=True)
        jobs = (Job(tuple(pairs), (0,) * len(taps)),)
        return result[2:], source, jobs, (1,) * len(taps)
    found = windows(kernel, result[2:], taps, given[2:])
    source = backward_source(0, found, rows)
    counts = tuple(map(phase_count, found))
    steps = tuple(w.stride for w in found)
    return counts, source, tuple(backward_jobs(source, found, strides[2:])), steps


def _channels(kernel: Special) -> tuple[int, int, int, tuple[int, int, int]]:
    _, (_, shape, strides), _ = kernel.arguments
    groups = dict(kernel.params)["groups"]
    outputs, inputs = shape[0] // groups, shape[1]
    group = outputs * strides[0]
    if kernel.name == "convolution":
        return inputs, outputs, groups, (strides[0], strides[1], group)
    return outputs, inputs, groups, (strides[1], strides[0], group)


def _tasks(kernel: Special, host: Host) -> int:
    plan = _plan(kernel, host)
    return kernel.arguments[2][1][0] * plan.groups * plan.strips


def multiplications(kernel: Special) -> int:
    """About how many nanoseconds a convolution takes."""
    whole = prod(kernel.arguments[-1][1]) * prod(kernel.arguments[1][1][1:])
    return max(whole // 40, 1)


def _scratch(kernel: Special, host: Host) -> int:
    return _plan(kernel, host).scratch * itemsize(kernel.arguments[0][0])


@register(
    "convolution", "convolution_input_grad", tasks=_tasks, work=multiplications, scratch=_scratch
)
def _convolution(w: Writer) -> None:
    plan = _plan(w.kernel, w.host)
    source, dtype = plan.source, w.dtypes[0]
    memory = w.scratch()
    offsets = [
        [table(w, [x[part] for x in job.taps], f"taps{number}.{part}") for part in (0, 1)]
        for number, job in enumerate(plan.jobs)
    ]
    if plan.strips == 1:  # the borders stay as they are
        clear(w, memory, 0, plan.planes, dtype)
    with w.tasks() as task:
        sample, group, strip = w.split(task, (w.shapes[2][0], plan.groups, plan.strips))
        start = w.dot((sample, w.mul(group, plan.channels)), w.strides[0][:2])
        first = w.mul(strip, plan.rows) if plan.strips > 1 else 0
        if plan.strips > 1:
            clear(w, memory, 0, plan.planes, dtype)
        fill_planes(w, source, memory, 0, start, first, plan.channels, (plan.channel, source.plane))
        for job, tables in zip(plan.jobs, offsets, strict=True):
            done = 0
            for height, count in plan.tiles.sizes():
                with w.loop(done, done + height * count, height) as output:
                    _row_of_tiles(w, plan, memory, (job, *tables), group, output, height)
                    _put(w, plan, memory, job, (sample, group, output, first), height)
                done += height * count


def _row_of_tiles(
    w: Writer, plan: Correlation, memory: ir.Value, taps: tuple, group: Index, output: Index,
    height: int,
) -> None:  # fmt: skip
    """All places of `height` output channels, into scratch memory after the planes."""
    job, by_weight, by_plane = taps
    real = element_type(w.dtypes[0])
    weights = w.add(w.mul(group, plan.weights[2]), w.mul(output, plan.weights[0]))
    across = plan.width * plan.lanes
    zero = ir.Constant(ir.VectorType(real, plan.lanes), None)
    with w.loop(0, plan.length, across) as place:
        sums = [[w.slot(zero) for _ in range(plan.width)] for _ in range(height)]
        if job.taps:
            with w.loop(0, plan.channels) as channel, w.loop(0, len(job.taps)) as tap:
                own = w.add(weights, w.mul(channel, plan.weights[1]))
                own = w.add(own, w.read(by_weight, tap, I64))
                near = w.add(place, w.mul(channel, plan.channel))
                near = w.add(near, w.read(by_plane, tap, I64))
                found = [
                    w.read(memory, w.add(near, k * plan.lanes), real, plan.lanes)
                    for k in range(plan.width)
                ]
                for row, kept in enumerate(sums):
                    weight = w.load(1, w.add(own, row * plan.weights[0]))
                    weight = spread(w, weight, plan.lanes)
                    for slot, vector in zip(kept, found, strict=True):
                        w.builder.store(w.multiply_add(weight, vector, w.get(slot)), slot)
        for row, kept in enumerate(sums):
            start = w.add(place, plan.planes + row * plan.length)
            for k, slot in enumerate(kept):
                w.write(memory, w.add(start, k * plan.lanes), w.get(slot))


def _put(
    w: Writer, plan: Correlation, memory: ir.Value, job: Job, where: tuple, height: int
) -> None:
    """The tile's results, without what lies beyond the ends of rows, to where they belong."""
    sample, group, output, first = where
    shape, strides = w.shapes[2][2:], w.strides[2]
    b, dtype = w.builder, w.dtypes[2]
    ranges = [
        (max(-(start // step), 0), min((n - 1 - start) // step + 1, count))
        for start, step, n, count in zip(job.first, plan.steps, shape, plan.counts, strict=True)
    ]
    if any(low >= high for low, high in ranges):
        return
    channel = w.add(w.mul(group, plan.outputs), output)
    goal = w.add(w.mul(sample, strides[0]), w.mul(channel, strides[1]))
    goal = w.add(goal, sum(a * b for a, b in zip(job.first, strides[2:], strict=True)))
    steps = [a * b for a, b in zip(plan.steps, strides[2:], strict=True)]
    low, high = ranges[0]
    rows = (low, high)
    if plan.strips > 1:
        rows = (0, w.lower(plan.rows, b.sub(i64(high), i64(first))))
    with w.loop(0, height) as row, w.loop(*rows) as down:
        place = w.add(down, first)
        own = w.add(w.mul(row, plan.length), w.mul(down, plan.source.pitches[0]))
        own = w.add(own, plan.planes)
        there = w.add(goal, w.add(w.mul(row, strides[1]), w.mul(place, steps[0])))
        if plan.strips > 1 and low > 0:
            with w.when(b.icmp_signed(">=", i64(place), i64(low))):
                _put_row(w, plan, memory, own, there, (ranges[1:], steps[1:]), dtype)
        else:
            _put_row(w, plan, memory, own, there, (ranges[1:], steps[1:]), dtype)


def _put_row(
    w: Writer, plan: Correlation, memory: ir.Value, own: Index, goal: Index, form: tuple,
    dtype: str,
) -> None:  # fmt: skip
    ranges, steps = form
    real = element_type(dtype)
    if not ranges:
        w.store(2, goal, w.read(memory, own, real))
        return
    low, high = ranges[-1]
    with w.nest([stop - begin for begin, stop in ranges[:-1]]) as place:
        at = [w.add(p, begin) for p, (begin, _) in zip(place, ranges)]
        source = w.add(own, w.dot(at, plan.source.pitches[1:-1]))
        target = w.add(goal, w.dot(at, steps[:-1]))

        def copy(x: Index, lanes: int) -> None:
            value = w.read(memory, w.add(source, x), real, lanes)
            w.store(2, w.add(target, w.mul(x, steps[-1])), value)

        if steps[-1] == 1:
            w.span(low, high, itemsize(dtype), copy)
        else:
            with w.loop(low, high) as x:
                copy(x, 1)
