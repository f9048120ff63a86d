"""Loop kernels from clusters: stages, bodies, and the dimensions they walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph.ir import Value, values_of
from .body import Frame, Place, Writer, finish, note_all
from .classify import BOOL, EXPENSIVE, computed_in, name_of
from .demand import Demand
from .flow import Flow, Misfit, domain_map, with_splits
from .fuse import Cluster, Fusion
from .indexing import Index, Map, NeedSplit, Unmappable, joined_dims
from .kernel import Access, Gemm, Instruction, Loop, Reduction, Stage


class InPlaceClash(Exception):
    """A kernel reads, elsewhere, an input that it would overwrite (`buffer`)."""

    def __init__(self, buffer: int):
        super().__init__(buffer)
        self.buffer = buffer


Built = tuple[Loop | Gemm, dict[int, tuple[int, int]]]  # and (argument, lowest element) by buffer


class RowKernel:
    """The kernel of one cluster, in one space.

    Args:
        places: where values lie.
        late: values that may only be stored in the last stage, for their memory is read before.
        space, origin: the dimensions walked, and which of the domain's each is a part of.
    """

    def __init__(
        self, cluster: Cluster, flow: Flow, fusion: Fusion, demand: Demand,
        places: dict[Value, Place], late: set[Value], space: tuple[int, ...], origin: list[int],
    ):  # fmt: skip
        self.cluster, self.flow, self.fusion = cluster, flow, fusion
        self.places, self.late = places, late
        self.inlined = demand.inlined[cluster]
        self.wanted = demand.stored[cluster]
        self.needed = demand.needed(cluster)
        self.space = space
        self.reduced = [cluster.domain[d][1] for d in origin]
        self.stage: dict[Value, int] = {}
        self.after: set[Value] = set()  # row values that depend on reductions
        self._find_stages()
        count = 1 + max(self.stage.values(), default=0)
        # expensive values that later stages read again, and the results in whose memory they wait
        self.kept: dict[Value, tuple[int, Value]] = {}
        if count > 1:
            self._find_kept(count - 1)
        self.bodies = [Writer(flow, space, self._in_body) for _ in range(count)]
        self.rows = [Writer(flow, space, self._in_row) for _ in range(count)]
        self.row_results: list[dict[Value, int]] = [{} for _ in range(count)]
        self.stores: list[list[tuple[int, Index, str, int]]] = [[] for _ in range(count)]
        self.row_stores: list[list[tuple[int, Index, str, int]]] = [[] for _ in range(count)]
        self.reductions: list[list[tuple[Value, Reduction]]] = [[] for _ in range(count)]

    # --- stages ----------------------------------------------------------------------------

    def _find_stages(self) -> None:
        """When each needed member can be computed: row values in the row body of that stage."""
        needed = self.needed
        for node in self.cluster.nodes:
            out = node.outputs[0]
            if out not in needed:
                continue
            stage = 0
            is_row = out in self.fusion.row
            reduction = self.flow.is_reduction(out)
            for x in values_of(node.inputs):
                base, _ = self.flow.path(x)
                if base not in self.stage:
                    continue
                from_row = base in self.after
                later = from_row and (reduction or not is_row)
                stage = max(stage, self.stage[base] + later)
                if is_row and from_row:
                    self.after.add(out)
            if reduction:
                self.after.add(out)
            self.stage[out] = stage

    def _find_kept(self, last: int) -> None:
        """Functions that more than one stage needs are stored by the first of them, where a result
        of the last stage will be: that costs less than to compute them again."""
        full = [v for v in self.wanted if v not in self.fusion.row]
        free = [v for v in full if self.stage[v] == last and v not in self.late]
        uses: dict[Value, set[int]] = {v: {last if v in self.late else self.stage[v]} for v in full}
        for node in reversed(self.cluster.nodes):
            out = node.outputs[0]
            if out not in self.stage or (
                out in self.fusion.row and not self.flow.is_reduction(out)
            ):
                continue
            stages = {self.stage[out]} if out in self.fusion.row else uses.get(out, set())
            if node.name in EXPENSIVE and len(stages) > 1 and out not in full:
                place = next((v for v in free if v.dtype == out.dtype), None)
                if place is not None:
                    free.remove(place)
                    self.kept[out] = min(stages), place
                    stages = {min(stages)}
            for x in values_of(node.inputs):
                uses.setdefault(self.flow.path(x)[0], set()).update(stages)

    # --- bodies ----------------------------------------------------------------------------

    def build(self) -> Built:
        """The kernel, and its arguments."""
        for node in self.cluster.nodes:  # in order: what is read is there, however long the chain
            out = node.outputs[0]
            if out not in self.stage:
                continue
            if self.flow.is_reduction(out):
                self._reduce(out)
            elif out not in self.fusion.row:
                self._now = self.stage[out]
                body = self.bodies[self._now]
                body.read(out, domain_map(out.shape, self.space))
                if out in self.kept:
                    self._keep(out)
        for value in self.wanted:
            if value in self.fusion.row:
                self._store_row(value)
            else:
                self._store(value)
        return self._finished()

    def _reduce(self, out: Value) -> None:
        node, _ = self.flow.maker[out]
        stage = self.stage[out]
        body = self.bodies[stage]
        operand = node.inputs[0]
        self._now = stage
        found = body.widened(body.read(operand, domain_map(operand.shape, self.space)))
        dtype = name_of(computed_in(operand.dtype))
        if node.name in ("any", "all") and operand.dtype != BOOL:
            found = body.put("ne", (found, body.constant(0, dtype)), "bool")
        if node.name in ("any", "all"):
            dtype = "bool"
        elif node.name in ("argmax", "argmin"):
            dtype = "int64"
        self.reductions[stage].append((out, Reduction(node.name, found, dtype)))

    def _store(self, value: Value) -> None:
        stage = len(self.bodies) - 1 if value in self.late else self.stage[value]
        body = self.bodies[stage]
        self._now = stage
        indices = domain_map(value.shape, self.space)
        number = body.read(value, indices)
        place = self.places[value]
        at = place.at(indices, len(self.space))
        self.stores[stage].append((place.buffer, at, name_of(value.dtype), number))

    def _keep(self, value: Value) -> None:
        """Store a value for later stages."""
        stage, result = self.kept[value]
        self._now = stage
        number = self.bodies[stage].read(value, domain_map(value.shape, self.space))
        buffer, at = self._waiting_at(result)
        self.stores[stage].append((buffer, at, name_of(value.dtype), number))

    def _waiting_at(self, result: Value) -> tuple[int, Index]:
        place = self.places[result]
        return place.buffer, place.at(domain_map(result.shape, self.space), len(self.space))

    def _store_row(self, value: Value) -> None:
        stage = self.stage[value]
        if value in self.late:
            stage = len(self.bodies) - 1
        indices = self._row_map(value.shape)
        self._now = stage
        number = self.rows[stage].read(value, indices)
        place = self.places[value]
        at = place.at(indices, len(self.space))
        self.row_stores[stage].append((place.buffer, at, name_of(value.dtype), number))

    def _row_map(self, shape: Sequence[int]) -> Map:
        kept = [d for d, reduced in enumerate(self.reduced) if not reduced]
        try:
            found = domain_map(shape, [self.space[d] for d in kept])
        except NeedSplit as need:
            raise NeedSplit(kept[need.dim], need.inner) from None
        out = []
        for offset, steps in found:
            wide = [0] * len(self.space)
            for d, step in zip(kept, steps, strict=True):
                wide[d] = step
            out.append(Index(offset, tuple(wide)))
        return tuple(out)

    def _elsewhere(self, writer: Writer, base: Value, indices: Map) -> int | None:
        """A load, where the value is not computed here."""
        home = self.fusion.home_of(base)
        if home is self.cluster or base in self.inlined or self.flow.is_formula(base):
            return None
        return writer.load(self.places[base], base, indices)

    def _in_body(self, writer: Writer, base: Value, indices: Map) -> int | None:
        if base in self.after:
            return self._row_value(writer, base, indices)
        if base in self.kept and self._now > self.kept[base][0]:
            return writer.put("load", (), name_of(base.dtype), self._waiting_at(self.kept[base][1]))
        return self._elsewhere(writer, base, indices)

    def _in_row(self, writer: Writer, base: Value, indices: Map) -> int | None:
        if base in self.after:
            if self.stage[base] < self._now:
                return self._row_value(writer, base, indices)
            if self.flow.is_reduction(base):
                return writer.rounded(self._raw(writer, base), base.dtype)
        return self._elsewhere(writer, base, indices)

    def _raw(self, writer: Writer, base: Value) -> int:
        for out, reduction in self.reductions[self.stage[base]]:
            if out is base:
                return writer.put("row", (), reduction.dtype, base)
        raise AssertionError("a reduction is read before its stage")

    def _row_value(self, writer: Writer, base: Value, indices: Map) -> int:
        """A row value of an earlier stage: a reduction, or what its row body computes."""
        stage = self.stage[base]
        if self.flow.is_reduction(base) and computed_in(base.dtype) == base.dtype:
            return self._raw(writer, base)
        if base not in self.row_results[stage]:
            now, self._now = self._now, stage
            number = self.rows[stage].read(base, self._row_map(base.shape))
            self.row_results[stage][base] = number
            self._now = now
        return writer.put("row", (), name_of(base.dtype), ("result", base))

    # --- the kernel ------------------------------------------------------------------------

    def _prune(self) -> None:
        """Leave out what was computed in a stage that does not need it."""
        for stage, body in enumerate(self.bodies):
            reductions, stores = self.reductions[stage], self.stores[stage]
            where = body.pruned([*(r.value for _, r in reductions), *(s[3] for s in stores)])
            self.reductions[stage] = [
                (out, Reduction(r.kind, where[r.value], r.dtype)) for out, r in reductions
            ]
            self.stores[stage] = [(*store[:3], where[store[3]]) for store in stores]

    def _finished(self) -> Built:
        self._prune()
        frame = self._frame()
        numbers: dict[Any, int] = {}
        for stage, reductions in enumerate(self.reductions):
            for out, _ in reductions:
                numbers[out] = len(numbers)
            for value in self.row_results[stage]:
                numbers["result", value] = len(numbers)
        stages = []
        for stage, reductions in enumerate(self.reductions):
            body, of_body = self._instructions(self.bodies[stage], frame, numbers)
            row, of_row = self._instructions(self.rows[stage], frame, numbers)
            made = [Reduction(r.kind, of_body[r.value], r.dtype) for _, r in reductions]
            stages.append(
                Stage(
                    body,
                    tuple(made),
                    self._accesses(self.stores[stage], frame, of_body),
                    row,
                    tuple(of_row[number] for number in self.row_results[stage].values()),
                    self._accesses(self.row_stores[stage], frame, of_row),
                )
            )
        sizes = [_product(self.space[d] for d in run) for run in frame.runs]
        split = self._outer_runs
        kernel = Loop(tuple(sizes[:split]), tuple(sizes[split:]), tuple(stages))
        arguments = {b: (a, frame.lowest[b]) for b, a in frame.arguments.items()}
        return kernel, arguments

    def _instructions(
        self, writer: Writer, frame: Frame, numbers: dict[Any, int]
    ) -> tuple[tuple[Instruction, ...], list[int]]:
        body, where = finish(writer, frame)
        settled = tuple(
            Instruction("row", (), i.dtype, numbers[i.detail]) if i.name == "row" else i
            for i in body
        )
        return settled, where

    def _accesses(
        self, stores: Any, frame: Frame, where: list[int]
    ) -> tuple[tuple[Access, int], ...]:
        return tuple((frame.access(b, at, dtype), where[n]) for b, at, dtype, n in stores)

    def _frame(self) -> Frame:
        loads: dict[int, set[Index]] = {}
        found: list[Index] = []
        for writer in (*self.bodies, *self.rows):
            found.extend(at for at, _ in writer.indices_of())
            for name, _, _, detail in writer.lines:
                if name == "load":
                    loads.setdefault(detail[0], set()).add(detail[1])
        stores = [s for part in (*self.stores, *self.row_stores) for s in part]
        for buffer, at, _, _ in stores:
            found.append(at)
            if loads.get(buffer, {at}) != {at}:
                raise InPlaceClash(buffer)
        reducing = any(self.reductions) or any(self.row_stores) or any(self.row_results)
        outer = [d for d, r in enumerate(self.reduced) if reducing and not r]
        inner = [d for d, r in enumerate(self.reduced) if not reducing or r]
        runs = []
        for dims in (outer, inner):
            strides = [[at.steps[d] for d in dims] for at in found]
            parts = joined_dims([self.space[d] for d in dims], strides)
            runs.append([[dims[d] for d in run] for run in parts])
        self._outer_runs = len(runs[0])
        frame = Frame([*runs[0], *runs[1]], self.space)
        for buffer, at, _, _ in stores:
            frame.note(buffer, at)
        for writer in (*self.bodies, *self.rows):
            note_all(frame, writer)
        return frame


def _product(sizes: Any) -> int:
    out = 1
    for size in sizes:
        out *= size
    return out


def loop_kernel(
    cluster: Cluster, flow: Flow, fusion: Fusion, demand: Demand,
    places: dict[Value, Place], late: set[Value],
) -> Built:  # fmt: skip
    """A cluster's kernel, in the coarsest space that serves all of its members.

    Raises:
        Misfit: a node that cannot be part of it.
        InPlaceClash: an input cannot be overwritten here.
    """

    def attempt(space: tuple[int, ...], origin: list[int]) -> Built:
        kernel = RowKernel(cluster, flow, fusion, demand, places, late, space, origin)
        return kernel.build()

    sizes = [size for size, _ in cluster.domain]
    try:
        return with_splits(sizes, attempt)[2]
    except Unmappable:
        raise Misfit(cluster.nodes[-1], None) from None
