"""The geometry of convolutions: padded planes in which every tap is a shift.

The source of a convolution is copied, with its border of zeros, into *planes* of scratch memory.
A stride s cuts a dimension into s phases, each with a plane of its own: element p of phase r is
source[p * s + r - border]. A result at place t and a tap k then meet at element t + shift, with
k * dilation = shift * s + r: whatever the stride and the dilation, taps are constant offsets into
contiguous memory, and a vector of neighbouring places reads a vector of neighbouring elements.
Places are counted with the planes' pitch; what lies beyond the end of a row is computed too, and
thrown away.

The gradient for the input is the same with phases of the result in place of the source's: the
inputs of one phase only meet the taps of that phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import llvmlite.ir as ir

from ...loops.kernel import Special
from ..types import I32, I64
from .code import Index, full, i64, many
from .writer import Writer, contiguous, element_type, itemsize


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution's places, taps and inputs meet in one spatial dimension."""

    size: int
    taps: int
    places: int
    stride: int
    dilation: int
    low: int

    def tap(self, k: int) -> tuple[int, int]:
        """(shift, phase) of a tap."""
        return divmod(k * self.dilation, self.stride)

    @property
    def reach(self) -> int:
        """The largest shift."""
        return self.tap(self.taps - 1)[0]


@dataclass(frozen=True, slots=True)
class Source:
    """What is copied into planes.

    Attributes:
        argument: (N, C, *S) among the kernel's.
        steps, origins: element p of a phase is source[p * step + phase - origin].
        phases: that have planes.
        extent: a plane's shape.
    """

    argument: int
    size: tuple[int, ...]
    steps: tuple[int, ...]
    origins: tuple[int, ...]
    phases: tuple[tuple[int, ...], ...]
    extent: tuple[int, ...]

    @property
    def plane(self) -> int:
        """Elements of a plane."""
        return prod(self.extent)

    @property
    def pitches(self) -> tuple[int, ...]:
        """A plane's strides."""
        return contiguous(self.extent)

    def valid(self, dim: int, phase: int) -> tuple[int, int]:
        """The range of a plane's elements that are the source's; zeros are around it."""
        step, origin = self.steps[dim], self.origins[dim] - phase
        low = max(-(-origin // step), 0)
        high = min((self.size[dim] - 1 + origin) // step + 1, self.extent[dim])
        return low, max(low, high)


@dataclass(frozen=True, slots=True)
class Job:
    """The results of one phase: which taps they have, and where they go.

    Attributes:
        taps: (offset among the weights, offset in the planes), in elements.
        first: the result's index, in each dimension, of place 0.
    """

    taps: tuple[tuple[int, int], ...]
    first: tuple[int, ...]


def windows(kernel: Special, size: Sequence[int], taps: Sequence[int], places: Sequence[int]):
    """A Window for each spatial dimension, from the kernel's parameters."""
    params = dict(kernel.params)
    rows = zip(size, taps, places, params["stride"], params["dilation"], params["padding"])
    return tuple(Window(n, k, t, s, d, low) for n, k, t, s, d, (low, _) in rows)


def forward_source(argument: int, found: Sequence[Window], rows: int) -> Source:
    """The input's planes, for `rows` places in the first dimension."""
    used = [sorted({w.tap(k)[1] for k in range(w.taps)}) for w in found]
    places = (rows, *(w.places for w in found[1:]))
    return Source(
        argument,
        tuple(w.size for w in found),
        tuple(w.stride for w in found),
        tuple(w.low for w in found),
        tuple(product(*used)),
        tuple(t + w.reach for t, w in zip(places, found, strict=True)),
    )


def forward_taps(source: Source, found: Sequence[Window], phase_pitch: int) -> list[int]:
    """Each tap's offset in the planes, the last dimension's taps running fastest."""
    offsets = []
    for ks in product(*(range(w.taps) for w in found)):
        shifts, phase = zip(*(w.tap(k) for w, k in zip(found, ks, strict=True)), strict=True)
        offset = sum(a * b for a, b in zip(shifts, source.pitches, strict=True))
        offsets.append(source.phases.index(phase) * phase_pitch + offset)
    return offsets


def weight_taps(found: Sequence[Window], strides: Sequence[int]) -> list[int]:
    """Each tap's offset among the weights of one pair of channels."""
    every = product(*(range(w.taps) for w in found))
    return [sum(a * b for a, b in zip(ks, strides, strict=True)) for ks in every]


def backward_source(argument: int, found: Sequence[Window], rows: int) -> Source:
    """The output gradients' planes, for `rows` of a phase of the input's first dimension."""
    counts = (rows, *(phase_count(w) for w in found[1:]))
    return Source(
        argument,
        tuple(w.places for w in found),
        (1,) * len(found),
        tuple(w.reach - w.low // w.stride for w in found),
        ((0,) * len(found),),
        tuple(q + w.reach for q, w in zip(counts, found, strict=True)),
    )


def phase_count(w: Window) -> int:
    """How many elements of the input (with some of its border) each phase has."""
    return (w.size - 1 + w.low) // w.stride - w.low // w.stride + 1


def backward_jobs(source: Source, found: Sequence[Window], strides: Sequence[int]) -> list[Job]:
    """One for each phase of the input that has elements."""
    grouped: dict[tuple[int, ...], list[tuple[int, int]]] = {
        phase: [] for phase in product(*(range(min(w.stride, w.size + w.low)) for w in found))
    }
    for ks in product(*(range(w.taps) for w in found)):
        shifts, phase = zip(*(w.tap(k) for w, k in zip(found, ks, strict=True)), strict=True)
        there = (w.reach - shift for w, shift in zip(found, shifts, strict=True))
        offset = sum(a * b for a, b in zip(there, source.pitches, strict=True))
        weight = sum(a * b for a, b in zip(ks, strides, strict=True))
        if phase in grouped:
            grouped[phase].append((weight, offset))
    return [
        Job(tuple(taps), tuple(
            w.low // w.stride * w.stride + r - w.low for w, r in zip(found, phase, strict=True)
        ))
        for phase, taps in grouped.items()
    ]  # fmt: skip


def fill_planes(
    w: Writer, source: Source, memory: ir.Value, target: Index, start: Index, first: Index,
    channels: int, pitches: tuple[int, int], limit: int | None = None,
) -> None:  # fmt: skip
    """Copy a sample's channels into planes whose borders are zeros already.

    Args:
        target: where the first plane is, in elements of `memory`.
        start: where the first channel is, in elements of the argument.
        first: the first dimension's elements begin with this one, of all that a plane would have.
        pitches: from channel to channel and from phase to phase.
        limit: how many elements of the first dimension to copy; None for all.
    """
    strides = (0, 0, *w.strides[source.argument])[-len(source.size) - 2 :]
    for number, phase in enumerate(source.phases):
        ranges = [source.valid(d, r) for d, r in enumerate(phase)]
        if any(low == high for low, high in ranges[1:]):
            continue
        moved = [r - origin for r, origin in zip(phase, source.origins, strict=True)]
        whole = isinstance(first, int) and first == 0
        rows = ranges[0] if whole else (0, limit or source.extent[0])
        with w.loop(0, channels) as channel, w.loop(*rows) as row:
            index = w.add(w.mul(w.add(row, first), source.steps[0]), moved[0])
            read = w.add(start, w.add(w.mul(channel, strides[1]), w.mul(index, strides[2])))
            write = w.add(target, w.add(w.mul(channel, pitches[0]), number * pitches[1]))
            write = w.add(write, w.mul(row, source.pitches[0]))
            if whole:
                _fill_row(w, source, memory, read, write, ranges[1:], moved[1:])
            else:
                inside = w.builder.icmp_unsigned("<", i64(index), i64(source.size[0]))
                with w.when(inside):
                    _fill_row(w, source, memory, read, write, ranges[1:], moved[1:])


def _fill_row(
    w: Writer, source: Source, memory: ir.Value, read: Index, write: Index,
    ranges: list[tuple[int, int]], moved: list[int],
) -> None:  # fmt: skip
    """Copy what one element of the first dimension holds."""
    size = itemsize(w.dtypes[source.argument])
    steps = source.steps[1:]
    strides = w.strides[source.argument][len(w.shapes[source.argument]) - len(steps) :]
    if not ranges:
        w.write(memory, write, w.load(source.argument, read))
        return
    low, high = ranges[-1]
    with w.nest([stop - begin for begin, stop in ranges[:-1]]) as place:
        own = [w.add(p, begin) for p, (begin, _) in zip(place, ranges)]
        there = w.add(read, w.dot(own, [a * b for a, b in zip(steps, strides[:-1])]))
        there = w.add(there, sum(a * b for a, b in zip(moved, strides)))
        here = w.add(write, w.dot(own, source.pitches[1:-1]))
        jump = steps[-1] * strides[-1]

        def copy(at: Index, lanes: int) -> None:
            value = w.load(source.argument, w.add(there, w.mul(at, jump)), lanes)
            w.write(memory, w.add(here, at), value)

        def copy_even(at: Index, lanes: int) -> None:
            if lanes == 1:
                copy(at, 1)
                return
            begin = w.add(there, w.mul(at, 2))
            pair = [w.load(source.argument, w.add(begin, k), lanes) for k in (0, lanes)]
            w.write(memory, w.add(here, at), even_lanes(w, *pair))

        if jump == 1:
            w.span(low, high, size, copy)
        elif jump == 2 and high > low:
            # the last element is left to a copy of its own: no vector reads what is beyond it
            w.span(low, high - 1, size, copy_even)
            copy(high - 1, 1)
        else:
            with w.loop(low, high) as at:
                copy(at, 1)


def clear(
    w: Writer, memory: ir.Value, begin: Index, end: Index, dtype: str, value: float = 0.0
) -> None:
    """Zeros, or another number, from element `begin` to `end`."""

    def write(at: Index, lanes: int) -> None:
        w.write(memory, at, full(many(element_type(dtype), lanes), value))

    w.span(begin, end, itemsize(dtype), write)


def table(w: Writer, numbers: Sequence[float], name: str, element: ir.Type = I64) -> ir.Value:
    """A constant array: of positions, or of numbers of another type."""
    type_ = ir.ArrayType(element, len(numbers))
    found = ir.GlobalVariable(w.module, type_, f"{w.function.name}.{name}")
    found.linkage = "internal"
    found.global_constant = True
    found.initializer = ir.Constant(type_, list(numbers))
    return found


def even_lanes(w: Writer, first: ir.Value, second: ir.Value) -> ir.Value:
    """Every second lane of a pair of vectors."""
    lanes = first.type.count
    mask = ir.Constant(ir.VectorType(I32, lanes), list(range(0, 2 * lanes, 2)))
    return w.builder.shuffle_vector(first, second, mask)


def summed(w: Writer, vectors: Sequence[ir.Value]) -> list[ir.Value]:
    """The sum of each vector's lanes: by halves, of as many vectors at once as have lanes."""
    lanes = vectors[0].type.count
    found: list[ir.Value] = []
    for start in range(0, len(vectors), lanes):
        some = list(vectors[start : start + lanes])
        found += _summed_together(w, some, lanes)
    return found


def _summed_together(w: Writer, vectors: list[ir.Value], block: int) -> list[ir.Value]:
    """Pairs of vectors become one, with blocks of half the size, each with its own vector's sum."""
    b, count = w.builder, len(vectors)
    while block > 1:
        if len(vectors) % 2 and len(vectors) > 1:
            vectors.append(vectors[-1])
        alone = len(vectors) == 1
        lanes = vectors[0].type.count * (1 if alone else 2)
        halves = [
            [k * block + half + x for k in range(lanes // block) for x in range(block // 2)]
            for half in (0, block // 2)
        ]
        masks = [ir.Constant(ir.VectorType(I32, lanes // 2), half) for half in halves]
        pairs = zip(vectors, vectors) if alone else zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [b.fadd(*(b.shuffle_vector(x, y, mask) for mask in masks)) for x, y in pairs]
        block //= 2
    return [
        b.extract_element(vector, I32(k)) for vector in vectors for k in range(vector.type.count)
    ][:count]
