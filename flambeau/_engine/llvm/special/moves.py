"""Copying to new places: copy, cat, pad, flip, unslice."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ...loops.kernel import Special
from ..host import Host
from .blocks import copy_block
from .code import Index, i64
from .table import by_elements, one, register
from .writer import Writer, contiguous, itemsize

_TASKS, _TILE = 16, 8  # about how many tasks a copy has; what a strip is a multiple of
_LARGE = 4096  # elements that make a task by themselves


def _strip(shape: Sequence[int]) -> int:
    """How much of the first dimension a task copies."""
    if shape[0] <= _TILE:
        return 1 if prod(shape[1:]) >= _LARGE else shape[0]
    return -(-shape[0] // (_TASKS * _TILE)) * _TILE


def _strips(kernel: Special, host: Host) -> int:
    shape = kernel.arguments[-1][1] or (1,)
    return -(-shape[0] // _strip(shape))


@register("copy", tasks=_strips, work=by_elements(0.15, -1))
def _copy(w: Writer) -> None:
    _in_strips(w, 0, w.strides[0])


@register("flip", tasks=_strips, work=by_elements(0.15, -1))
def _flip(w: Writer) -> None:
    """A copy from the last element on, with negative strides."""
    dims, shape = w.params["dims"], w.shapes[0]
    steps = [-step if d in dims else step for d, step in enumerate(w.strides[0])]
    start = sum((shape[d] - 1) * w.strides[0][d] for d in dims if shape)
    _in_strips(w, start, steps)


def _in_strips(w: Writer, start: int, reading: Sequence[int]) -> None:
    """The result is the first argument from `start` on; a task is a strip of the result."""
    shape = w.shapes[1] or (1,)
    reading = reading or (0,)
    writing = contiguous(shape)
    height = _strip(shape)
    whole, rest = divmod(shape[0], height)

    def strip(task: Index, count: int) -> None:
        first = w.mul(task, height)
        source = w.add(start, w.mul(first, reading[0]))
        copy_block(
            w, (count, *shape[1:]), (0, source, reading), (1, w.mul(first, writing[0]), writing)
        )

    with w.tasks() as task:
        for count, comparison in ((height, "<"), (rest, ">=")):
            if whole and rest:
                with w.when(w.builder.icmp_signed(comparison, task, i64(whole))):
                    strip(task, count)
            elif count and (whole or count == rest):
                strip(task, count)


@register("cat", tasks=one, work=by_elements(0.15, -1))
def _cat(w: Writer) -> None:
    result, dim = len(w.shapes) - 1, w.params["dim"]
    writing = w.strides[result]
    start = 0
    for k, (shape, reading) in enumerate(zip(w.shapes[:-1], w.strides[:-1])):
        copy_block(w, shape, (k, 0, reading), (result, start * writing[dim], writing))
        start += shape[dim]


@register("pad", tasks=one, work=by_elements(0.15, -1))
def _pad(w: Writer) -> None:
    """The value everywhere, then the operand in its place."""
    widths, shape, reading, writing = w.params["widths"], w.shapes[0], w.strides[0], w.strides[1]
    _fill(w, 1, w.params["value"])
    start = sum(low * step for (low, _), step in zip(widths, writing))
    copy_block(w, shape, (0, 0, reading), (1, start, writing))


@register("unslice", tasks=one, work=by_elements(0.15, -1))
def _unslice(w: Writer) -> None:
    """Zeros, then the operand at the places where `slice` would read."""
    writing, shape = w.strides[1], w.shapes[1]
    _fill(w, 1, 0)
    start, steps, dim = 0, [], 0
    for entry in w.params["index"]:
        if entry is None:
            steps.append(0)
            continue
        if isinstance(entry, tuple):
            first, _, step = slice(*entry).indices(shape[dim])
            steps.append(step * writing[dim])
            start += first * writing[dim]
        else:
            start += entry * writing[dim]
        dim += 1
    steps += writing[dim:]
    copy_block(w, w.shapes[0], (0, 0, w.strides[0]), (1, start, steps))


def _fill(w: Writer, argument: int, value: object) -> None:
    """The whole argument full of a number."""
    size = itemsize(w.dtypes[argument])

    def write(at: Index, lanes: int) -> None:
        w.store(argument, at, w.element(argument, value, lanes))

    w.span(0, prod(w.shapes[argument]), size, write)
