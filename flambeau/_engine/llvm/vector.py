"""Vectors of one length: constants, loads, stores, and the steps that all maths is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.ir as ir

from .host import Host
from .types import I1, I8, I32, I64, INTEGER_OF, KINDS, POINTER, Literal, splat


def call(builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
    """A call of the LLVM intrinsic or C function `name`, which is declared at first use."""
    function = builder.module.globals.get(name)
    if function is None:
        form = ir.FunctionType(result, [a.type for a in arguments])
        function = ir.Function(builder.module, form, name)
    return builder.call(function, arguments)


class Vectors:
    """Builds code on vectors of `lanes` elements at the position of an llvmlite builder.

    Values are LLVM vectors of a dtype's lane type (see `types.Kind`), also when `lanes` is 1.
    """

    __slots__ = ("builder", "host", "lanes", "module")

    def __init__(self, builder: ir.IRBuilder, lanes: int, host: Host):
        self.builder = builder
        self.lanes = lanes
        self.host = host
        self.module = builder.module

    # -- types and constants ------------------------------------------------------------

    def type(self, dtype: str) -> ir.VectorType:
        """The type of a value of `dtype`."""
        return ir.VectorType(KINDS[dtype].lane, self.lanes)

    def constant(self, dtype: str, number: Any) -> ir.Constant:
        """`number` in every lane."""
        return splat(dtype, number, self.lanes)

    def bits(self, dtype: str, pattern: int) -> ir.Constant:
        """The value of a floating dtype whose bits are `pattern`, in every lane."""
        return self.as_float(self.constant(INTEGER_OF[dtype], pattern), dtype)

    def splat(self, scalar: ir.Value) -> ir.Value:
        """A scalar of any lane type in every lane."""
        builder = self.builder
        undefined = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        first = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        if self.lanes == 1:
            return first
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return builder.shuffle_vector(first, undefined, zeros)

    def ramp(self, start: ir.Value, step: int) -> ir.Value:
        """int64: `start` (a scalar), start + step, start + 2 step ..."""
        numbers = ", ".join(f"i64 {lane * step}" for lane in range(self.lanes))
        steps = Literal(ir.VectorType(I64, self.lanes), f"<{numbers}>")
        return self.builder.add(self.splat(start), steps)

    def first_lanes(self, count: int) -> ir.Constant:
        """A mask: true in the first `count` lanes."""
        text = ", ".join(f"i1 {str(lane < count).lower()}" for lane in range(self.lanes))
        return Literal(ir.VectorType(I1, self.lanes), f"<{text}>")

    # -- memory -------------------------------------------------------------------------

    def load(
        self, pointer: ir.Value, dtype: str, stride: int = 1, mask: ir.Value | None = None
    ) -> ir.Value:
        """Elements at `pointer`, pointer + stride ...; those outside of `mask` are not read.

        Args:
            stride: in elements; 0 reads one element for all lanes (whatever the mask is).
        """
        kind, builder = KINDS[dtype], self.builder
        if stride == 0:
            value = self.splat(builder.load(pointer, typ=kind.memory, align=kind.itemsize))
        elif stride == 1 and mask is None:
            whole = ir.VectorType(kind.memory, self.lanes)
            value = builder.load(pointer, typ=whole, align=kind.itemsize)
        else:
            value = self._masked_load(pointer, dtype, stride, mask)
        if kind.family == "b":
            return builder.icmp_unsigned("!=", value, self.constant("uint8", 0))
        return value

    def store(
        self,
        value: ir.Value,
        pointer: ir.Value,
        dtype: str,
        stride: int = 1,
        mask: ir.Value | None = None,
    ) -> None:
        """The opposite of `load`. A stride of 0 stores the first lane."""
        kind, builder = KINDS[dtype], self.builder
        if kind.family == "b":
            value = builder.zext(value, ir.VectorType(I8, self.lanes))
        if stride == 0 or (self.lanes == 1 and mask is None):
            scalar = builder.extract_element(value, ir.Constant(I32, 0))
            builder.store(scalar, pointer, align=kind.itemsize)
        elif stride == 1 and mask is None:
            builder.store(value, pointer, align=kind.itemsize)
        else:
            self._masked_store(value, pointer, dtype, stride, mask)

    def _masked_load(
        self, pointer: ir.Value, dtype: str, stride: int, mask: ir.Value | None
    ) -> ir.Value:
        whole = ir.VectorType(KINDS[dtype].memory, self.lanes)
        name = f"v{self.lanes}{_memory_name(dtype)}"
        size = ir.Constant(I32, KINDS[dtype].itemsize)
        rest = Literal(whole, "zeroinitializer")
        if stride == 1:
            return self.intrinsic(f"llvm.masked.load.{name}.p0", whole, pointer, size, mask, rest)
        pointers = self._pointers(pointer, dtype, stride)
        mask = self.constant("bool", True) if mask is None else mask
        name = f"llvm.masked.gather.{name}.v{self.lanes}p0"
        return self.intrinsic(name, whole, pointers, size, mask, rest)

    def _masked_store(
        self, value: ir.Value, pointer: ir.Value, dtype: str, stride: int, mask: ir.Value | None
    ) -> None:
        name = f"v{self.lanes}{_memory_name(dtype)}"
        size = ir.Constant(I32, KINDS[dtype].itemsize)
        nothing = ir.VoidType()
        if stride == 1:
            name = f"llvm.masked.store.{name}.p0"
            self.intrinsic(name, nothing, value, pointer, size, mask)
            return
        pointers = self._pointers(pointer, dtype, stride)
        mask = self.constant("bool", True) if mask is None else mask
        name = f"llvm.masked.scatter.{name}.v{self.lanes}p0"
        self.intrinsic(name, nothing, value, pointers, size, mask)

    def _pointers(self, pointer: ir.Value, dtype: str, stride: int) -> ir.Value:
        steps = self.ramp(ir.Constant(I64, 0), stride)
        gep = self.builder.gep(pointer, [steps], source_etype=KINDS[dtype].memory)
        gep.type = ir.VectorType(POINTER, self.lanes)  # llvmlite takes it for one pointer
        return gep

    # -- calls ---------------------------------------------------------------------------

    def intrinsic(self, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
        """A call of an LLVM intrinsic or C function, by its full name."""
        return call(self.builder, name, result, *arguments)

    def unary(self, name: str, value: ir.Value, dtype: str) -> ir.Value:
        """An intrinsic of one vector: "fabs", "sqrt", "floor" ..."""
        mangled = f"v{self.lanes}{KINDS[dtype].mangled}"
        return self.intrinsic(f"llvm.{name}.{mangled}", value.type, value)

    def library(self, name: str, dtype: str, *values: ir.Value) -> ir.Value:
        """A function of the C library, called lane by lane ("f" is put on for float32)."""
        builder = self.builder
        symbol = name + ("f" if dtype == "float32" else "")
        out = ir.Constant(self.type(dtype), ir.Undefined)
        for lane in range(self.lanes):
            at = ir.Constant(I32, lane)
            scalars = [builder.extract_element(value, at) for value in values]
            out = builder.insert_element(
                out, self.intrinsic(symbol, KINDS[dtype].lane, *scalars), at
            )
        return out

    def shared(self, name: str, build: Callable[..., ir.Value], *values: ir.Value) -> ir.Value:
        """build(vectors, *values) as a function of the module, made once, then called.

        LLVM inlines it everywhere; it keeps the IR of bodies with many exponentials short.
        The result must have the first value's type.
        """
        full = f"{name}.v{self.lanes}"
        function = self.module.globals.get(full)
        if function is None:
            types = [value.type for value in values]
            function = self._define(full, build, types)
        return self.builder.call(function, values)

    def _define(self, name: str, build: Callable[..., ir.Value], types: list) -> ir.Function:
        function = ir.Function(self.module, ir.FunctionType(types[0], types), name)
        function.linkage = "internal"
        function.attributes.add("alwaysinline")
        function.attributes.add("nounwind")
        self.host.mark(function)
        builder = ir.IRBuilder(function.append_basic_block())
        inner = Vectors(builder, self.lanes, self.host)
        builder.ret(build(inner, *function.args))
        return function

    # -- arithmetic ----------------------------------------------------------------------

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value, dtype: str) -> ir.Value:
        """a * b + c: rounded once where the host can."""
        name = f"llvm.fmuladd.v{self.lanes}{KINDS[dtype].mangled}"
        return self.intrinsic(name, a.type, a, b, c)

    def polynomial(self, x: ir.Value, coefficients: tuple[float, ...], dtype: str) -> ir.Value:
        """Horner's scheme; the highest power's coefficient comes first."""
        out: ir.Value = self.constant(dtype, coefficients[0])
        for coefficient in coefficients[1:]:
            out = self.fma(out, x, self.constant(dtype, coefficient), dtype)
        return out

    def as_integer(self, value: ir.Value, dtype: str) -> ir.Value:
        """The bits of a floating value."""
        return self.builder.bitcast(value, self.type(INTEGER_OF[dtype]))

    def as_float(self, value: ir.Value, dtype: str) -> ir.Value:
        """The floating value of `dtype` with these bits."""
        return self.builder.bitcast(value, self.type(dtype))

    def copysign(self, magnitude: ir.Value, sign: ir.Value, dtype: str) -> ir.Value:
        """`magnitude` with the sign of `sign`."""
        name = f"llvm.copysign.v{self.lanes}{KINDS[dtype].mangled}"
        return self.intrinsic(name, magnitude.type, magnitude, sign)

    def is_nan(self, value: ir.Value) -> ir.Value:
        """Where a floating value is NaN."""
        return self.builder.fcmp_unordered("uno", value, value)

    def lane(self, value: ir.Value, number: int) -> ir.Value:
        """One lane, as a scalar."""
        return self.builder.extract_element(value, ir.Constant(I32, number))


def lanes_of(numbers: Sequence[int]) -> ir.Constant:
    """The constant mask of a shuffle."""
    return ir.Constant(ir.VectorType(I32, len(numbers)), list(numbers))


def scalar_number(numbers: ir.Value, position: int, builder: ir.IRBuilder) -> ir.Value:
    """An entry of the numbers' vector: a float64."""
    double = KINDS["float64"].lane
    at = builder.gep(numbers, [ir.Constant(I64, position)], source_etype=double)
    return builder.load(at, typ=double, align=8)


def _memory_name(dtype: str) -> str:
    kind = KINDS[dtype]
    return f"{'f' if kind.family == 'f' else 'i'}{kind.bits}"
