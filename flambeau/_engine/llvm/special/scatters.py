"""Writing by index: index_put, scatter, scatter_add, scatter_reduce.

All indices are checked before anything is written. What falls on one element is written, or
added, in the order of the indices, whoever does it: tasks divide what is written to, never the
indices, so that the sums do not depend on the number of threads.
"""

from __future__ import annotations

from math import prod

import llvmlite.ir as ir

from ...loops.kernel import Special
from ..host import Host
from ..types import I1
from .code import Index, i64
from .indexing import Indexed
from .table import by_elements, register
from .writer import Writer, contiguous, itemsize

_STRIP = 256  # bytes of a row that one task of index_put writes


def _combine(w: Writer, kind: str | None, old: ir.Value, new: ir.Value) -> ir.Value:
    """What takes the place of `old` when `new` comes."""
    if kind is None:
        return new
    b = w.builder
    type_ = old.type.element if isinstance(old.type, ir.VectorType) else old.type
    if isinstance(type_, ir.IntType):
        if kind in ("amax", "amin"):
            wins = b.icmp_signed(">" if kind == "amax" else "<", new, old)
            return b.select(wins, new, old)
        return (b.add if kind == "sum" else b.mul)(old, new)
    if kind in ("amax", "amin"):
        # NaN wins: whatever is not (old beyond new), unless old is NaN
        loses = b.fcmp_ordered(">=" if kind == "amax" else "<=", old, new)
        stays = b.or_(loses, b.fcmp_unordered("uno", old, old))
        return b.select(stays, old, new)
    return (b.fadd if kind == "sum" else b.fmul)(old, new)


class _Operands:
    """Base, values and result of a scattering kernel: which are arguments, which are numbers."""

    def __init__(self, kernel: Special, base: int, value: int, last: int):
        params = dict(kernel.params)
        given = [f"operand{k}" not in params for k in range(last)]
        self.base = 0 if given[base] else None
        self.base_number = params.get(f"operand{base}")
        self.value = sum(given[:value]) if given[value] else None
        self.value_number = params.get(f"operand{value}")
        self.given = given
        self.result = len(kernel.arguments) - 1

    def fill(self, w: Writer, begin: Index, end: Index) -> None:
        """Elements [begin, end) of the result as they are before the scattering."""
        size, result = itemsize(w.dtypes[self.result]), self.result
        if self.base is None:

            def clear(at: Index, lanes: int) -> None:
                w.store(result, at, w.element(result, self.base_number, lanes))

            w.span(begin, end, size, clear)
            return
        base, shape = self.base, w.shapes[result]
        if w.strides[base] == contiguous(shape):
            w.span(begin, end, size, lambda at, n: w.store(result, at, w.load(base, at, n)))
            return
        with w.loop(begin, end) as at:
            w.store(result, at, w.load(base, w.dot(w.split(at, shape), w.strides[base])))

    def elsewhere(self, w: Writer) -> ir.Value:
        """Whether the result is in other memory than the base."""
        if self.base is None:
            return I1(1)
        return w.builder.icmp_unsigned("!=", w.pointers[self.base], w.pointers[self.result])

    def read(self, w: Writer, at: Index, lanes: int = 1) -> ir.Value:
        """The values to write, as many as there are lanes."""
        if self.value is not None:
            return w.load(self.value, at, lanes)
        return w.element(self.result, self.value_number, lanes)


# --- index_put -----------------------------------------------------------------------------


def _put(kernel: Special) -> tuple[_Operands, Indexed, tuple[int, ...]]:
    """Operands, indices, and the strides of the values over the indexed elements."""
    operands = _Operands(kernel, 0, 1, 2)
    first = sum(operands.given)
    indexed = Indexed.of(kernel, operands.result, first)
    found = (*indexed.outer, *indexed.inner)
    strides = (0,) * len(found)
    if operands.value is not None:
        _, shape, steps = kernel.arguments[operands.value]
        own = tuple(0 if n == 1 else step for n, step in zip(shape, steps, strict=True))
        strides = ((0,) * len(found) + own)[-len(found) :] if found else ()
    return operands, indexed, strides


def _strips(kernel: Special, host: Host) -> int:
    operands, indexed, _ = _put(kernel)
    size = itemsize(kernel.arguments[-1][0])
    if prod(kernel.arguments[-1][1]) == 0:
        return 1  # the indices are still to be checked
    return max(-(-prod(indexed.inner) * size // _STRIP), 1)


@register("index_put", tasks=_strips, work=by_elements(0.15))
def _index_put(w: Writer) -> None:
    """A task is a strip of the rows that the indices choose, which is contiguous."""
    operands, indexed, strides = _put(w.kernel)
    result, size = operands.result, itemsize(w.dtypes[operands.result])
    for argument, extent in indexed.arguments:
        w.check(argument, -extent, extent)
    row, strip = prod(indexed.inner), _STRIP // size
    whole = row <= strip  # one task
    begin = 0 if whole else w.mul(w.begin, strip)
    end = row if whole else w.lower(w.mul(w.end, strip), row)
    with w.when(operands.elsewhere(w)):
        if whole:
            operands.fill(w, 0, prod(w.shapes[result]))
        else:
            with w.loop(0, prod(w.shapes[result]) // row) as k:
                operands.fill(w, w.add(w.mul(k, row), begin), w.add(w.mul(k, row), end))
    kind = "sum" if w.params["accumulate"] else None
    own = strides[len(indexed.outer) :]
    flat = own == contiguous(indexed.inner)
    with w.nest(indexed.outer) as place:
        goal = indexed.start(w, place, checked=False)
        source = w.dot(place, strides[: len(indexed.outer)])

        def move(at: Index, lanes: int) -> None:
            inside = at if flat else w.dot(w.split(at, indexed.inner), own)
            new = operands.read(w, w.add(source, inside), lanes)
            to = w.add(goal, at)
            old = w.load(result, to, lanes) if kind else new
            w.store(result, to, _combine(w, kind, old, new))

        if flat or operands.value is None:
            w.span(begin, end, size, move)
        else:
            with w.loop(begin, end) as at:
                move(at, 1)


# --- scatter -------------------------------------------------------------------------------


def _rows(kernel: Special, host: Host) -> int:
    """The points of the dimensions before the one that is scattered along."""
    return max(prod(kernel.arguments[-1][1][: dict(kernel.params)["dim"]]), 1)


@register("scatter", "scatter_add", "scatter_reduce", tasks=_rows, work=by_elements(0.5))
def _scatter(w: Writer) -> None:
    """A task is all that lies at one point of the dimensions before `dim`."""
    operands = _Operands(w.kernel, 0, 2, 3)
    result, index = operands.result, sum(operands.given[:1])
    kind = {"scatter": None, "scatter_add": "sum"}.get(w.kernel.name, w.params.get("reduce"))
    shape = w.shapes[result] or (1,)
    dim = w.params["dim"]
    w.check(index, 0, shape[dim])
    lead, block = shape[:dim], prod(shape[dim:])
    covered = w.shapes[index] or (1,)
    with w.when(operands.elsewhere(w)):
        operands.fill(w, w.mul(w.begin, block), w.mul(w.end, block))
    if prod(covered) == 0:
        return
    strides = contiguous(shape)
    with w.tasks() as task:
        place = w.split(task, lead)
        inside = I1(1)
        for at, size, whole in zip(place, covered, lead, strict=False):
            if size != whole:
                below = w.builder.icmp_signed("<", at, i64(size))
                inside = w.builder.and_(inside, below)
        with w.when(inside), w.nest(covered[dim:]) as rest:
            at = [*place, *rest]
            goal = list(at)
            goal[dim] = w.position(index, w.dot(at, w.strides[index] or (0,)))
            source: Index = 0
            if operands.value is not None:
                steps = w.strides[operands.value] or (0,) * len(at)
                source = w.dot(at, steps)
            to = w.dot(goal, strides)
            new = operands.read(w, source)
            old = w.load(result, to) if kind else new
            w.store(result, to, _combine(w, kind, old, new))
