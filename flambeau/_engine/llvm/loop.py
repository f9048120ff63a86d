"""Loop kernels as native code: elementwise work, reductions, and rows of several stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext

import llvmlite.ir as ir

from ..loops.kernel import Access, Instruction, Loop, Stage
from .arithmetic import any_lane
from .body import REFUSALS, build_body, load_number
from .flow import counted, digits, number, repeated, smaller
from .host import Host
from .keep import kept_rows
from .maths import COSTS
from .reduction import Folding, Parts, folding
from .space import Segment, Space, accesses, instructions, lay_out
from .types import I32, I64, KINDS, POINTER
from .vector import Vectors

FAULT = 1  # what a kernel returns that met an operand it refuses

SIGNATURE = ir.FunctionType(I32, [POINTER, POINTER, I64, I64])


def emit(module: ir.Module, kernel: Loop, name: str, host: Host) -> ir.Function:
    """The kernel as a function `name` of the module (see `loops.kernel` for its signature).

    It returns 0, or `FAULT` if an operation refused an operand (see `body.REFUSALS`): what it
    stores is then of no use.
    """
    function = ir.Function(module, SIGNATURE, name)
    function.attributes.add("nounwind")
    host.mark(function)
    _Emitter(function, kernel, host).emit()
    return function


def tasks(kernel: Loop, host: Host) -> int:
    """Into how many pieces the kernel's work divides; at least 1, also of no work."""
    space = lay_out(kernel, host)
    return max(1, -(-space.units // space.units_per_task))


def work(kernel: Loop) -> int:
    """About how many nanoseconds one core takes."""
    rows = math.prod(kernel.outer)
    points = rows * math.prod(kernel.inner)
    total = 0.0
    for stage in kernel.stages:
        for body, stores, times in (
            (stage.body, stage.stores, points), (stage.row, stage.row_stores, rows),
        ):  # fmt: skip
            moving = [i.detail for i in body if i.name == "load"] + [access for access, _ in stores]
            moved = sum(KINDS[a.dtype].itemsize for a in moving if any(a.strides))
            operations = sum(COSTS.get(i.name, 1) for i in body)
            # some 40 bytes, and some 40 operations, a nanosecond; less of what is done once a row
            total += times * (max(moved / 40, operations / 40) + (body is stage.row and 5))
    return int(total) + 1


class _Emitter:
    """Puts one kernel's code into a function.

    Coordinates are scalars, one for each dimension of the space; the axis's is where the
    vector at hand starts.
    """

    def __init__(self, function: ir.Function, kernel: Loop, host: Host):
        self.space: Space = lay_out(kernel, host)
        rows = self.space.segments[0].lanes if self.space.across else 1
        kernel, kept = kept_rows(kernel, rows, self.space.rows_axis)
        if not self.space.across:
            self.space = lay_out(kernel, host)  # stages have less to do now
        self.kernel, self.host = kernel, host
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.arguments, self.numbers, self.begin, self.end = function.args
        self.axis = len(self.space.outer) - 1 if self.space.across else len(self.space.sources) - 1
        self.pointers = {
            argument: self._pointer_argument(argument)
            for argument in sorted({access.argument for access in accesses(kernel)})
            if argument >= 0
        }
        for place, dtype in enumerate(kept, 1):
            count = rows * math.prod(kernel.inner)
            row = self.builder.alloca(ir.ArrayType(KINDS[dtype].memory, count))
            row.align, row.type = 64, POINTER
            self.pointers[-place] = row
        one = Vectors(self.builder, 1, host)
        self.scalars = {
            i: one.lane(load_number(one, self.numbers, i), 0)
            for i in dict.fromkeys(i for i in instructions(kernel) if i.name == "number")
        }

        self.fixed: dict[Access, ir.Value] = {}
        self.fault: ir.Value | None = None
        if any(i.name in REFUSALS for i in instructions(kernel)):
            self.fault = self.builder.alloca(I32)
            self.builder.store(ir.Constant(I32, 0), self.fault)

    def _pointer_argument(self, argument: int) -> ir.Value:
        at = self.builder.gep(self.arguments, [number(argument)], source_etype=POINTER)
        return self.builder.load(at, typ=POINTER, align=8)

    def emit(self) -> None:
        """All of the function."""
        builder, space = self.builder, self.space
        each = number(space.units_per_task)
        start = builder.mul(self.begin, each)
        stop = smaller(builder, builder.mul(self.end, each), number(space.units))
        with counted(builder, start, stop) as unit:
            if space.turned:
                *rest, block, last = digits(
                    builder, unit, (*space.rest[:-1], space.blocks, space.rest[-1])
                )
                rest.append(last)
            else:
                *rest, block = digits(builder, unit, (*space.rest, space.blocks))
            self._load_fixed(rest)
            if space.across:
                self._across(rest, block)
            else:
                self._within(rest)
        if self.fault is None:
            builder.ret(ir.Constant(I32, 0))
        else:
            builder.ret(builder.load(self.fault, typ=I32))

    def _load_fixed(self, rest: list[ir.Value]) -> None:
        """Reads what is the same all over a unit of work."""
        space, kernel = self.space, self.kernel
        if 0 in space.inner:
            return  # there may be nothing to read
        point = [*rest, *(number(0) for _ in space.sources[len(rest) :])]
        one = Vectors(self.builder, 1, self.host)
        stored = {a.argument for s in kernel.stages for a, _ in (*s.stores, *s.row_stores)}
        for access in {i.detail: None for i in instructions(kernel) if i.name == "load"}:
            moves = any(space.strides(access)[len(rest) :])
            if not moves and access.argument not in stored:
                pointer, _ = self._place(access, point, one)
                self.fixed[access] = one.load(pointer, access.dtype)

    # -- vectors across rows ---------------------------------------------------------------

    def _across(self, rest: list[ir.Value], block: ir.Value) -> None:
        builder, space = self.builder, self.space
        main, *others = space.segments
        if space.blocks == 1:
            with repeated(builder, main.trips, main.lanes) as at:
                self._rows(main, [*rest, at])
        else:
            first = builder.mul(block, number(space.trips))
            last = smaller(builder, builder.add(first, number(space.trips)), number(main.trips))
            step = number(main.lanes)
            first, last = builder.mul(first, step), builder.mul(last, step)
            with counted(builder, first, last, main.lanes) as at:
                self._rows(main, [*rest, at])
        if not others:
            return
        final = builder.icmp_signed("==", block, number(space.blocks - 1))
        with nullcontext() if space.blocks == 1 else builder.if_then(final):
            for segment in others:
                with repeated(builder, segment.trips, segment.lanes) as at:
                    at = builder.add(at, number(segment.start))
                    self._rows(segment, [*rest, at])

    def _rows(self, segment: Segment, outer: list[ir.Value]) -> None:
        """All stages for `lanes` neighbouring outer points."""
        builder, inner = self.builder, self.space.inner
        v, mask = self._vectors(segment)
        rows: list[ir.Value] = []
        for stage in self.kernel.stages:
            foldings = self._foldings(stage)
            kept = [_Kept(v, f) for f in foldings]
            with repeated(builder, math.prod(inner)) as flat:
                point = [*outer, *digits(builder, flat, inner)]
                values = self._body(v, stage.body, point, mask, rows)
                for reduction, keep in zip(stage.reductions, kept, strict=True):
                    dtype = stage.body[reduction.value].dtype
                    keep.update(values[reduction.value], dtype, v.splat(flat))
                self._store(v, stage.stores, values, point, mask)
            rows.extend(keep.folding.finish(v, keep.value()) for keep in kept)
            point = [*outer, *(number(0) for _ in inner)]
            self._row(v, stage, point, mask, rows)

    # -- vectors within a row ----------------------------------------------------------------

    def _within(self, outer: list[ir.Value]) -> None:
        """All stages for one outer point."""
        one = Vectors(self.builder, 1, self.host)
        rows: list[ir.Value] = []
        for stage, cut in zip(self.kernel.stages, self.space.cuts, strict=True):
            rows.extend(self._pass(stage, cut, outer, rows))
            point = [*outer, *(number(0) for _ in self.space.inner)]
            self._row(one, stage, point, None, rows)

    def _pass(
        self,
        stage: Stage,
        cut: tuple[Segment, ...],
        outer: list[ir.Value],
        rows: list[ir.Value],
    ) -> list[ir.Value]:
        """One stage over all inner points; its reductions."""
        if not stage.body:
            return []
        builder, space = self.builder, self.space
        *sizes, size = space.inner
        foldings = self._foldings(stage)
        kept = [
            [_Kept(Vectors(builder, segment.lanes, self.host), f) for f in foldings]
            for segment in cut
        ]
        with repeated(builder, math.prod(sizes)) as flat:
            beside = [*outer, *digits(builder, flat, tuple(sizes))]
            flat = builder.mul(flat, number(size))
            for segment, keeps in zip(cut, kept, strict=True):
                with repeated(builder, segment.trips, segment.lanes) as at:
                    at = builder.add(at, number(segment.start))
                    self._vector(stage, segment, [*beside, at], builder.add(flat, at), keeps, rows)
        return [_total([keeps[k] for keeps in kept]) for k in range(len(foldings))]

    def _vector(
        self,
        stage: Stage,
        segment: Segment,
        point: list[ir.Value],
        flat: ir.Value,
        keeps: list[_Kept],
        rows: list[ir.Value],
    ) -> None:
        v, mask = self._vectors(segment)
        values = self._body(v, stage.body, point, mask, rows)
        for reduction, keep in zip(stage.reductions, keeps, strict=True):
            dtype = stage.body[reduction.value].dtype
            keep.update(values[reduction.value], dtype, v.ramp(flat, 1), mask)
        self._store(v, stage.stores, values, point, mask)

    # -- what both have ----------------------------------------------------------------------

    def _vectors(self, segment: Segment) -> tuple[Vectors, ir.Value | None]:
        v = Vectors(self.builder, segment.lanes, self.host)
        return v, None if segment.live == segment.lanes else v.first_lanes(segment.live)

    def _foldings(self, stage: Stage) -> list[Folding]:
        return [folding(r, stage.body[r.value].dtype) for r in stage.reductions]

    def _row(
        self,
        v: Vectors,
        stage: Stage,
        point: list[ir.Value],
        mask: ir.Value | None,
        rows: list[ir.Value],
    ) -> None:
        """What is done once a row: its results join `rows`."""
        values = self._body(v, stage.row, point, mask, rows)
        rows.extend(values[place] for place in stage.row_results)
        self._store(v, stage.row_stores, values, point, mask)

    def _body(
        self,
        v: Vectors,
        body: Sequence[Instruction],
        point: list[ir.Value],
        mask: ir.Value | None,
        rows: list[ir.Value],
    ) -> list[ir.Value]:
        def leaf(instruction: Instruction) -> ir.Value:
            if instruction.name == "load":
                access = instruction.detail
                if access in self.fixed:
                    return _spread(v, self.fixed[access])
                pointer, stride = self._place(access, point, v)
                return v.load(pointer, access.dtype, stride, mask)
            if instruction.name == "number":
                return v.splat(self.scalars[instruction])
            if instruction.name == "row":
                return _spread(v, rows[instruction.detail])
            return self._index(v, instruction.detail, point)

        def refuse(lanes: ir.Value) -> None:
            lanes = lanes if mask is None else self.builder.and_(lanes, mask)
            code = self.builder.select(
                any_lane(v, lanes), ir.Constant(I32, FAULT), ir.Constant(I32, 0)
            )
            before = self.builder.load(self.fault, typ=I32)
            self.builder.store(self.builder.or_(before, code), self.fault)

        return build_body(v, body, leaf, refuse)

    def _store(
        self,
        v: Vectors,
        stores: Sequence[tuple[Access, int]],
        values: list[ir.Value],
        point: list[ir.Value],
        mask: ir.Value | None,
    ) -> None:
        for access, place in stores:
            pointer, stride = self._place(access, point, v)
            v.store(values[place], pointer, access.dtype, stride, mask)

    def _place(self, access: Access, point: list[ir.Value], v: Vectors) -> tuple[ir.Value, int]:
        """Where an access's first lane lies, and the stride of its lanes."""
        builder, strides = self.builder, self.space.strides(access)
        offset: ir.Value = number(access.offset)
        for coordinate, stride in zip(point, strides, strict=True):
            if stride:
                offset = builder.add(builder.mul(coordinate, number(stride)), offset)
        kept_beside = access.argument < 0 and self.space.across  # rows lie side by side
        if kept_beside:
            offset = builder.mul(offset, number(v.lanes))
        pointer = builder.gep(
            self.pointers[access.argument], [offset], source_etype=KINDS[access.dtype].memory
        )
        return pointer, strides[self.axis] if v.lanes > 1 and not kept_beside else 1

    def _index(self, v: Vectors, dimension: int, point: list[ir.Value]) -> ir.Value:
        """Coordinates along one of the kernel's dimensions, as int64."""
        for place, source in enumerate(self.space.sources):
            if dimension in source:
                start = point[place]
                return v.ramp(start, 1) if place == self.axis else v.splat(start)
        return v.constant("int64", 0)  # the only one of its dimension


def _spread(v: Vectors, value: ir.Value) -> ir.Value:
    """A vector of one lane in all lanes; others stay."""
    return value if value.type.count == v.lanes else v.splat(v.lane(value, 0))


class _Kept:
    """An accumulator's memory: LLVM makes registers of it."""

    def __init__(self, v: Vectors, how: Folding):
        self.v, self.folding = v, how
        with v.builder.goto_entry_block():
            self.cells = [v.builder.alloca(v.type(dtype)) for dtype in how.dtypes]
        self._set(how.start(v))

    def _set(self, parts: Parts) -> None:
        for cell, part in zip(self.cells, parts, strict=True):
            self.v.builder.store(part, cell)

    def value(self) -> Parts:
        """What it holds."""
        kinds = [self.v.type(dtype) for dtype in self.folding.dtypes]
        loads = zip(self.cells, kinds, strict=True)
        return tuple(self.v.builder.load(cell, typ=kind) for cell, kind in loads)

    def update(
        self, value: ir.Value, dtype: str, index: ir.Value, mask: ir.Value | None = None
    ) -> None:
        """A body's value, with its flat inner index, joins."""
        parts = self.folding.prepare(self.v, value, dtype, index)
        if mask is not None:
            parts = self.folding.masked(self.v, parts, mask)
        self._set(self.folding.meet(self.v, self.value(), parts))


def _total(keeps: list[_Kept]) -> ir.Value:
    """The accumulators of a row's segments, from wide to narrow, as one value in one lane."""
    how, v, parts = keeps[0].folding, keeps[0].v, keeps[0].value()
    for following in keeps[1:]:
        v, parts = how.narrowed(v, parts, following.v.lanes)
        parts = how.meet(v, parts, following.value())
    v, parts = how.narrowed(v, parts, 1)
    return how.finish(v, parts)
