"""The plan itself: buffers for all that lies in memory, and a step for each kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..base.shapes import contiguous_strides
from ..eager import RULES
from ..graph.ir import REGION_WRITE, Node, Value
from ..passes.decompose import region_of
from .body import Place
from .capabilities import Capabilities
from .chains import chained
from .classify import CALL, JOIN, PRODUCT, name_of
from .demand import Demand
from .flow import Flow, Misfit, count
from .fuse import LOOP, Cluster, Fusion
from .indexing import Unmappable, joined_dims
from .kernel import Access, Instruction, Loop, Stage
from .memory import place_arena
from .plan import ARENA, CONSTANT, INPUT, OBJECT, OUTPUT, STATIC, Buffer, Callback, Plan, Step
from .products import ProductKernel, own_strides, place_within
from .rows import InPlaceClash, loop_kernel
from .schedule import Schedule, last_uses
from .special import IN_PLACE, special


class Assembly:
    """Buffers and steps of a scheduled graph.

    Attributes:
        misfits: nodes that have to be treated in another way.
        clashes: update targets that cannot be overwritten in place.
    """

    def __init__(
        self, flow: Flow, fusion: Fusion, demand: Demand, schedule: Schedule,
        capabilities: Capabilities, barred: set[Value],
    ):  # fmt: skip
        self.flow, self.fusion, self.demand, self.schedule = flow, fusion, demand, schedule
        self.barred = barred
        self.capabilities = capabilities
        self.graph = flow.graph
        self.buffers: list[Buffer] = []
        self.places: dict[Value, Place] = {}
        self.steps: list[Step | Callback] = []
        self.uses: list[list[int]] = []
        self.misfits: list[Misfit] = []
        self.clashes: set[Value] = set()
        self.late: set[Value] = set()
        self.joins: dict[Cluster, list[Place]] = {}
        self._joined: set[tuple[Value, int]] = set()  # pieces that are written in place
        self._parents: dict[int, int] = {}
        self._objects: dict[int, int] = {}
        self._input_of: dict[int, Value] = {}
        self._make_places()

    # --- memory ----------------------------------------------------------------------------

    def _buffer(self, kind: str, nbytes: int, **rest: Any) -> int:
        self.buffers.append(Buffer(kind, nbytes, **rest))
        return len(self.buffers) - 1

    def _make_places(self) -> None:
        graph = self.graph
        for position, value in enumerate(graph.inputs):
            strides = value.strides or contiguous_strides(value.shape)
            reach = 1 + sum((n - 1) * s for n, s in zip(value.shape, strides, strict=True))
            number = self._buffer(INPUT, reach * value.dtype.itemsize, position=position)
            self.places[value] = Place(number, 0, strides, value.strides is None)
            self._input_of[number] = value
        for position, output in enumerate(graph.outputs):
            kind = STATIC if output.static else OUTPUT
            self._own_place(output.value, kind, position=position)
        for target, value in graph.updates:
            if target not in self.schedule.copied:
                self.places[value] = self.places[target]
                self.late.add(value)
        for cluster in reversed(self.schedule.order):
            if cluster.kind == JOIN:
                try:
                    self.joins[cluster] = self._join(cluster)
                except Misfit as misfit:
                    self.misfits.append(misfit)
        for cluster in self.schedule.order:
            for value in self.demand.reads[cluster]:
                if value in self.flow.constants and value not in self.places:
                    self.places[value] = self._constant(value)
            for value in self.demand.stored.get(cluster, ()):
                if value not in self.places:
                    self._own_place(value, ARENA)
            if cluster.kind == CALL:
                assert cluster.node is not None
                for value in cluster.node.outputs:
                    if value not in self.places:
                        self._own_place(value, ARENA)

    def _own_place(self, value: Value, kind: str, **rest: Any) -> None:
        number = self._buffer(kind, count(value.shape) * value.dtype.itemsize, **rest)
        self.places[value] = Place(number, 0, contiguous_strides(value.shape))

    def _join(self, cluster: Cluster) -> list[Place]:
        """The places of a join's pieces in its result; pieces that can be are put there at once."""
        node = cluster.node
        assert node is not None
        out = node.outputs[0]
        if out not in self.places:
            self._own_place(out, ARENA)
        whole = self.places[out]
        if node.name == REGION_WRITE:
            if self._base_is_there(node, whole):
                self._joined.add((out, 0))
            return [whole, self._region(whole, out, node)]
        regions = self._side_by_side(node, whole)
        for number, (piece, region) in enumerate(zip(node.inputs, regions, strict=True)):
            base, path = self.flow.path(piece)
            home = self.fusion.home_of(base)
            if home is None or home.kind == CALL or base in self.places or base in self.barred:
                continue
            inside = place_within(region, piece, base, path)
            if inside is not None:
                # a buffer of its own, for nothing else has its elements
                offset, strides = inside
                solid = strides == contiguous_strides(base.shape)
                self.places[base] = Place(self._part(whole.buffer), offset, strides, solid)
                self._joined.add((out, number))
        return regions

    def _base_is_there(self, node: Node, whole: Place) -> bool:
        """Whether what a region is written into is in the result's memory before: an input that
        is updated, or a value that nobody else reads."""
        base = node.inputs[0]
        if base in self.places:
            return self.places[base].buffer == whole.buffer
        home = self.fusion.home_of(base)
        alone = self.flow.users.get(base) == [node] and base not in self.flow.contents
        if base in self.barred:
            return False
        if home is None or home.kind == CALL or not alone:
            return False
        self.places[base] = whole
        return True

    def _side_by_side(self, node: Node, whole: Place) -> list[Place]:
        """The regions of a concatenation's operands, or of the only operand of a copy."""
        dim = node.params.get("dim", 0)
        start = 0
        regions = []
        for piece in node.inputs:
            offset = whole.offset
            if piece.shape:
                offset += start * whole.strides[dim]
                start += piece.shape[dim]
            regions.append(Place(whole.buffer, offset, whole.strides, False))
        return regions

    def _region(self, whole: Place, out: Value, node: Node) -> Place:
        """Where in a value's memory view steps lead."""
        size = out.dtype.itemsize
        origin = np.zeros(1, out.dtype)
        shell = np.lib.stride_tricks.as_strided(
            origin, out.shape, [s * size for s in whole.strides]
        )
        try:
            part = region_of(shell, node.params["steps"])
        except (ValueError, NotImplementedError):  # a view that this memory does not allow
            raise Misfit(node, None) from None
        offset = (_address(part) - _address(origin)) // size
        strides = tuple(s // size for s in part.strides)
        return Place(whole.buffer, whole.offset + offset, strides, False)

    def _part(self, buffer: int) -> int:
        """Another name of a buffer."""
        parent = self._parents.get(buffer, buffer)
        number = len(self.buffers)
        self.buffers.append(replace(self.buffers[parent]))
        self._parents[number] = parent
        return number

    def _constant(self, value: Value) -> Place:
        node, _ = self.flow.maker[value]
        if node.name == "full":  # one element, read again and again
            array = np.full(1, node.params["value"], value.dtype)
            strides: tuple[int, ...] = (0,) * len(value.shape)
        else:
            array = np.ascontiguousarray(RULES[node.name](**node.params))
            strides = contiguous_strides(value.shape)
        number = self._buffer(CONSTANT, array.nbytes, array=array)
        return Place(number, 0, strides, node.name != "full")

    def _object(self, generator: Any) -> int:
        number = self._objects.get(id(generator))
        if number is None:
            memory = generator.memory()
            number = self._buffer(OBJECT, memory.nbytes, array=memory)
            self._objects[id(generator)] = number
        return number

    # --- steps -----------------------------------------------------------------------------

    def plan(self) -> Plan | None:
        """The plan; None where nodes or updates have to be treated in another way first."""
        if self.misfits:
            return None
        for cluster in self.schedule.order:
            try:
                self._step(cluster)
            except Misfit as misfit:
                self.misfits.append(misfit)
            except InPlaceClash as clash:
                self.clashes.add(self._input_of[clash.buffer])
        if self.misfits or self.clashes:
            return None
        for target, value in self.graph.updates:
            if target in self.schedule.copied:
                self._copy(value, self.places[value], self.places[target])
        steps = list(zip(self.steps, self.uses, strict=True))
        steps = chained(steps, self.buffers, self._parents)
        self.steps, self.uses = [step for step, _ in steps], [used for _, used in steps]
        arena = place_arena(self.buffers, last_uses(self.uses))
        for part, parent in self._parents.items():
            self.buffers[part].offset = self.buffers[parent].offset
        outputs = [(o.value.shape, o.value.dtype, o.static) for o in self.graph.outputs]
        return Plan(
            self.buffers, self.steps, arena, self.graph.numbers, len(self.graph.inputs), outputs
        )

    def _add(self, step: Step | Callback, buffers: Sequence[int]) -> None:
        self.steps.append(step)
        self.uses.append([self._parents.get(b, b) for b in buffers])

    def _step(self, cluster: Cluster) -> None:
        if cluster.kind == LOOP:
            kernel, arguments = loop_kernel(
                cluster, self.flow, self.fusion, self.demand, self.places, self.late
            )
        elif cluster.kind == PRODUCT:
            kernel, arguments = ProductKernel(
                cluster, self.flow, self.fusion, self.demand, self.places
            ).build()
        else:
            (self._call if cluster.kind == CALL else self._copy_pieces)(cluster)
            return
        bound: list[tuple[int, int]] = [(0, 0)] * len(arguments)
        for buffer, (argument, lowest) in arguments.items():
            bound[argument] = (buffer, lowest * self._itemsize(kernel, argument))
        event = cluster.nodes[-1].event
        self._add(Step(kernel, tuple(bound), event), list(arguments))

    def _itemsize(self, kernel: Any, argument: int) -> int:
        for access in accesses(kernel):
            if access.argument == argument:
                return np.dtype(_NUMPY.get(access.dtype, access.dtype)).itemsize
        raise AssertionError("an argument without an access")

    def _copy_pieces(self, cluster: Cluster) -> None:
        """Steps for the pieces of a join that could not be written where they belong."""
        node = cluster.node
        assert node is not None
        for number, (piece, region) in enumerate(zip(node.inputs, self.joins[cluster])):
            if (node.outputs[0], number) in self._joined:
                continue
            source = self.places[self.flow.path(piece)[0]]
            if source.buffer == region.buffer:
                raise InPlaceClash(region.buffer)
            try:
                offset, strides = own_strides(self.flow, source, piece)
            except Unmappable:
                raise Misfit(node, number) from None
            self._copy(piece, Place(source.buffer, offset, strides), region)

    def _copy(self, value: Value, source: Place, target: Place) -> None:
        """A step that copies elements."""
        runs = joined_dims(value.shape, [source.strides, target.strides])
        sizes = tuple(count([value.shape[d] for d in run]) for run in runs)
        name = name_of(value.dtype)
        access = [
            Access(a, name, tuple(strides[run[-1]] for run in runs))
            for a, strides in enumerate((source.strides, target.strides))
        ]
        body = (Instruction("load", (), name, access[0]),)
        kernel = Loop((), sizes, (Stage(body, (), ((access[1], 0),)),))
        places = (source, target)
        bound = tuple((p.buffer, p.offset * value.dtype.itemsize) for p in places)
        self._add(Step(kernel, bound), [p.buffer for p in places])

    # --- calls -----------------------------------------------------------------------------

    def _call(self, cluster: Cluster) -> None:
        node = cluster.node
        assert node is not None
        where: list[tuple[int, int, tuple[int, ...]] | None] = []
        for number, x in enumerate(node.inputs):
            where.append(self._operand(node, number) if isinstance(x, Value) else None)
        results = [(self.places[v].buffer, 0, self.places[v].strides) for v in node.outputs]
        if self.capabilities.special(node):
            self._special(node, where, results)
        else:
            self._callback(node, where, results)

    def _operand(self, node: Node, number: int) -> tuple[int, int, tuple[int, ...]]:
        value = node.inputs[number]
        place = self.places[self.flow.path(value)[0]]
        try:
            offset, strides = own_strides(self.flow, place, value)
        except Unmappable:
            raise Misfit(node, number) from None
        return place.buffer, offset * value.dtype.itemsize, strides

    def _special(self, node: Node, where: Any, results: Any) -> None:
        inputs = list(node.inputs)
        if node.name in IN_PLACE and node.name != "scatter_reduce":
            uniform = self._uniform(inputs[0])
            if uniform is not None:  # no memory has to be filled first
                inputs[0], where = uniform, [None, *where[1:]]
        operands = [w for w in where if w is not None]
        strides: dict[Value, tuple[int, ...]] = {}
        for x, w in zip((*inputs, *node.outputs), (*where, *results), strict=True):
            if isinstance(x, Value):
                strides[x] = w[2]
        asked = Node(node.name, tuple(inputs), node.params, node.outputs, node.event)
        kernel = special(asked, strides.__getitem__)
        bound = [(buffer, offset) for buffer, offset, _ in (*operands, *results)]
        generator = node.params.get("generator")
        if generator is not None:
            bound.insert(0, (self._object(generator), 0))
        faults = node in self.schedule.may_fault
        self._add(Step(kernel, tuple(bound), node.event, faults), [b for b, _ in bound])

    def _uniform(self, value: Any) -> Any:
        """The number that a constant is full of; None for others."""
        if not isinstance(value, Value):
            return None
        base, _ = self.flow.path(value)
        if base not in self.flow.constants:
            return None
        node, _ = self.flow.maker[base]
        return node.params["value"] if node.name == "full" else None

    def _callback(self, node: Node, where: Any, results: Any) -> None:
        operands = tuple(
            x if w is None else (w[0], w[1], x.shape, x.dtype, w[2])
            for x, w in zip(node.inputs, where, strict=True)
        )
        found = tuple(
            (buffer, offset, v.shape, v.dtype, strides)
            for v, (buffer, offset, strides) in zip(node.outputs, results, strict=True)
        )
        used = [w[0] for w in (*where, *results) if w is not None]
        self._add(Callback(node, operands, found, node.event), used)


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


_NUMPY = {"bfloat16": "uint16"}


def accesses(kernel: Any) -> Any:
    """Every access of a Loop or a Gemm."""
    if isinstance(kernel, Loop):
        for stage in kernel.stages:
            yield from (access for access, _ in (*stage.stores, *stage.row_stores))
            for instruction in (*stage.body, *stage.row):
                if instruction.name == "load":
                    yield instruction.detail
    else:
        yield from (kernel.a, kernel.b)
        yield from (access for access, _ in kernel.stores)
        for instruction in kernel.epilogue:
            if instruction.name == "load":
                yield instruction.detail
