"""Code with loops, positions and variables: llvmlite's builder with a few words more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import llvmlite.ir as ir

from ..host import Host
from ..types import DOUBLE, FLOAT, I32, I64
from ..vector import call

Index = Any  # of an element: an LLVM value or a Python int


class Code:
    """A function while it is being written.

    Attributes:
        builder: llvmlite's, at the place where code goes.
    """

    def __init__(self, module: ir.Module, name: str, signature: ir.FunctionType, host: Host):
        self.module, self.host = module, host
        self.function = ir.Function(module, signature, name)
        self.function.attributes.add("nounwind")
        host.mark(self.function)
        self._entry = self.function.append_basic_block("entry")
        self.builder = ir.IRBuilder(self._entry)

    def intrinsic(self, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
        """A call of an LLVM intrinsic, by its full name."""
        return call(self.builder, name, result, *arguments)

    def fused(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a * b + c, rounded once, on any host."""
        return self.intrinsic(f"llvm.fma.{_mangled(a.type)}", a.type, a, b, c)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a * b + c: rounded once where the host can."""
        return self.intrinsic(f"llvm.fmuladd.{_mangled(a.type)}", a.type, a, b, c)

    def memory(self, type_: ir.Type, count: int) -> ir.Value:
        """Room on the stack for `count` values."""
        with self.builder.goto_block(self._entry):
            place = self.builder.alloca(type_, count)
        place.align = 64
        return place

    def at(self, pointer: ir.Value, position: Index, type_: ir.Type) -> ir.Value:
        """Where an element of memory lies."""
        return self.builder.gep(pointer, [i64(position)], source_etype=type_)

    def read(self, pointer: ir.Value, position: Index, type_: ir.Type, lanes: int = 1) -> ir.Value:
        """An element of memory, or a vector of them."""
        place = self.at(pointer, position, type_)
        return self.builder.load(place, align=_bytes(type_), typ=many(type_, lanes))

    def write(self, pointer: ir.Value, position: Index, value: ir.Value) -> None:
        """Write an element, or a vector of them, from a position on."""
        type_ = value.type.element if isinstance(value.type, ir.VectorType) else value.type
        self.builder.store(value, self.at(pointer, position, type_), align=_bytes(type_))

    def slot(self, value: ir.Value) -> ir.Value:
        """A variable that begins as `value`: memory of the stack, which LLVM makes a register."""
        with self.builder.goto_block(self._entry):
            place = self.builder.alloca(value.type)
        self.builder.store(value, place)
        return place

    def get(self, slot: ir.Value) -> ir.Value:
        """A variable's value."""
        return self.builder.load(slot, typ=slot.allocated_type)

    # --- numbers ---------------------------------------------------------------------------

    def add(self, a: Index, b: Index) -> Index:
        """a + b of positions, either of which may be a Python int."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if isinstance(b, int) and b == 0:
            return a
        if isinstance(a, int) and a == 0:
            return b
        return self.builder.add(i64(a), i64(b))

    def mul(self, a: Index, b: Index) -> Index:
        """a * b of positions."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        for one, other in ((a, b), (b, a)):
            if isinstance(one, int) and one in (0, 1):
                return other if one else 0
        return self.builder.mul(i64(a), i64(b))

    def lower(self, a: Index, b: Index) -> ir.Value:
        """The smaller one of two positions."""
        a, b = i64(a), i64(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def greater(self, a: Index, b: Index) -> ir.Value:
        """The larger one of two positions."""
        a, b = i64(a), i64(b)
        return self.builder.select(self.builder.icmp_signed(">", a, b), a, b)

    def dot(self, indices: Sequence[Index], strides: Sequence[int]) -> Index:
        """The sum of index times stride."""
        total: Index = 0
        for index, stride in zip(indices, strides, strict=True):
            total = self.add(total, self.mul(index, stride))
        return total

    def split(self, flat: Index, shape: Sequence[int]) -> list[Index]:
        """The indices in `shape` of the row-major position `flat`."""
        found: list[Index] = []
        left = flat
        for size in reversed(shape[1:]):
            found.append(0 if size == 1 else self.builder.urem(i64(left), i64(size)))
            left = left if size == 1 else self.builder.udiv(i64(left), i64(size))
        return [*([left] if shape else []), *reversed(found)]

    # --- control ---------------------------------------------------------------------------

    @contextmanager
    def loop(self, begin: Index, end: Index, step: int = 1) -> Iterator[Index]:
        """`for index in range(begin, end, step)`."""
        if isinstance(begin, int) and isinstance(end, int) and end - begin == step:
            yield begin
            return
        builder = self.builder
        before = builder.block
        body = self.function.append_basic_block("body")
        after = self.function.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("<", i64(begin), i64(end)), body, after)
        builder.position_at_end(body)
        index = builder.phi(I64)
        index.add_incoming(i64(begin), before)
        yield index
        following = builder.add(index, i64(step), flags=("nsw",))
        index.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, i64(end)), body, after)
        builder.position_at_end(after)

    @contextmanager
    def repeat(self) -> Iterator[Callable[[ir.Value], None]]:
        """An endless loop; what it gives leaves it where a condition holds."""
        builder = self.builder
        body = self.function.append_basic_block("repeat")
        after = self.function.append_basic_block("after")
        builder.branch(body)
        builder.position_at_end(body)

        def leave(condition: ir.Value) -> None:
            stay = self.function.append_basic_block("stay")
            builder.cbranch(condition, after, stay)
            builder.position_at_end(stay)

        yield leave
        builder.branch(body)
        builder.position_at_end(after)

    @contextmanager
    def nest(self, shape: Sequence[int]) -> Iterator[list[Index]]:
        """A loop for each dimension, the last one innermost."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.loop(0, size)) for size in shape]

    def span(self, begin: Index, end: Index, size: int, body: Callable[[Index, int], None]) -> None:
        """`body(index, lanes)` over [begin, end): whole vectors of elements, then the rest.

        The rest goes in ever smaller vectors if the bounds are known, else one by one.

        Args:
            size: bytes of an element.
        """
        lanes = self.host.lanes(size)
        if isinstance(begin, int) and isinstance(end, int):
            whole: Index = begin + (end - begin) // lanes * lanes
            if begin < whole:
                with self.loop(begin, whole, lanes) as index:
                    body(index, lanes)
            while lanes > 1:
                lanes //= 2
                if (end - whole) & lanes:
                    body(whole, lanes)
                    whole += lanes
        else:
            count = self.builder.sub(i64(end), i64(begin))
            whole = self.add(begin, self.builder.and_(count, i64(-lanes)))
            for start, stop, step in ((begin, whole, lanes), (whole, end, 1)):
                with self.loop(start, stop, step) as index:
                    body(index, step)

    @contextmanager
    def when(self, condition: ir.Value) -> Iterator[None]:
        """What follows only runs where the condition holds."""
        with self.builder.if_then(condition):
            yield


def i64(value: Index) -> ir.Value:
    """A position as an LLVM value."""
    return ir.Constant(I64, value) if isinstance(value, int) else value


def many(type_: ir.Type, lanes: int) -> ir.Type:
    """The type of `lanes` values: a vector, or the type itself for one."""
    return type_ if lanes == 1 else ir.VectorType(type_, lanes)


def lanes_of(value: ir.Value) -> int:
    """How many values there are in one."""
    return value.type.count if isinstance(value.type, ir.VectorType) else 1


def full(type_: ir.Type, value: Any) -> ir.Value:
    """A number, in every lane of a vector type."""
    if isinstance(type_, ir.VectorType):
        return ir.Constant(type_, [_plain(type_.element, value)] * type_.count)
    return ir.Constant(type_, _plain(type_, value))


def _plain(type_: ir.Type, value: Any) -> Any:
    return int(value) if isinstance(type_, ir.IntType) else float(value)


def spread(code: Code, value: ir.Value, lanes: int) -> ir.Value:
    """A scalar in every lane."""
    if lanes == 1:
        return value
    type_ = ir.VectorType(value.type, lanes)
    first = code.builder.insert_element(ir.Constant(type_, ir.Undefined), value, I32(0))
    zeros = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    return code.builder.shuffle_vector(first, first, zeros)


def _mangled(type_: ir.Type) -> str:
    if isinstance(type_, ir.VectorType):
        return f"v{type_.count}{type_.element.intrinsic_name}"
    return type_.intrinsic_name


def _bytes(type_: ir.Type) -> int:
    return {FLOAT: 4, DOUBLE: 8}.get(type_) or type_.width // 8
