"""Compiles one kernel and runs it on arrays: what the tests of code generation need."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import llvmlite.binding as binding
import llvmlite.ir as ir
import numpy as np

from flambeau._engine.llvm import loop
from flambeau._engine.llvm.host import AVX2, SSE2, Host, detect
from flambeau._engine.loops.kernel import Access, Instruction, Loop, Stage
from flambeau._engine.runtime.native import Code, compile_text

# every host that this machine can stand in for
HOSTS = [detect()] + [
    host for host, feature in ((AVX2, "avx2"), (SSE2, "sse2"))
    if binding.get_host_cpu_features().get(feature)
]  # fmt: skip
FORM = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)


class Native:
    """A kernel's function; `code(arrays, numbers)` runs all of its tasks."""

    def __init__(self, kernel: Any, host: Host | None = None, room: Any = loop):
        host = host or detect()
        module = ir.Module()
        room.emit(module, kernel, "kernel", host)
        self.tasks = room.tasks(kernel, host)
        self.text = str(module)
        self.code = Code(compile_text(self.text, host), ("kernel",))
        self.function = FORM(self.code["kernel"])

    def __call__(self, arrays: Sequence[np.ndarray], numbers: Sequence[float] = ()) -> int:
        pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
        values = (ctypes.c_double * len(numbers))(*numbers)
        for task in range(self.tasks):  # one by one: what threads may do
            code = self.function(pointers, values, task, task + 1)
            if code:
                return code
        return 0


def strides_of(array: np.ndarray) -> tuple[int, ...]:
    """Strides in elements."""
    return tuple(s // array.itemsize for s in array.strides)


def access(argument: int, array: np.ndarray, offset: int = 0) -> Access:
    """All of an array, as a kernel over its shape sees it."""
    return Access(argument, str(array.dtype), strides_of(array), offset)


def elementwise(
    name: str, operands: Sequence[np.ndarray], out: np.ndarray, detail: Any = None
) -> Loop:
    """The kernel that computes one primitive: operands are arguments 0, 1 ..., then the result.

    Operands are broadcast to the result's shape beforehand.
    """
    loads = tuple(
        Instruction("load", (), str(a.dtype), access(k, a)) for k, a in enumerate(operands)
    )
    places = tuple(range(len(operands)))
    body = (*loads, Instruction(name, places, str(out.dtype), detail))
    stores = ((access(len(operands), out), len(operands)),)
    return Loop(out.shape, (), (Stage(body=body, stores=stores),))


def joined(kernels: Sequence[Loop]) -> Loop:
    """Elementwise kernels on the same operands as one, each with a result of its own."""
    body: list[Instruction] = []
    stores = []
    for number, kernel in enumerate(kernels):
        (stage,) = kernel.stages
        ((out, place),) = stage.stores
        start = len(body)
        for instruction in stage.body:
            operands = tuple(start + k for k in instruction.operands)
            body.append(replace(instruction, operands=operands))
        stores.append((replace(out, argument=out.argument + number), start + place))
    return replace(kernels[0], stages=(Stage(body=tuple(body), stores=tuple(stores)),))
