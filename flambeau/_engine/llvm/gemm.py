"""Matrix products as native code, made for one shape, its strides and its epilogue.

`gemm_plan` decides how a product is cut, `gemm_outer` and `gemm_dot` write the code of a task;
here is the loop over tasks around it. Kernels take one pointer more than their accesses name:
scratch memory of `scratch_bytes`, which no other thread uses during the call.
"""

from __future__ import annotations

from math import prod

import llvmlite.ir as ir

from ..loops.kernel import Access, Gemm
from .gemm_code import Values, at, counted, number, quotient, remainder, times
from .gemm_dot import DotProduct
from .gemm_epilogue import batch_offset, load_argument
from .gemm_outer import OuterProduct, Scratch
from .gemm_plan import (
    ALIGNMENT,
    DotTiling,
    Tiling,
    argument_count,
    epilogue_cost,
    itemsize,
    plan,
    simplify,
)
from .host import Host
from .types import I32, I64, POINTER


def tasks(kernel: Gemm, host: Host) -> int:
    """How many units of work [begin, end) divides."""
    kernel = simplify(kernel)
    return 0 if _is_empty(kernel) else prod(kernel.batch) * plan(kernel, host).parts


def work(kernel: Gemm) -> int:
    """About how many nanoseconds of one core the kernel takes."""
    size = itemsize(kernel.dtype)
    points = prod(kernel.batch) * kernel.m * kernel.n
    products = points * kernel.k * size / 200  # two vectors of 32 bytes a cycle
    read = prod(kernel.batch) * kernel.k * (kernel.m + kernel.n) * size / 60
    return int(max(products, read) + points * epilogue_cost(kernel) / 60)


def scratch_bytes(kernel: Gemm, host: Host) -> int:
    """The bytes of scratch memory that each thread brings; 0 if the pointer is not followed."""
    kernel = simplify(kernel)
    if _is_empty(kernel):
        return 0
    tiling = plan(kernel, host)
    if isinstance(tiling, DotTiling):
        needed = tiling.scratch
    else:
        needed = Scratch.of(kernel, tiling).total
    return needed * itemsize(kernel.dtype) + ALIGNMENT if needed else 0


def emit(module: ir.Module, kernel: Gemm, name: str, host: Host) -> ir.Function:
    """The kernel as a function of `module`; see `loops.kernel` for its signature."""
    form = ir.FunctionType(I32, [POINTER, POINTER, I64, I64])
    made = ir.Function(module, form, name)
    made.attributes.add("nounwind")
    host.mark(made)
    builder = ir.IRBuilder(made.append_basic_block("entry"))
    count = argument_count(kernel)
    kernel = simplify(kernel)
    if not _is_empty(kernel):
        _loop_over_tasks(builder, made, kernel, name, host, count)
    builder.ret(ir.Constant(I32, 0))
    return made


def _is_empty(kernel: Gemm) -> bool:
    return 0 in (*kernel.batch, kernel.m, kernel.n)


def _loop_over_tasks(
    builder: ir.IRBuilder, made: ir.Function, kernel: Gemm, name: str, host: Host, count: int
) -> None:
    arguments, numbers, begin, end = made.args
    tiling = plan(kernel, host)
    product: DotProduct | OuterProduct
    if isinstance(tiling, DotTiling):
        product = DotProduct(made.module, kernel, name, host, tiling)
    else:
        product = OuterProduct(made.module, kernel, name, host, tiling)
    scratch = _align(builder, load_argument(builder, arguments, count))
    down, across = tiling.row_parts.parts, tiling.column_parts.parts
    rows_stay = isinstance(tiling, Tiling) and tiling.rows_stay

    def task(index: ir.Value, packed: Values) -> Values:
        inner, outer = (across, down) if rows_stay else (down, across)
        last, rest = remainder(builder, index, inner), quotient(builder, index, inner)
        first, rest = remainder(builder, rest, outer), quotient(builder, rest, outer)
        place = (first, last) if rows_stay else (last, first)
        # tasks that follow each other share what they pack where these numbers are the same
        which = [
            builder.add(times(builder, rest, parts if any(access.strides[:-2]) else 0), part)
            for access, part, parts in zip((kernel.a, kernel.b), place, (down, across))
        ]
        fresh = [builder.icmp_signed("!=", *pair) for pair in zip(which, packed)]
        batch: Values = []
        for size in reversed(kernel.batch):
            batch.insert(0, remainder(builder, rest, size))
            rest = quotient(builder, rest, size)
        operands = tuple(
            _operand(builder, access, arguments, batch) for access in (kernel.a, kernel.b)
        )
        context = (arguments, numbers, *batch)
        product.task(builder, context, operands, scratch, place, fresh)
        return which

    counted(builder, begin, end, task, [number(-1)] * 2)


def _align(builder: ir.IRBuilder, pointer: ir.Value) -> ir.Value:
    address = builder.add(builder.ptrtoint(pointer, I64), number(ALIGNMENT - 1))
    return builder.inttoptr(builder.and_(address, number(-ALIGNMENT)), POINTER)


def _operand(builder: ir.IRBuilder, access: Access, arguments: ir.Value, batch: Values) -> ir.Value:
    pointer = load_argument(builder, arguments, access.argument)
    return at(builder, pointer, batch_offset(builder, access, batch), access.dtype)
