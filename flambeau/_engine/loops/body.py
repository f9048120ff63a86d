"""Bodies: the scalar instructions of elementwise nodes, for a point of an iteration space.

A `Writer` turns values read at indices into instructions, each only once. What a loop over other
dimensions than the space's makes of loads and positions is settled when the kernel is finished
(see `finish`), because the space may still be divided or joined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..eager.precision import EXACT_BESIDE_NUMBERS
from ..graph.ir import Node, Number, Value
from .classify import BOOL, computed_in, name_of, operand_dtype, weak_number
from .flow import Flow, Misfit, along
from .indexing import (
    Flat,
    Index,
    Map,
    Unmappable,
    broadcast_map,
    flipped,
    strided_index,
)  # fmt: skip
from .kernel import Access, Instruction


@dataclass(frozen=True, slots=True)
class Place:
    """Memory of a value: a buffer, and where in it, in elements.

    Attributes:
        solid: whether the elements lie one after the other.
    """

    buffer: int
    offset: int
    strides: tuple[int, ...]
    solid: bool = True

    def at(self, indices: Map, rank: int) -> Index:
        """The position that is read at these indices.

        Raises:
            Misfit: they are a position in row-major order, which this memory has not.
        """
        if isinstance(indices, Flat):
            if not self.solid:
                raise Misfit(indices.node, 0)
            return Index(indices.at.offset + self.offset, indices.at.steps)
        found = strided_index(indices, self.strides, rank)
        return Index(found.offset + self.offset, found.steps)


# A leaf says what a value is inside a kernel that does not compute it there: given the value and
# the indices it is read at, an instruction's number in the writer; None: compute it.
Leaf = Callable[["Writer", Value, Map], int | None]


class Writer:
    """Instructions under construction.

    Attributes:
        lines: (name, operands, dtype, detail); the detail of a "load" is (buffer, Index), of a
            "position" an Index: a row-major position as an int64.
        asked_by: the node that each line was written for first.
    """

    def __init__(self, flow: Flow, space: tuple[int, ...], leaf: Leaf):
        self.flow = flow
        self.space = space
        self.leaf = leaf
        self.lines: list[tuple[str, tuple[int, ...], str, Any]] = []
        self.asked_by: list[Node | None] = []
        self._computing: Node | None = None
        self._known: dict[Any, int] = {}
        self._memo: dict[tuple[Value, Map], int] = {}

    def put(self, name: str, operands: tuple[int, ...], dtype: str, detail: Any = None) -> int:
        """The number of an instruction, a new one if there is none like it."""
        line = (name, operands, dtype, detail)
        key = (name, operands, dtype, repr(detail)) if name == "constant" else line
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.lines)
            self.lines.append(line)
            self.asked_by.append(self._computing)
        return found

    def load(self, place: Place, value: Value, indices: Map) -> int:
        """An element of memory."""
        at = place.at(indices, len(self.space))
        return self.put("load", (), name_of(value.dtype), (place.buffer, at))

    def read(self, value: Value, indices: Map) -> int:
        """A value at these indices, through views; computed where the leaf says so."""
        base, path = self.flow.path(value)
        indices = along(path, indices, self.space)
        key = (base, indices)
        found = self._memo.get(key)
        if found is None:
            leaf = self.leaf(self, base, indices)
            found = self._attempt(base, indices) if leaf is None else leaf
            self._memo[key] = found
        return found

    def _attempt(self, value: Value, indices: Map) -> int:
        before, self._computing = self._computing, self.flow.maker[value][0]
        try:
            return self.compute(value, indices)
        except Unmappable:
            raise Misfit(self.flow.maker[value][0], None) from None
        finally:
            self._computing = before

    def compute(self, value: Value, indices: Map) -> int:
        """The instructions of an elementwise node."""
        if isinstance(indices, Flat):
            raise Misfit(indices.node, 0)
        node, _ = self.flow.maker[value]
        name = node.name
        if name == "full":
            return self._uniform(node.params["value"], value)
        if name == "arange":
            return self._arange(node, indices)
        if name == "copy":
            return self.read(node.inputs[0], indices)
        if name == "flip":
            return self.read(node.inputs[0], flipped(node, indices))
        operands = self.operands(node, indices)
        result = node.outputs[0].dtype
        wide = name_of(computed_in(result))
        if name == "convert" and self.lines[operands[0]][2] == wide:
            found = operands[0]
        else:
            found = self.put(name, operands, wide)
        return self.rounded(found, result)

    def operands(self, node: Node, indices: Map) -> tuple[int, ...]:
        """The operands of an elementwise node, in the dtype that it computes in."""
        out_shape, rank = node.outputs[0].shape, len(self.space)
        dtype = operand_dtype(node)
        found = []
        for place, x in enumerate(node.inputs):
            if isinstance(x, Value):
                own = broadcast_map(x.shape, out_shape, indices, rank)
                found.append(self.widened(self.read(x, own)))
            else:
                is_condition = node.name == "where" and place == 0
                found.append(self._number(x, BOOL if is_condition else dtype, node.name))
        return tuple(found)

    def widened(self, number: int) -> int:
        """Half precision made float32."""
        dtype = self.lines[number][2]
        return self.put("convert", (number,), "float32") if "float16" in dtype else number

    def rounded(self, number: int, dtype: Any) -> int:
        """The value in the dtype that its node gives."""
        if self.lines[number][2] == name_of(dtype):
            return number
        return self.put("convert", (number,), name_of(dtype))

    def constant(self, x: Any, dtype: str) -> int:
        """A Python number."""
        return self.put("constant", (), dtype, x)

    def _number(self, x: Any, dtype: Any, name: str) -> int:
        exact = name in EXACT_BESIDE_NUMBERS
        wide = computed_in(dtype)
        if not isinstance(x, Number):
            return self.constant(weak_number(x, dtype, exact), name_of(wide))
        found = self.put("number", (), name_of(wide), x.position)
        if wide != dtype and not exact:
            found = self.widened(self.put("convert", (found,), name_of(dtype)))
        return found

    def _uniform(self, x: Any, value: Value) -> int:
        dtype = value.dtype
        if isinstance(x, Number):
            found = self.put("number", (), name_of(computed_in(dtype)), x.position)
            return self.rounded(found, dtype)
        exact = dtype.type(x)
        wide = computed_in(dtype)
        python = (
            bool(exact) if dtype == BOOL else int(exact) if dtype.kind in "iu" else float(exact)
        )
        return self.rounded(self.constant(python, name_of(wide)), dtype)

    def _arange(self, node: Node, indices: Map) -> int:
        dtype = node.params["dtype"]
        start, step = node.params["start"], node.params["step"]
        at = indices[0]
        whole = dtype.kind in "iu" and isinstance(start, int) and isinstance(step, int)
        if whole and step > 0:
            scaled = Index(start + at.offset * step, tuple(s * step for s in at.steps))
            return self.rounded(self.put("position", (), "int64", scaled), dtype)
        found = self.put("convert", (self.put("position", (), "int64", at),), "float64")
        found = self.put("mul", (found, self.constant(float(step), "float64")), "float64")
        found = self.put("add", (found, self.constant(float(start), "float64")), "float64")
        return self.rounded(found, dtype)

    def pruned(self, roots: Sequence[int]) -> list[int]:
        """Leave out the lines that none of `roots` needs; returns where each line went."""
        live = set(roots)
        for number in reversed(range(len(self.lines))):
            if number in live:
                live.update(self.lines[number][1])
        where = [-1] * len(self.lines)
        lines: list[tuple[str, tuple[int, ...], str, Any]] = []
        asked_by: list[Node | None] = []
        for number in sorted(live):
            name, operands, dtype, detail = self.lines[number]
            where[number] = len(lines)
            lines.append((name, tuple([where[o] for o in operands]), dtype, detail))
            asked_by.append(self.asked_by[number])
        self.lines, self.asked_by = lines, asked_by
        return where

    def indices_of(self) -> list[tuple[Index, Node | None]]:
        """All positions that the instructions read, and for which node."""
        out = []
        for (name, _, _, detail), node in zip(self.lines, self.asked_by, strict=True):
            if name == "load":
                out.append((detail[1], node))
            elif name == "position":
                out.append((detail, node))
        return out


class Frame:
    """The dimensions that a finished kernel walks, and its arguments.

    Args:
        runs: for each kernel dimension, the dimensions of the space that it stands for.
        space: the sizes of the space's dimensions.
    """

    def __init__(self, runs: Sequence[Sequence[int]], space: Sequence[int]):
        self.runs = runs
        self.space = space
        self.arguments: dict[int, int] = {}
        self.lowest: dict[int, int] = {}

    def note(self, buffer: int, at: Index) -> None:
        """Take up a buffer as an argument."""
        self.arguments.setdefault(buffer, len(self.arguments))
        low = at.offset
        for step, size in zip(at.steps, self.space):
            if step < 0:
                low += step * (size - 1)
        self.lowest[buffer] = min(self.lowest.get(buffer, low), low)

    def strides(self, at: Index) -> tuple[int, ...]:
        """Steps by the kernel's dimensions."""
        return tuple(at.steps[run[-1]] if run else 0 for run in self.runs)

    def access(self, buffer: int, at: Index, dtype: str) -> Access:
        """An access by argument; the argument begins at the lowest element that is touched."""
        argument = self.arguments[buffer]
        return Access(argument, dtype, self.strides(at), at.offset - self.lowest[buffer])


def note_all(frame: Frame, writer: Writer) -> None:
    """Take up all the buffers that a writer loads from."""
    for name, _, _, detail in writer.lines:
        if name == "load":
            frame.note(detail[0], detail[1])


def finish(writer: Writer, frame: Frame) -> tuple[tuple[Instruction, ...], list[int]]:
    """The instructions in a kernel's terms, and where each of the writer's lines went."""
    out: list[Instruction] = []
    known: dict[Instruction, int] = {}

    def put(instruction: Instruction) -> int:
        found = known.get(instruction)
        if found is None or instruction.name == "constant":  # 0.0 == -0.0
            found = known[instruction] = len(out)
            out.append(instruction)
        return found

    where: list[int] = []
    for name, operands, dtype, detail in writer.lines:
        if name == "load":
            buffer, at = detail
            where.append(put(Instruction("load", (), dtype, frame.access(buffer, at, dtype))))
        elif name == "position":
            where.append(_position(put, frame, detail))
        else:
            moved = tuple(where[o] for o in operands)
            where.append(put(Instruction(name, moved, dtype, detail)))
    return tuple(out), where


def _position(put: Callable[[Instruction], int], frame: Frame, at: Index) -> int:
    total: int | None = None
    for dim, step in enumerate(frame.strides(at)):
        if not step:
            continue
        term = put(Instruction("index", (), "int64", dim))
        if step != 1:
            factor = put(Instruction("constant", (), "int64", step))
            term = put(Instruction("mul", (term, factor), "int64"))
        total = term if total is None else put(Instruction("add", (total, term), "int64"))
    if total is None:
        return put(Instruction("constant", (), "int64", at.offset))
    if at.offset:
        offset = put(Instruction("constant", (), "int64", at.offset))
        total = put(Instruction("add", (total, offset), "int64"))
    return total


__all__ = ["Frame", "Leaf", "Place", "Writer", "finish", "note_all"]
