"""Running sums and products, in order, in the operand's dtype: NumPy's bits."""

from __future__ import annotations

from math import prod

import llvmlite.ir as ir

from ...loops.kernel import Special
from ..host import Host
from .code import Index
from .table import by_elements, register
from .writer import Writer, contiguous, itemsize


def _lead(kernel: Special, host: Host) -> int:
    """A task is one point of the dimensions before the one that is scanned."""
    return prod(kernel.arguments[0][1][: dict(kernel.params)["dim"]])


@register("cumsum", "cumprod", tasks=_lead, work=by_elements(0.7))
def _scan(w: Writer) -> None:
    shape, reading = w.shapes[0] or (1,), w.strides[0] or (0,)
    dim = w.params["dim"]
    writing = contiguous(shape)
    lead, length, rest = shape[:dim], shape[dim], shape[dim + 1 :]
    row = prod(rest)
    flat = reading[dim + 1 :] == contiguous(rest)
    if 0 in shape:
        return
    with w.tasks() as task:
        start = w.dot(w.split(task, lead), reading[:dim])
        goal = w.mul(task, length * row)

        def scan(at: Index, lanes: int) -> None:
            inside = at if flat else w.dot(w.split(at, rest), reading[dim + 1 :])
            first = w.load(0, w.add(start, inside), lanes)
            w.store(1, w.add(goal, at), first)
            running = w.slot(first)
            with w.loop(1, length) as step:
                offset = w.add(inside, w.mul(step, reading[dim]))
                new = w.load(0, w.add(start, offset), lanes)
                total = _combined(w, w.get(running), new)
                w.builder.store(total, running)
                w.store(1, w.add(goal, w.add(at, w.mul(step, writing[dim]))), total)

        if flat:
            w.span(0, row, itemsize(w.dtypes[0]), scan)
        else:
            with w.loop(0, row) as at:
                scan(at, 1)


def _combined(w: Writer, running: ir.Value, new: ir.Value) -> ir.Value:
    integers = w.dtypes[0].startswith("int")
    b = w.builder
    if w.kernel.name == "cumsum":
        return b.add(running, new) if integers else b.fadd(running, new)
    return b.mul(running, new) if integers else b.fmul(running, new)
