"""Plans for tests, with a kernel of their own: it needs no emitter but the one here."""

from __future__ import annotations

from math import prod

import llvmlite.ir as ir
import numpy as np

from flambeau._engine.graph.ir import Node, Value
from flambeau._engine.loops import plan as plans
from flambeau._engine.loops.kernel import Special
from flambeau._engine.loops.plan import Buffer, Callback, Plan, Step
from flambeau._engine.runtime.writer import I32, I64, POINTER, function

F32 = np.dtype(np.float32)


class Emitter:
    """Stands in for the modules in `llvm`.

    Specials named "test_scale": result = operand * factor, or operand * number where the
    parameter "number" is given; a fault where the first operand's first element is negative and
    the parameter "faults" is set. "scratch": the sum goes through memory of each thread's own.
    """

    def __init__(self) -> None:
        self.emitted: list[Special] = []

    def emit(self, module: ir.Module, kernel: Special, name: str, host: object) -> ir.Function:
        """result[i] = operand[i] * factor, a block of 64 elements a task."""
        self.emitted.append(kernel)
        params = dict(kernel.params)
        b, (arguments, numbers, begin, end) = function(
            module, name, I32, [POINTER, POINTER, I64, I64]
        )
        source, target = b.address(arguments, 0), b.address(arguments, len(kernel.arguments) - 1)
        if params.get("faults"):
            first = b.load(source, typ=ir.FloatType())
            with b.if_then(b.fcmp_ordered("<", first, ir.FloatType()(0))):
                b.ret(I32(7))
        size = prod(kernel.arguments[0][1])
        if "number" in params:
            at = b.place(numbers, params["number"])
            factor = b.fptrunc(b.load(at, typ=ir.DoubleType()), ir.FloatType())
        else:
            factor = ir.FloatType()(params["factor"])
        low = b.mul(begin, I64(64))
        high = b.lower(b.mul(end, I64(64)), I64(size))
        with b.count(b.sub(high, low)) as i:
            at = b.add(low, i)
            x = b.load(b.gep(source, [at], source_etype=ir.FloatType()), typ=ir.FloatType())
            y = b.fmul(x, factor)
            if params.get("scratch"):
                own = b.address(arguments, len(kernel.arguments))
                b.store(y, own)
                y = b.load(own, typ=ir.FloatType())
            b.store(y, b.gep(target, [at], source_etype=ir.FloatType()))
        b.ret(I32(0))
        return b.function

    def tasks(self, kernel: Special, host: object) -> int:
        """Blocks of 64 elements."""
        return -(-prod(kernel.arguments[0][1]) // 64)

    def work(self, kernel: Special) -> int:
        """As the kernel says, else a nanosecond an element."""
        return dict(kernel.params).get("work", prod(kernel.arguments[0][1]))

    def scratch_bytes(self, kernel: Special, host: object) -> int:
        """One element, where the kernel wants it."""
        return 4 if dict(kernel.params).get("scratch") else 0


def scale(shape: tuple[int, ...], **params: object) -> Special:
    """A kernel of `Emitter`: one operand, one result."""
    argument = ("float32", shape, tuple(np.empty(shape, np.float32).strides))
    return Special("test_scale", (argument, argument), tuple(sorted(params.items())))


def chain(shape: tuple[int, ...], *kernels: Special, numbers: int = 0, static: bool = False):
    """A plan with one input and one output, and the kernels one after the other between them."""
    nbytes = 4 * prod(shape)
    space = -(-nbytes // 64) * 64
    buffers = [
        Buffer(plans.INPUT, nbytes, position=0),
        *(Buffer(plans.ARENA, nbytes, offset=space * i) for i in range(len(kernels) - 1)),
        Buffer(plans.STATIC if static else plans.OUTPUT, nbytes, position=0),
    ]
    steps = [Step(k, ((i, 0), (i + 1, 0))) for i, k in enumerate(kernels)]
    return Plan(buffers, list(steps), space * len(kernels), numbers, 1, [(shape, F32, static)])


def callback(name: str, shape: tuple[int, ...], places: tuple[int, ...], result: int, **params):
    """A callback of an elementwise primitive on contiguous float32 buffers."""
    strides = tuple(s // 4 for s in np.empty(shape, np.float32).strides)
    value = Value(shape, F32)
    node = Node(name, tuple(Value(shape, F32) for _ in places), params, (value,))
    operands = tuple((place, 0, shape, F32, strides) for place in places)
    return Callback(node, operands, ((result, 0, shape, F32, strides),))
