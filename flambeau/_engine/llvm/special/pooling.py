"""Pooling: the maxima of windows with their positions, and windows' sums with their adjoint.

Windows are read from planes with a border (see `planes`), so that neighbouring windows are
vectors whatever the stride. A task is one plane of the operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import inf, prod

import llvmlite.ir as ir

from ...loops.kernel import Special
from ..host import Host
from ..types import I32, I64
from .code import Index, full, many, spread
from .planes import Source, Window, clear, fill_planes, forward_source, forward_taps, table
from .table import by_elements, register
from .writer import Writer, contiguous, element_type, itemsize


def _windows(kernel: Special) -> tuple[Window, ...]:
    params, shape = dict(kernel.params), kernel.arguments[0][1]
    rank = len(params["kernel"])
    places = kernel.arguments[1][1][len(shape) - rank :]
    ones, zeros = (1,) * rank, (0,) * rank
    rows = zip(
        shape[len(shape) - rank :], params["kernel"], places, params["stride"],
        params.get("dilation", ones), params.get("padding", zeros), strict=True,
    )  # fmt: skip
    return tuple(Window(*row) for row in rows)


def _source(kernel: Special) -> Source:
    found = _windows(kernel)
    return forward_source(0, found, found[0].places)


def _planes(kernel: Special, host: Host) -> int:
    shape, rank = kernel.arguments[0][1], len(dict(kernel.params)["kernel"])
    return prod(shape[: len(shape) - rank])


def _scratch(kernel: Special, host: Host) -> int:
    source = _source(kernel)
    return source.plane * len(source.phases) * itemsize(kernel.arguments[0][0])


def _fill(w: Writer, source: Source, memory: ir.Value, task: Index) -> None:
    lead = len(w.shapes[0]) - len(source.size)
    start = w.dot(w.split(task, w.shapes[0][:lead]), w.strides[0][:lead])
    fill_planes(w, source, memory, 0, start, 0, 1, (0, source.plane))


@register("window_sum", tasks=_planes, work=by_elements(0.15), scratch=_scratch)
def _window_sum(w: Writer) -> None:
    source, found, memory = _source(w.kernel), _windows(w.kernel), w.scratch()
    real, places = element_type(w.dtypes[0]), [x.places for x in found]
    taps = forward_taps(source, found, source.plane)
    with w.tasks() as task:
        _fill(w, source, memory, task)
        with w.nest(places[:-1]) as outer:
            start = w.dot(outer, source.pitches[:-1])
            goal = w.dot((task, *outer), contiguous((1, *places))[:-1])

            def add(at: Index, lanes: int, start: Index = start, goal: Index = goal) -> None:
                here = w.add(start, at)
                total = w.read(memory, w.add(here, taps[0]), real, lanes)
                for tap in taps[1:]:
                    value = w.read(memory, w.add(here, tap), real, lanes)
                    total = w.builder.fadd(total, value)
                w.store(1, w.add(goal, at), total)

            w.span(0, places[-1], itemsize(w.dtypes[0]), add)


@register("max_pool", tasks=_planes, work=by_elements(0.3), scratch=_scratch)
def _max_pool(w: Writer) -> None:
    """NaN is larger than all, and the last one of a window counts; else the first maximum."""
    source, found, memory = _source(w.kernel), _windows(w.kernel), w.scratch()
    places = [x.places for x in found]
    steps = contiguous(source.size)
    corners, firsts = _positions(w, found, steps)
    jumps = [
        sum(k * x.dilation * step for k, x, step in zip(ks, found, steps, strict=True))
        for ks in product(*(range(x.taps) for x in found))
    ]
    taps = list(zip(forward_taps(source, found, source.plane), jumps, strict=True))
    clear(w, memory, 0, source.plane * len(source.phases), w.dtypes[0], -inf)
    with w.tasks() as task:
        _fill(w, source, memory, task)
        with w.nest(places[:-1]) as outer:
            start = w.dot(outer, source.pitches[:-1])
            goal = w.dot((task, *outer), contiguous((1, *places))[:-1])
            ends = [
                [w.read(tables[d], at, I32) for d, at in enumerate(outer)]
                for tables in (corners, firsts)
            ]
            corner, first = (_total(w, numbers) for numbers in ends)

            def search(
                at: Index, lanes: int, start: Index = start, goal: Index = goal,
                corner: ir.Value = corner, first: ir.Value = first,
            ) -> None:  # fmt: skip
                b = w.builder
                own = w.read(firsts[-1], at, I32, lanes)
                near = b.add(own, spread(w, first, lanes))
                best, jump = _search(w, memory, w.add(start, at), lanes, near, taps)
                base = b.add(w.read(corners[-1], at, I32, lanes), spread(w, corner, lanes))
                index = b.sext(b.add(base, jump), many(I64, lanes))
                w.store(1, w.add(goal, at), best)
                w.store(2, w.add(goal, at), index)

            w.span(0, places[-1], itemsize(w.dtypes[0]), search)


def _total(w: Writer, numbers: Sequence[ir.Value]) -> ir.Value:
    total = I32(0)
    for number in numbers:
        total = w.builder.add(total, number)
    return total


def _positions(
    w: Writer, found: Sequence[Window], steps: Sequence[int]
) -> tuple[list[ir.Value], list[ir.Value]]:
    """Tables for each dimension: where windows begin, and how far their first element is."""
    corners, firsts = [], []
    for d, (x, step) in enumerate(zip(found, steps, strict=True)):
        starts = [t * x.stride - x.low for t in range(x.places)]
        missing = [-(-max(-start, 0) // x.dilation) * x.dilation for start in starts]
        corners.append(table(w, [start * step for start in starts], f"corners{d}", I32))
        firsts.append(table(w, [count * step for count in missing], f"firsts{d}", I32))
    return corners, firsts


def _search(
    w: Writer, memory: ir.Value, start: Index, lanes: int, first: ir.Value,
    taps: Sequence[tuple[int, int]],
) -> tuple[ir.Value, ir.Value]:  # fmt: skip
    """The maxima of some windows and their positions, counted from the windows' corners."""
    b, real = w.builder, element_type(w.dtypes[0])
    best, index = full(many(real, lanes), -inf), first
    for offset, jump in taps:
        value = w.read(memory, w.add(start, offset), real, lanes)
        above = b.fcmp_ordered(">", value, best)
        wins = b.or_(above, b.fcmp_unordered("uno", value, value))
        best = b.select(wins, value, best)
        index = b.select(wins, full(many(I32, lanes), jump), index)
    return best, index


# --- the adjoint of windows ----------------------------------------------------------------


def _results(kernel: Special, host: Host) -> int:
    shape, rank = kernel.arguments[1][1], len(dict(kernel.params)["size"])
    return prod(shape[: len(shape) - rank])


@register("fold_windows", tasks=_results, work=by_elements(0.6))
def _fold_windows(w: Writer) -> None:
    """Zeros, then one offset of the windows after the other, as the eager rule adds them."""
    size, (shape, strides) = w.params["size"], (w.shapes[0], w.strides[0])
    rank, plane = len(size), prod(w.params["size"])
    lead = shape[rank : len(shape) - rank]
    places = shape[len(shape) - rank :]
    steps = [a * b for a, b in zip(w.params["stride"], contiguous(size), strict=True)]
    dilated = [a * b for a, b in zip(w.params["dilation"], contiguous(size), strict=True)]
    with w.tasks() as task:
        goal = w.mul(task, plane)
        clear(w, w.pointers[1], goal, w.add(goal, plane), w.dtypes[1])
        start = w.dot(w.split(task, lead), strides[rank : rank + len(lead)])
        with w.nest(shape[:rank]) as offset, w.nest(places[:-1]) as outer:
            read = w.add(start, w.dot(offset, strides[:rank]))
            read = w.add(read, w.dot(outer, strides[len(shape) - rank : -1]))
            write = w.add(goal, w.add(w.dot(offset, dilated), w.dot(outer, steps[:-1])))

            def add(at: Index, lanes: int, read: Index = read, write: Index = write) -> None:
                value = w.load(0, w.add(read, w.mul(at, strides[-1])), lanes if strides[-1] else 1)
                value = value if strides[-1] else spread(w, value, lanes)
                place = w.add(write, w.mul(at, steps[-1]))
                w.store(1, place, w.builder.fadd(w.load(1, place, lanes), value))

            if steps[-1] == 1 and strides[-1] in (0, 1):
                w.span(0, places[-1], itemsize(w.dtypes[1]), add)
            else:
                with w.loop(0, places[-1]) as at:
                    add(at, 1)
