"""Reading by index: embedding, index, gather, and the negative log likelihood with its gradient."""

from __future__ import annotations

from math import prod

import llvmlite.ir as ir

from ...loops.kernel import Special
from ..host import Host
from ..types import DOUBLE
from .blocks import copy_block
from .code import Index, full, many
from .indexing import Indexed
from .table import by_elements, one, register
from .writer import Writer, element_type, itemsize


@register("check_index", tasks=one, work=by_elements(0.3))
def _check_index(w: Writer) -> None:
    w.check(0, w.params["low"], w.params["high"], w.params["ignored"])


# --- embedding and index -------------------------------------------------------------------


def _positions(kernel: Special, host: Host) -> int:
    return prod(kernel.arguments[1][1])


@register("embedding", tasks=_positions, work=by_elements(0.15, -1))
def _embedding(w: Writer) -> None:
    """Row index[i] of the weights for each i; a task is one row."""
    rows, shape = w.shapes[0][0], w.shapes[0][1:]
    with w.tasks() as task:
        at = w.dot(w.split(task, w.shapes[1]), w.strides[1])
        row = w.position(1, at)
        w.fault_if(w.wrong(row, 0, rows))
        copy_block(
            w, shape,
            (0, w.mul(row, w.strides[0][0]), w.strides[0][1:]),
            (2, w.mul(task, prod(shape)), None),
        )  # fmt: skip


def _index_tasks(kernel: Special, host: Host) -> int:
    indexed = Indexed.of(kernel, target=0, first=1)
    return prod(indexed.outer)


@register("index", tasks=_index_tasks, work=by_elements(0.5, -1))
def _index(w: Writer) -> None:
    """a[..., i, j, ...]: a task is one point of the dimensions up to the last indexed one."""
    indexed = Indexed.of(w.kernel, target=0, first=1)
    result = len(w.shapes) - 1
    with w.tasks() as task:
        place = w.split(task, indexed.outer)
        start = indexed.start(w, place, checked=True)
        copy_block(
            w, indexed.inner,
            (0, start, indexed.inner_strides),
            (result, w.mul(task, prod(indexed.inner)), None),
        )  # fmt: skip


# --- gather --------------------------------------------------------------------------------


def _gather_tasks(kernel: Special, host: Host) -> int:
    shape = kernel.arguments[1][1]
    return prod(shape[:-1]) if len(shape) > 1 else prod(shape)


@register("gather", tasks=_gather_tasks, work=by_elements(0.8, -1))
def _gather(w: Writer) -> None:
    """out[i, j] = a[index[i, j], j] (for dim 0); a task is a row, or an element of a vector."""
    dim = w.params["dim"]
    shape, a_shape = (w.shapes[1], w.shapes[0]) if w.shapes[1] else ((1,), (1,))
    strides, a_strides = w.strides[1] or (0,), w.strides[0] or (0,)
    lead, row = (shape[:-1], shape[-1]) if len(shape) > 1 else (shape, 1)
    with w.tasks() as task, w.loop(0, row) as last:
        place: list[Index] = w.split(task, lead)
        if len(shape) > 1:
            place.append(last)
        position = w.position(1, w.dot(place, strides))
        w.fault_if(w.wrong(position, 0, a_shape[dim] if w.shapes[0] else 1))
        place[dim] = position
        w.store(2, w.add(w.mul(task, row), last), w.load(0, w.dot(place, a_strides)))


# --- the negative log likelihood -----------------------------------------------------------


class _Targets:
    """The operands of nll_loss and its gradient, as positions of targets.

    Targets are (N, ...), classes the second dimension of a; one target alone is ().
    """

    def __init__(self, w: Writer, target: int, weight: int | None, shape: tuple[int, ...]):
        self.w, self.target, self.weight = w, target, weight
        self.classes = shape[1 if len(shape) > 1 else 0]
        self.ignored = w.params["ignore_index"]

    def read(self, place: list[Index]) -> tuple[ir.Value, ir.Value]:
        """The class at a place, made 0 where it does not count, and whether it counts."""
        w = self.w
        found = w.position(self.target, w.dot(place, w.strides[self.target]))
        w.fault_if(w.wrong(found, 0, self.classes, self.ignored))
        counts = w.builder.icmp_signed("!=", found, ir.Constant(found.type, self.ignored))
        if not 0 <= self.ignored < self.classes:  # then it is outside, if it occurs
            found = w.builder.select(counts, found, ir.Constant(found.type, 0))
        return found, counts

    def weighted(self, value: ir.Value, found: ir.Value) -> ir.Value:
        """A value times its class's weight."""
        return value if self.weight is None else self.w.builder.fmul(value, self._of(found))

    def weight_of(self, found: ir.Value, type_: ir.Type) -> ir.Value:
        """A class's weight."""
        return full(type_, 1) if self.weight is None else self._of(found)

    def _of(self, found: ir.Value) -> ir.Value:
        assert self.weight is not None
        return self.w.load(self.weight, self.w.mul(found, self.w.strides[self.weight][0]))


def _class_first(place: list[Index], found: Index) -> list[Index]:
    """A target's place with its class put in: the second dimension, or the only one."""
    return [place[0], found, *place[1:]] if place else [found]


@register("nll_loss", tasks=one, work=by_elements(2.0, 1))
def _nll_loss(w: Writer) -> None:
    """Sums are made in float64, in order."""
    weight = 2 if w.params.get("operand2", 0) is not None else None
    loss, total = len(w.shapes) - 2, len(w.shapes) - 1
    targets = _Targets(w, 1, weight, w.shapes[0])
    real = element_type(w.dtypes[0])
    reduction, shape = w.params["reduction"], w.shapes[1]
    sums = [w.slot(full(DOUBLE, 0)) for _ in range(2)]

    def accumulate(slot: ir.Value, value: ir.Value) -> None:
        wide = value if real == DOUBLE else w.builder.fpext(value, DOUBLE)
        w.builder.store(w.builder.fadd(w.get(slot), wide), slot)

    with w.nest(shape) as place:
        found, counts = targets.read(place)
        entry = w.load(0, w.dot(_class_first(place, found), w.strides[0]))
        zero = full(real, 0)
        value = targets.weighted(w.builder.fneg(entry), found)
        value = w.builder.select(counts, value, zero)
        accumulate(sums[1], w.builder.select(counts, targets.weight_of(found, real), zero))
        if reduction == "none":
            w.store(loss, w.dot(place, w.strides[loss]), value)
        else:
            accumulate(sums[0], value)

    def narrow(value: ir.Value) -> ir.Value:
        return value if real == DOUBLE else w.builder.fptrunc(value, real)

    whole = narrow(w.get(sums[1]))
    w.store(total, 0, whole)
    if reduction != "none":
        value = narrow(w.get(sums[0]))
        w.store(loss, 0, w.builder.fdiv(value, whole) if reduction == "mean" else value)


def _samples(kernel: Special, host: Host) -> int:
    shape = kernel.arguments[-1][1]
    return shape[0] if len(shape) > 1 else 1


@register("nll_loss_grad", tasks=_samples, work=by_elements(0.2, -1))
def _nll_loss_grad(w: Writer) -> None:
    """Zeros, and minus the (weighted) gradient at each target; a task is one sample."""
    weight = 2 if w.params.get("operand2", 0) is not None else None
    result, total = len(w.shapes) - 1, len(w.shapes) - 2
    shape = w.shapes[result]
    targets = _Targets(w, 1, weight, shape)
    real = element_type(w.dtypes[0])
    strides = w.strides[result]
    whole = w.load(total, 0) if w.params["reduction"] == "mean" else None
    with w.tasks() as task:
        sample: list[Index] = [task] if len(shape) > 1 else []
        start = w.mul(task, prod(shape[1:]))
        count = prod(shape[len(sample) :])

        def clear(at: Index, lanes: int, start: Index = start) -> None:
            w.store(result, w.add(start, at), full(many(real, lanes), 0))

        w.span(0, count, itemsize(w.dtypes[0]), clear)
        with w.nest(w.shapes[1][1:]) as inner:
            place = [*sample, *inner]
            found, counts = targets.read(place)
            each = w.builder.fneg(w.load(0, w.dot(place, w.strides[0]) if w.shapes[0] else 0))
            if whole is not None:
                each = w.builder.fdiv(each, whole)
            each = targets.weighted(each, found)
            each = w.builder.select(counts, each, full(real, 0))
            w.store(result, w.dot(_class_first(place, found), strides), each)
