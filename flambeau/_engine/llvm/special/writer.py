"""What the kernels with code of their own are written with: loops, loads, checks, arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import llvmlite.ir as ir
import numpy as np

from ...loops.kernel import Special
from ...loops.special import OUT_OF_RANGE
from ..host import Host
from ..types import DOUBLE, FLOAT, I1, I32, I64, POINTER
from .code import Code, Index, full, i64, many

SIGNATURE = ir.FunctionType(I32, [POINTER, POINTER, I64, I64])
_REALS = {"float32": FLOAT, "float64": DOUBLE}


def itemsize(dtype: str) -> int:
    """Bytes of one element."""
    return np.dtype(dtype).itemsize


def element_type(dtype: str) -> ir.Type:
    """The type that elements of `dtype` are loaded as; what is only moved is an integer."""
    return _REALS.get(dtype) or ir.IntType(8 * itemsize(dtype))


class Writer(Code):
    """The function of one kernel, while it is being written.

    Attributes:
        begin, end: the range of tasks, as LLVM values.
        shapes, strides, dtypes: of the kernel's arguments.
        params: the kernel's parameters.
    """

    def __init__(self, module: ir.Module, kernel: Special, name: str, host: Host):
        super().__init__(module, name, SIGNATURE, host)
        self.kernel = kernel
        self.params = dict(kernel.params)
        self.dtypes = [dtype for dtype, _, _ in kernel.arguments]
        self.shapes = [shape for _, shape, _ in kernel.arguments]
        self.strides = [strides for _, _, strides in kernel.arguments]
        arguments, self._numbers, self.begin, self.end = self.function.args
        self._arguments = arguments
        for pointer in (arguments, self._numbers):
            pointer.add_attribute("noalias")
        self.pointers = [
            self.builder.load(
                self.builder.gep(arguments, [i64(k)], source_etype=POINTER), typ=POINTER
            )
            for k in range(len(kernel.arguments))
        ]

    def scratch(self) -> ir.Value:
        """The thread's scratch memory: one pointer more than there are arguments."""
        place = self.at(self._arguments, len(self.dtypes), POINTER)
        return self.builder.load(place, typ=POINTER)

    def finish(self) -> ir.Function:
        """Return 0; the function is complete."""
        self.builder.ret(ir.Constant(I32, 0))
        return self.function

    def number(self, value: Any, type_: ir.Type) -> ir.Value:
        """A real parameter as an LLVM value: a constant, or an entry of the numbers' vector."""
        if not isinstance(value, tuple):
            return full(type_, value)
        found = self.read(self._numbers, value[1], DOUBLE)
        return found if type_ == DOUBLE else self.builder.fptrunc(found, type_)

    # --- memory ----------------------------------------------------------------------------

    def load(self, argument: int, at: Index, lanes: int = 1) -> ir.Value:
        """The element `at`, or a vector of `lanes` from there on."""
        type_ = element_type(self.dtypes[argument])
        return self.read(self.pointers[argument], at, type_, lanes)

    def store(self, argument: int, at: Index, value: ir.Value) -> None:
        """Write an element, or a vector of them, from `at` on."""
        self.write(self.pointers[argument], at, value)

    def element(self, argument: int, value: Any, lanes: int = 1) -> ir.Value:
        """A Python number as an element of the argument, or as `lanes` of them."""
        dtype = self.dtypes[argument]
        number = np.asarray(value).astype(dtype)
        if dtype not in _REALS:
            number = number.view(f"u{number.itemsize}")
        return full(many(element_type(dtype), lanes), number)

    @contextmanager
    def tasks(self) -> Iterator[ir.Value]:
        """The loop over this call's tasks."""
        with self.loop(self.begin, self.end) as task:
            yield task

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
            lanes = self.host.lanes(8)
            while lanes:
                bad[lanes] = self.slot(ir.Constant(many(I1, lanes), None))
                lanes //= 2

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
