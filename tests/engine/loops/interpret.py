"""Run a plan with NumPy alone: kernels by index arithmetic, one instruction after the other.

The oracle for what lowering makes: it follows the contracts in loops/kernel.py and loops/plan.py
to the letter, and knows nothing of how they were arrived at.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from flambeau._engine.eager import RULES
from flambeau._engine.eager.quiet import SETTING, enter, leave
from flambeau._engine.graph.interpreter import run_rule
from flambeau._engine.graph.ir import Number
from flambeau._engine.loops.kernel import Access, Chain, Gemm, Loop, Special, Stage
from flambeau._engine.loops.plan import ARENA, INPUT, OUTPUT, STATIC, Callback, Plan
from flambeau._engine.prims.resampling import Taps

REDUCE = {
    "sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum,
    "any": np.logical_or, "all": np.logical_and,
}  # fmt: skip


def numpy_dtype(name: str) -> np.dtype:
    """A dtype by its name in kernels."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


class Memory:
    """The bytes of a plan's buffers."""

    def __init__(self, plan: Plan, inputs: list[np.ndarray], outputs: list[np.ndarray]):
        arena = np.full(plan.arena_bytes, 0xA5, np.uint8)  # no kernel may count on zeros
        self.bytes: list[np.ndarray] = []
        for buffer in plan.buffers:
            if buffer.kind == INPUT:
                array = inputs[buffer.position]
            elif buffer.kind in (OUTPUT, STATIC):
                array = outputs[buffer.position]
            elif buffer.kind == ARENA:
                assert buffer.offset % 64 == 0
                array = arena[buffer.offset : buffer.offset + buffer.nbytes]
                assert array.nbytes == buffer.nbytes
            else:
                array = buffer.array
            self.bytes.append(span(array))

    def elements(self, argument: tuple[int, int], dtype: str) -> np.ndarray:
        """The buffer from a byte offset on, as elements."""
        buffer, offset = argument
        found = self.bytes[buffer][offset:]
        size = numpy_dtype(dtype).itemsize
        return found[: len(found) // size * size].view(numpy_dtype(dtype))


def span(array: np.ndarray) -> np.ndarray:
    """All bytes from an array's first element to its last, as a flat view of its memory."""
    if array.size == 0:
        return np.empty(0, np.uint8)
    reach = array.itemsize + sum(
        (n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)
    )
    raw = array.view(np.uint16) if array.dtype.kind == "V" else array
    flat = np.lib.stride_tricks.as_strided(raw, (reach // array.itemsize,), (array.itemsize,))
    return flat.view(np.uint8)


def run_plan(plan: Plan, inputs: list[np.ndarray], numbers: list[float]) -> list[np.ndarray]:
    """The outputs; inputs are updated in place."""
    outputs = [np.empty(shape, dtype) for shape, dtype, _ in plan.outputs]
    memory = Memory(plan, inputs, outputs)
    token = enter(SETTING)
    try:
        for step in plan.steps:
            if isinstance(step, Callback):
                call_back(step, memory, numbers)
            elif isinstance(step.kernel, Chain):
                run_chain(step.kernel, step.arguments, memory, numbers)
            elif isinstance(step.kernel, Loop | Gemm):
                run_plain(step.kernel, step.arguments, memory, numbers)
            else:
                run_special(step.kernel, step.arguments, memory, plan, numbers)
    finally:
        leave(token)
    return outputs


# --- kernels -------------------------------------------------------------------------------------


def addresses(access: Access, sizes: tuple[int, ...]) -> np.ndarray:
    """The element numbers that an access visits, over the kernel's dimensions."""
    assert len(access.strides) == len(sizes), (access, sizes)
    at = np.full(sizes, access.offset, np.int64)
    for dim, stride in enumerate(access.strides):
        shape = [1] * len(sizes)
        shape[dim] = sizes[dim]
        at += stride * np.arange(sizes[dim]).reshape(shape)
    return at


class Body:
    """Evaluates instructions over all points of `sizes` at once."""

    def __init__(self, sizes, arguments, memory, numbers, rows=(), product=None):
        self.sizes, self.arguments, self.memory = sizes, arguments, memory
        self.numbers, self.rows, self.product = numbers, rows, product

    def run(self, body) -> list[np.ndarray]:
        values: list[np.ndarray] = []
        for one in body:
            found = np.asarray(self.compute(one, values))
            assert found.dtype == numpy_dtype(one.dtype), (one, found.dtype)
            values.append(np.broadcast_to(found, self.sizes))
        return values

    def compute(self, one, values) -> Any:
        dtype = numpy_dtype(one.dtype)
        if one.name == "load":
            assert one.detail.dtype == one.dtype
            elements = self.memory.elements(self.arguments[one.detail.argument], one.dtype)
            at = addresses(one.detail, self.sizes)
            assert at.size == 0 or at.min() >= 0
            return elements[at]
        if one.name == "constant":
            return np.asarray(one.detail, dtype)
        if one.name == "number":
            return np.asarray(self.numbers[one.detail], dtype)
        if one.name == "index":
            shape = [1] * len(self.sizes)
            shape[one.detail] = self.sizes[one.detail]
            return np.arange(self.sizes[one.detail]).reshape(shape)
        if one.name == "row":
            return self.rows[one.detail]
        if one.name == "product":
            return self.product
        operands = [np.asarray(values[o]) for o in one.operands]
        assert not any("float16" in o.dtype.name for o in operands) or one.name == "convert"
        if one.name == "convert":
            return RULES["convert"](operands[0], dtype=dtype)
        kinds = {o.dtype for o in (operands[1:] if one.name == "where" else operands)}
        assert len(kinds) == 1, (one, kinds)
        return RULES[one.name](*operands)

    def store(self, stores, values) -> None:
        for access, number in stores:
            elements = self.memory.elements(self.arguments[access.argument], access.dtype)
            assert values[number].dtype == numpy_dtype(access.dtype)
            elements[addresses(access, self.sizes)] = values[number]


def run_plain(kernel: Loop | Gemm, arguments, memory: Memory, numbers) -> None:
    """A kernel that chains are made of."""
    run = run_loop if isinstance(kernel, Loop) else run_gemm
    run(kernel, arguments, memory, numbers)  # type: ignore[arg-type]


def run_chain(chain: Chain, arguments, memory: Memory, numbers) -> None:
    """Block by block, with scratch memory that no block has from another."""
    buffers = len(memory.bytes)
    for block in range(chain.blocks):
        memory.bytes[buffers:] = [np.full(size, 0xA5, np.uint8) for size in chain.scratch]
        for times, parts in chain.groups:
            for repetition in range(times):
                for part in parts:
                    point = (*np.unravel_index(block, part.sizes), repetition)
                    found = []
                    for argument, offset, strides in part.arguments:
                        buffer, start = (
                            (buffers - 1 - argument, 0) if argument < 0 else arguments[argument]
                        )
                        moved = sum(int(i) * s for i, s in zip(point, strides, strict=True))
                        found.append((buffer, start + offset + moved))
                    run_plain(part.kernel, found, memory, numbers)
    del memory.bytes[buffers:]


def run_loop(kernel: Loop, arguments, memory: Memory, numbers) -> None:
    """Outer points one after the other, as far as memory can tell."""
    check_in_place(kernel)
    sizes = (*kernel.outer, *kernel.inner)
    rows: list[np.ndarray] = []
    for stage in kernel.stages:
        run_stage(stage, kernel, sizes, arguments, memory, numbers, rows)


def check_in_place(kernel: Loop) -> None:
    """An argument that is stored to is loaded at the very same elements only."""
    loads: dict[int, set] = {}
    stores: dict[int, set] = {}
    for stage in kernel.stages:
        for one in (*stage.body, *stage.row):
            if one.name == "load":
                loads.setdefault(one.detail.argument, set()).add(one.detail)
        for access, _ in (*stage.stores, *stage.row_stores):
            stores.setdefault(access.argument, set()).add(access)
    for argument, accesses in stores.items():
        assert not loads.get(argument) or loads[argument] == accesses


def run_stage(stage: Stage, kernel: Loop, sizes, arguments, memory, numbers, rows) -> None:
    inner = tuple(range(len(kernel.outer), len(sizes)))
    spread = [r.reshape((*kernel.outer, *(1,) * len(inner))) for r in rows]
    body = Body(sizes, arguments, memory, numbers, spread)
    values = body.run(stage.body)
    for reduction in stage.reductions:
        value = values[reduction.value]
        if reduction.kind in ("argmax", "argmin"):
            flat = value.reshape((*kernel.outer, math.prod(kernel.inner)))
            found = getattr(np, reduction.kind)(flat, axis=-1)
        else:
            found = REDUCE[reduction.kind].reduce(value, axis=inner, dtype=value.dtype)
        assert np.asarray(found).dtype == numpy_dtype(reduction.dtype)
        rows.append(np.asarray(found))
    # loads with inner strides 0: at the first inner point
    ones = (*kernel.outer, *(1,) * len(inner))
    row = Body(ones, arguments, memory, numbers, [r.reshape(ones) for r in rows])
    row_values = row.run(stage.row)
    body.store(stage.stores, values)
    row.store(stage.row_stores, row_values)
    rows.extend(row_values[number].reshape(kernel.outer) for number in stage.row_results)


def run_gemm(kernel: Gemm, arguments, memory: Memory, numbers) -> None:
    """A product and its epilogue."""
    a = _matrix(kernel.a, (*kernel.batch, kernel.m, kernel.k), arguments, memory, kernel.dtype)
    b = _matrix(kernel.b, (*kernel.batch, kernel.k, kernel.n), arguments, memory, kernel.dtype)
    written = {access.argument for access, _ in kernel.stores}
    assert not {kernel.a.argument, kernel.b.argument} & written
    sizes = (*kernel.batch, kernel.m, kernel.n)
    body = Body(sizes, arguments, memory, numbers, product=np.matmul(a, b))
    body.store(kernel.stores, body.run(kernel.epilogue))


def _matrix(access: Access, sizes, arguments, memory: Memory, dtype: str) -> np.ndarray:
    elements = memory.elements(arguments[access.argument], access.dtype)
    return elements[addresses(access, sizes)].astype(numpy_dtype(dtype))


# --- calls ---------------------------------------------------------------------------------------


def run_special(kernel: Special, arguments, memory: Memory, plan: Plan, numbers) -> None:
    """By the eager rule of the primitive of that name."""
    views = []
    generator = None
    for (dtype, shape, strides), argument in zip(kernel.arguments, arguments, strict=True):
        if plan.buffers[argument[0]].kind == "object":
            generator = plan.buffers[argument[0]].array
            continue
        views.append(strided(memory.elements(argument, dtype), shape, strides))
    params = {key: _plain(key, value, numbers) for key, value in kernel.params}
    if generator is not None:
        params["generator"] = GENERATORS[generator.__array_interface__["data"][0]]
    given = {int(k[7:]): params.pop(k) for k in list(params) if k.startswith("operand")}
    results = _results(kernel)
    operands = views[: len(views) - results]
    for place in sorted(given):
        operands.insert(place, given[place])
    if kernel.name in ("index_put", "scatter", "scatter_add") and 0 in given:
        operands[0] = np.full(views[-1].shape, given[0], views[-1].dtype)
    found = RULES[kernel.name](*operands, **params)
    found = found if isinstance(found, tuple) else (found,)
    for view, array in zip(views[len(views) - results :], found, strict=True):
        assert view.flags.c_contiguous
        view[...] = array


# the generator objects by the address of their memory, for what a test draws from
GENERATORS: dict[int, Any] = {}


def _results(kernel: Special) -> int:
    from flambeau._engine.prims import PRIMITIVES

    return PRIMITIVES[kernel.name].outputs


def _plain(key: str, value: Any, numbers) -> Any:
    if key == "taps":
        size, sources, weights, starts = value
        weights = None if weights is None else np.array(weights)
        return Taps(size, np.array(sources, np.int64), weights, np.array(starts, np.int64))
    if isinstance(value, tuple) and len(value) == 2 and value[0] == "number":
        return numbers[value[1]]
    return numpy_dtype(value) if key == "dtype" else value


def strided(elements: np.ndarray, shape, strides) -> np.ndarray:
    """A view by strides in elements."""
    by_bytes = tuple(s * elements.itemsize for s in strides)
    return np.lib.stride_tricks.as_strided(elements, shape, by_bytes)


def call_back(step: Callback, memory: Memory, numbers) -> None:
    """The eager rule, over arrays in place."""

    def array(x: Any) -> Any:
        if isinstance(x, Number):
            return x.kind(numbers[x.position])
        if not isinstance(x, tuple):
            return x
        buffer, offset, shape, dtype, strides = x
        return strided(memory.elements((buffer, offset), dtype.name), shape, strides)

    params = {
        key: x.kind(numbers[x.position]) if isinstance(x, Number) else x
        for key, x in step.node.params.items()
    }
    found = run_rule(step.node.name, [array(x) for x in step.operands], params)
    found = found if isinstance(found, tuple) else (found,)
    for result, value in zip(step.results, found, strict=True):
        assert np.shape(value) == tuple(result[2])
        array(result)[...] = value
