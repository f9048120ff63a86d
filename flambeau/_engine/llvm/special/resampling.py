"""Resampling along a dimension: every result is a weighted sum of a few elements, in order."""

from __future__ import annotations

from math import prod

from ...loops.kernel import Special
from ..host import Host
from ..types import I64
from .code import Index, full, many, spread
from .planes import table
from .table import by_elements, register
from .writer import Writer, contiguous, element_type, itemsize


def _points(kernel: Special, host: Host) -> int:
    """A task is what one place along the dimension, and all before it, has."""
    return prod(kernel.arguments[1][1][: dict(kernel.params)["dim"] + 1])


@register("resample", tasks=_points, work=by_elements(1.5, -1))
def _resample(w: Writer) -> None:
    dim, (_, sources, weights, starts) = w.params["dim"], w.params["taps"]
    shape, strides = w.shapes[1], w.strides[0]
    lead, rest = shape[: dim + 1], shape[dim + 1 :]
    real, row = element_type(w.dtypes[0]), prod(rest)
    limits = table(w, [*starts, len(sources)], "starts")
    places = table(w, sources or [0], "sources")
    factors = None if weights is None else table(w, weights or [0.0], "weights", real)
    flat = strides[dim + 1 :] == contiguous(rest)
    with w.tasks() as task:
        place = w.split(task, lead)
        begin = w.dot(place[:-1], strides[:dim])
        first, last = (w.read(limits, w.add(place[-1], k), I64) for k in (0, 1))

        def gather(at: Index, lanes: int) -> None:
            inside = at if flat else w.dot(w.split(at, rest), strides[dim + 1 :])
            total = w.slot(full(many(real, lanes), 0))
            with w.loop(first, last) as tap:
                along = w.mul(w.read(places, tap, I64), strides[dim])
                value = w.load(0, w.add(begin, w.add(along, inside)), lanes)
                if factors is not None:
                    factor = spread(w, w.read(factors, tap, real), lanes)
                    value = w.builder.fmul(value, factor)
                w.builder.store(w.builder.fadd(w.get(total), value), total)
            w.store(1, w.add(w.mul(task, row), at), w.get(total))

        if flat:
            w.span(0, row, itemsize(w.dtypes[0]), gather)
        else:
            with w.loop(0, row) as at:
                gather(at, 1)
