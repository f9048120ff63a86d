"""Chains as native code: the code of their kernels, and a loop over blocks that calls it.

Kernels take one pointer more than their accesses name: scratch memory of `scratch_bytes`, which
no other thread uses during the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llvmlite.ir as ir

from ..loops.kernel import Chain, Gemm, Loop, Part
from . import gemm, loop
from .flow import counted, digits, number, repeated
from .host import Host
from .types import I8, I32, I64, POINTER

_LINE = 64  # bytes to which scratch memory is aligned
_SIGNATURE = ir.FunctionType(I32, [POINTER, POINTER, I64, I64])


def tasks(kernel: Chain, host: Host) -> int:
    """A task is a block."""
    return kernel.blocks


def work(kernel: Chain) -> int:
    """About how many nanoseconds one core takes."""
    return sum(times * _emitter(part.kernel).work(part.kernel) for times, part in kernel.parts())


def scratch_bytes(kernel: Chain, host: Host) -> int:
    """The chain's own scratch memory, and then what any of its kernels needs."""
    return _own_bytes(kernel) + max(_part_scratch(part, host) for _, part in kernel.parts())


def emit(module: ir.Module, kernel: Chain, name: str, host: Host) -> ir.Function:
    """The chain as a function of `module`; see `loops.kernel` for its signature."""
    made = ir.Function(module, _SIGNATURE, name)
    made.attributes.add("nounwind")
    host.mark(made)
    _Emitter(made, kernel, host).emit()
    return made


def _emitter(kernel: Loop | Gemm) -> Any:
    return gemm if isinstance(kernel, Gemm) else loop


def _part_scratch(part: Part, host: Host) -> int:
    return gemm.scratch_bytes(part.kernel, host) if isinstance(part.kernel, Gemm) else 0


def _rounded(size: int) -> int:
    return -(-size // _LINE) * _LINE


def _own_bytes(kernel: Chain) -> int:
    return _LINE + sum(map(_rounded, kernel.scratch))


class _Emitter:
    """Puts a chain's code into a function."""

    def __init__(self, made: ir.Function, kernel: Chain, host: Host):
        self.made, self.kernel, self.host = made, kernel, host
        self.builder = ir.IRBuilder(made.append_basic_block("entry"))
        self.arguments, self.numbers, self.begin, self.end = made.args
        self.codes: dict[Loop | Gemm, ir.Function] = {}
        given = [a for _, part in kernel.parts() for a, _, _ in part.arguments]
        count = 1 + max(given)
        pointers = [self._load(place) for place in range(count + 1)]
        builder = self.builder
        address = builder.add(builder.ptrtoint(pointers.pop(), I64), number(_LINE - 1))
        place = builder.inttoptr(builder.and_(address, number(-_LINE)), POINTER)
        # by the chain's numbers: scratch memory counts from -1 downwards
        self.pointers: dict[int, ir.Value] = dict(enumerate(pointers))
        for n, size in enumerate(kernel.scratch):
            self.pointers[-1 - n] = place
            place = builder.gep(place, [number(_rounded(size))], source_etype=I8)
        self.rest = place
        most = 1 + max(len(part.arguments) for _, part in kernel.parts())
        self.list = builder.alloca(ir.ArrayType(POINTER, most))
        self.list.type = POINTER
        self.fault = builder.alloca(I32)
        builder.store(ir.Constant(I32, 0), self.fault)

    def _load(self, place: int) -> ir.Value:
        at = self.builder.gep(self.arguments, [number(place)], source_etype=POINTER)
        return self.builder.load(at, typ=POINTER, align=8)

    def emit(self) -> None:
        """All of the function."""
        builder = self.builder
        with counted(builder, self.begin, self.end) as block:
            for times, parts in self.kernel.groups:
                with repeated(builder, times) as repetition:
                    for part in parts:
                        self._run(part, block, repetition)
        builder.ret(builder.load(self.fault, typ=I32))

    def _run(self, part: Part, block: ir.Value, repetition: ir.Value) -> None:
        builder = self.builder
        point = [*digits(builder, block, part.sizes), repetition]
        pointers = [
            builder.gep(
                self.pointers[argument], [self._sum(offset, strides, point)], source_etype=I8
            )
            for argument, offset, strides in part.arguments
        ]
        for place, pointer in enumerate([*pointers, self.rest]):
            at = builder.gep(self.list, [number(place)], source_etype=POINTER)
            builder.store(pointer, at)
        count = _emitter(part.kernel).tasks(part.kernel, self.host)
        context = [self.list, self.numbers, number(0), number(count)]
        code = builder.call(self._code(part.kernel), context)
        builder.store(builder.or_(builder.load(self.fault, typ=I32), code), self.fault)

    def _sum(self, offset: int, strides: Sequence[int], point: Sequence[ir.Value]) -> ir.Value:
        found: ir.Value = number(offset)
        for stride, index in zip(strides, point, strict=True):
            if stride:
                found = self.builder.add(found, self.builder.mul(index, number(stride)))
        return found

    def _code(self, kernel: Loop | Gemm) -> ir.Function:
        if kernel not in self.codes:
            name = f"{self.made.name}.{len(self.codes)}"
            code = _emitter(kernel).emit(self.made.module, kernel, name, self.host)
            code.linkage = "internal"
            code.attributes.add("noinline")
            self.codes[kernel] = code
        return self.codes[kernel]
