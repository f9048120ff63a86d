"""What the kernels with code of their own are written with: loops, loads, checks, arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any

import llvmlite.ir as ir
import numpy as np

from ...loops.kernel import Special
from ...loops.special import OUT_OF_RANGE
from ..host import Host

POINTER = ir.PointerType()
BIT, BYTE = ir.IntType(1), ir.IntType(8)
I32, I64, I128 = ir.IntType(32), ir.IntType(64), ir.IntType(128)
F32, F64 = ir.FloatType(), ir.DoubleType()
SIGNATURE = ir.FunctionType(I32, [POINTER, POINTER, I64, I64])

Index = Any  # of an element: an LLVM value or a Python int
_REALS = {"float32": F32, "float64": F64}


def itemsize(dtype: str) -> int:
    """Bytes of one element."""
    return np.dtype(dtype).itemsize


def element_type(dtype: str) -> ir.Type:
    """The type that elements of `dtype` are loaded as; what is only moved is an integer."""
    return _REALS.get(dtype) or ir.IntType(8 * itemsize(dtype))


class Writer:
    """The function of one kernel, while it is being written.

    Attributes:
        builder: llvmlite's, at the place where code goes.
        begin, end: the range of tasks, as LLVM values.
        shapes, strides, dtypes: of the kernel's arguments.
        params: the kernel's parameters.
    """

    def __init__(self, module: ir.Module, kernel: Special, name: str, host: Host):
        self.module, self.kernel, self.host = module, kernel, host
        self.params = dict(kernel.params)
        self.dtypes = [dtype for dtype, _, _ in kernel.arguments]
        self.shapes = [shape for _, shape, _ in kernel.arguments]
        self.strides = [strides for _, _, strides in kernel.arguments]
        self.function = ir.Function(module, SIGNATURE, name)
        self.function.attributes.add("nounwind")
        host.mark(self.function)
        arguments, self._numbers, self.begin, self.end = self.function.args
        for pointer in (arguments, self._numbers):
            pointer.add_attribute("noalias")
        self._entry = self.function.append_basic_block("entry")
        self.builder = ir.IRBuilder(self._entry)
        self.pointers = [
            self.builder.load(
                self.builder.gep(arguments, [i64(k)], source_etype=POINTER), typ=POINTER
            )
            for k in range(len(kernel.arguments))
        ]

    def finish(self) -> ir.Function:
        """Return 0; the function is complete."""
        self.builder.ret(ir.Constant(I32, 0))
        return self.function

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

    def number(self, value: Any, type_: ir.Type) -> ir.Value:
        """A parameter as an LLVM value: a Python number, or an entry of the numbers' vector."""
        if isinstance(value, tuple):
            place = self.builder.gep(self._numbers, [i64(value[1])], source_etype=F64)
            found = self.builder.load(place, typ=F64)
            if isinstance(type_, ir.IntType):
                return self.builder.fptosi(found, type_)
            return found if type_ == F64 else self.builder.fptrunc(found, type_)
        return full(type_, value)

    # --- memory ----------------------------------------------------------------------------

    def address(self, argument: int | ir.Value, at: Index, type_: ir.Type) -> ir.Value:
        """Where the element `at` of an argument lies."""
        pointer = self.pointers[argument] if isinstance(argument, int) else argument
        return self.builder.gep(pointer, [i64(at)], source_etype=type_)

    def load(self, argument: int, at: Index, lanes: int = 1) -> ir.Value:
        """The element `at`, or a vector of `lanes` from there on."""
        type_ = element_type(self.dtypes[argument])
        place = self.address(argument, at, type_)
        whole = many(type_, lanes)
        return self.builder.load(place, align=itemsize(self.dtypes[argument]), typ=whole)

    def store(self, argument: int, at: Index, value: ir.Value) -> None:
        """Write an element, or a vector of them, from `at` on."""
        dtype = self.dtypes[argument]
        place = self.address(argument, at, element_type(dtype))
        self.builder.store(value, place, align=itemsize(dtype))

    def element(self, argument: int, value: Any, lanes: int = 1) -> ir.Value:
        """A Python number as an element of the argument, or as `lanes` of them."""
        dtype = self.dtypes[argument]
        number = np.asarray(value).astype(dtype)
        if dtype not in _REALS:
            number = number.view(f"u{number.itemsize}")
        return full(many(element_type(dtype), lanes), number)

    def slot(self, value: ir.Value) -> ir.Value:
        """A variable that begins as `value`: memory of the stack, which LLVM makes a register."""
        with self.builder.goto_block(self._entry):
            place = self.builder.alloca(value.type)
        self.builder.store(value, place)
        return place

    def get(self, slot: ir.Value) -> ir.Value:
        """A variable's value."""
        return self.builder.load(slot, typ=slot.allocated_type)

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
    def nest(self, shape: Sequence[int]) -> Iterator[list[Index]]:
        """A loop for each dimension, the last one innermost."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.loop(0, size)) for size in shape]

    @contextmanager
    def tasks(self) -> Iterator[ir.Value]:
        """The loop over this call's tasks."""
        with self.loop(self.begin, self.end) as task:
            yield task

    def span(self, begin: Index, end: Index, size: int, body: Callable[[Index, int], None]) -> None:
        """`body(index, lanes)` over [begin, end): whole vectors of elements, then one by one.

        Args:
            size: bytes of an element.
        """
        lanes = self.host.lanes(size)
        if isinstance(begin, int) and isinstance(end, int):
            whole: Index = begin + (end - begin) // lanes * lanes
        else:
            count = self.builder.sub(i64(end), i64(begin))
            whole = self.add(begin, self.builder.and_(count, i64(-lanes)))
        for start, stop, step in ((begin, whole, lanes), (whole, end, 1)):
            if isinstance(start, int) and start == stop:
                continue
            with self.loop(start, stop, step) as index:
                body(index, step)

    @contextmanager
    def when(self, condition: ir.Value) -> Iterator[None]:
        """What follows only runs where the condition holds."""
        with self.builder.if_then(condition):
            yield

    def fault_if(self, condition: ir.Value) -> None:
        """Return OUT_OF_RANGE where the condition holds."""
        with self.builder.if_then(condition, likely=False):
            self.builder.ret(ir.Constant(I32, OUT_OF_RANGE))

    # --- indices ---------------------------------------------------------------------------

    def position(self, argument: int, at: Index, lanes: int = 1) -> ir.Value:
        """An element of an argument of integers, as an i64 (or several, as a vector)."""
        value = self.load(argument, at, lanes)
        if itemsize(self.dtypes[argument]) == 8:
            return value
        unsigned = self.dtypes[argument].startswith("u")
        return (self.builder.zext if unsigned else self.builder.sext)(value, many(I64, lanes))

    def wrong(
        self, position: ir.Value, low: int, high: int, ignored: int | None = None
    ) -> ir.Value:
        """Whether a position is neither in [low, high) nor `ignored`."""
        shifted = position
        if low:
            shifted = self.builder.sub(position, full(position.type, low))
        found = self.builder.icmp_unsigned(">=", shifted, full(position.type, high - low))
        if ignored is None or low <= ignored < high:
            return found
        other = self.builder.icmp_signed("!=", position, full(position.type, ignored))
        return self.builder.and_(found, other)

    def check(self, argument: int, low: int, high: int, ignored: int | None = None) -> None:
        """Return OUT_OF_RANGE if any element of the argument is wrong."""
        shape, (strides,) = merged(self.shapes[argument], [self.strides[argument]])
        rows, row = (shape[:-1], shape[-1]) if shape and strides[-1] == 1 else (shape, 1)

        with self.nest(rows) as place:
            start = self.dot(place, strides[: len(rows)])
            bad = {}
            for lanes in {1, self.host.lanes(8)}:
                bad[lanes] = self.slot(ir.Constant(many(BIT, lanes), None))

            def look(at: Index, lanes: int, start: Index = start, bad: dict = bad) -> None:
                found = self.position(argument, self.add(start, at), lanes)
                found = self.wrong(found, low, high, ignored)
                self.builder.store(self.builder.or_(self.get(bad[lanes]), found), bad[lanes])

            self.span(0, row, 8, look)
            for lanes, slot in bad.items():
                bits = self.builder.bitcast(self.get(slot), ir.IntType(lanes))
                self.fault_if(self.builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0)))

    def wrapped(self, position: ir.Value, size: int) -> ir.Value:
        """A negative position counted from the end."""
        negative = self.builder.icmp_signed("<", position, i64(0))
        return self.builder.select(negative, self.builder.add(position, i64(size)), position)


def i64(value: Index) -> ir.Value:
    """A position as an LLVM value."""
    return ir.Constant(I64, value) if isinstance(value, int) else value


def many(type_: ir.Type, lanes: int) -> ir.Type:
    """The type of `lanes` values: a vector, or the type itself for one."""
    return type_ if lanes == 1 else ir.VectorType(type_, lanes)


def full(type_: ir.Type, value: Any) -> ir.Value:
    """A number, in every lane of a vector type."""
    if isinstance(type_, ir.VectorType):
        return ir.Constant(type_, [_plain(type_.element, value)] * type_.count)
    return ir.Constant(type_, _plain(type_, value))


def _plain(type_: ir.Type, value: Any) -> Any:
    return int(value) if isinstance(type_, ir.IntType) else float(value)


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a row-major array, in elements."""
    return tuple(prod(shape[d + 1 :]) for d in range(len(shape)))


def merged(
    shape: Sequence[int], all_strides: Sequence[Sequence[int]]
) -> tuple[list[int], list[list[int]]]:
    """The same elements in as few dimensions as possible.

    Dimensions of size 1 go, and neighbours join where every array's strides allow it.
    """
    sizes: list[int] = []
    found: list[list[int]] = [[] for _ in all_strides]
    for d, size in enumerate(shape):
        if size == 1:
            continue
        steps = [strides[d] for strides in all_strides]
        if sizes and all(kept[-1] == step * size for kept, step in zip(found, steps)):
            sizes[-1] *= size
            for kept, step in zip(found, steps):
                kept[-1] = step
        else:
            sizes.append(size)
            for kept, step in zip(found, steps):
                kept.append(step)
    return sizes, found
