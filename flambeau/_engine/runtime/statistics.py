"""What a program's steps are, how much they move and compute, and how long they take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..loops.kernel import Access, Chain, Gemm, Instruction, Kernel, Loop, Special
from ..loops.plan import OBJECT, Callback, Step

if TYPE_CHECKING:
    from .program import Program

# Instructions that compute nothing.
_FREE = {"load", "constant", "number", "index", "row", "product", "convert"}


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step, for people and for rates.

    Attributes:
        kind: "gemm", "loop", a Special's name, or "callback".
        text: the kernel in a line.
        bytes: read and written, each element of an argument once.
        flops: additions, multiplications and the like; each function counts as one.
        event: which of the segment's events it belongs to.
    """

    kind: str
    text: str
    bytes: int
    flops: int
    event: int


def describe(program: Program) -> list[StepFacts]:
    """The facts of each step, in the order of the steps."""
    return [_facts(step) for step in program.plan.steps]


def time_steps(
    program: Program, inputs: Sequence[np.ndarray], numbers: Sequence[float], repeats: int = 10
) -> list[int]:
    """The least nanoseconds that each step took in some runs on copies of the inputs.

    Objects that the program writes to, a generator's state for one, are put back.
    """
    copies = [_copy(array) for array in inputs]
    objects = [b.array for b in program.plan.buffers if b.kind == OBJECT and b.array is not None]
    generators = [step.node.params.get("generator") for step in _callbacks(program)]
    states = [(g, g.to_bytes()) for g in generators if g is not None]
    before = [array.copy() for array in objects]
    least = np.full(len(program.plan.steps), np.iinfo(np.int64).max)
    program.profile(True)
    try:
        program.run(copies, numbers)  # starts the threads, fills the caches
        for _ in range(repeats):
            program.times[:] = 0
            program.run(copies, numbers)
            np.minimum(least, program.times, out=least)
    finally:
        program.profile(False)
        for array, content in zip(objects, before):
            array[...] = content
        for generator, state in states:
            generator.from_bytes(state)
    return least.tolist()


def _callbacks(program: Program) -> Iterator[Callback]:
    return (step for step in program.plan.steps if isinstance(step, Callback))


def _copy(array: np.ndarray) -> np.ndarray:
    """A copy with the same strides."""
    if array.flags.c_contiguous:
        return array.copy()
    low, high = np.lib.array_utils.byte_bounds(array)
    memory = np.empty(high - low, np.uint8)
    start = array.__array_interface__["data"][0] - low
    copy = np.ndarray(array.shape, array.dtype, memory, start, array.strides)
    copy[...] = array
    return copy


def _facts(step: Step | Callback) -> StepFacts:
    if isinstance(step, Callback):
        places = [x for x in (*step.operands, *step.results) if isinstance(x, tuple)]
        moved = sum(prod(shape) * dtype.itemsize for _, _, shape, dtype, _ in places)
        shapes = ", ".join(f"{dtype.name}{list(shape)}" for _, _, shape, dtype, _ in places)
        return StepFacts("callback", f"{step.node.name}({shapes})", moved, 0, step.event)
    kind, text, moved, flops = kernel_facts(step.kernel)
    return StepFacts(kind, text, moved, flops, step.event)


def kernel_facts(kernel: Kernel) -> tuple[str, str, int, int]:
    """A kernel's kind and text, the bytes it moves, the operations it computes."""
    if isinstance(kernel, Gemm):
        return _gemm_facts(kernel)
    if isinstance(kernel, Loop):
        return _loop_facts(kernel)
    if isinstance(kernel, Chain):
        return _chain_facts(kernel)
    return _special_facts(kernel)


def _gemm_facts(kernel: Gemm) -> tuple[str, str, int, int]:
    batch, m, n, k = kernel.batch, kernel.m, kernel.n, kernel.k
    shape = (*batch, m, n)
    accesses = [*_loads(kernel.epilogue), *(access for access, _ in kernel.stores)]
    moved = _bytes(accesses, shape)
    moved += _bytes([kernel.a], (*batch, m, k)) + _bytes([kernel.b], (*batch, k, n))
    names = _names(kernel.epilogue)
    flops = prod(shape) * (2 * k + len(names))
    text = f"{'x'.join(map(str, (*batch, m, n)))} over {k} {kernel.dtype}"
    return "gemm", f"{text}{_after(names)}", moved, flops


def _loop_facts(kernel: Loop) -> tuple[str, str, int, int]:
    points, rows = prod((*kernel.outer, *kernel.inner)), prod(kernel.outer)
    accesses: list[Access] = []
    names: list[str] = []
    flops = loads = 0
    for stage in kernel.stages:
        found = _loads(stage.body) + _loads(stage.row)
        accesses, loads = accesses + found, loads + len(found)
        accesses += [access for access, _ in (*stage.stores, *stage.row_stores)]
        inner, row = _names(stage.body), _names(stage.row)
        names += [*inner, *(reduction.kind for reduction in stage.reductions), *row]
        flops += points * (len(inner) + len(stage.reductions)) + rows * len(row)
    shape = "x".join(map(str, (*kernel.outer, *kernel.inner))) or "1"
    reduced = f" over {'x'.join(map(str, kernel.inner))}" if kernel.outer else ""
    moved = _bytes(accesses, (*kernel.outer, *kernel.inner))
    names = names or ["copy" if loads else "fill"]
    return "loop", f"{shape}{reduced}{_after(names)}", moved, flops


def _chain_facts(kernel: Chain) -> tuple[str, str, int, int]:
    texts: dict[str, None] = {}
    moved = flops = 0
    for times, part in kernel.parts():
        kind, text, bytes_, operations = kernel_facts(part.kernel)
        texts[f"{kind} {text}"] = None
        moved += times * bytes_
        flops += times * operations
    return "chain", f"{kernel.blocks} times {'; '.join(texts)}", moved, flops


def _special_facts(kernel: Special) -> tuple[str, str, int, int]:
    moved = sum(prod(shape) * np.dtype(dtype).itemsize for dtype, shape, _ in kernel.arguments)
    shapes = ", ".join(f"{dtype}{list(shape)}" for dtype, shape, _ in kernel.arguments)
    return kernel.name, shapes, moved, _convolution_flops(kernel)


# which arguments are the result of the convolution, or its gradient, and the weight
_CONVOLUTIONS = {
    "convolution": (2, 1), "convolution_input_grad": (0, 1), "convolution_weight_grad": (1, 2),
}  # fmt: skip


def _convolution_flops(kernel: Special) -> int:
    """A multiplication and an addition for each result and each tap of its filter; else 0."""
    if kernel.name not in _CONVOLUTIONS:
        return 0
    result, weight = (kernel.arguments[place][1] for place in _CONVOLUTIONS[kernel.name])
    return 2 * prod(result) * prod(weight[1:])


def _after(names: Sequence[str]) -> str:
    return f": {' '.join(names)}" if names else ""


def _names(body: Sequence[Instruction]) -> list[str]:
    return [instruction.name for instruction in body if instruction.name not in _FREE]


def _loads(body: Sequence[Instruction]) -> list[Access]:
    return [instruction.detail for instruction in body if instruction.name == "load"]


def _bytes(accesses: Sequence[Access], shape: Sequence[int]) -> int:
    """What accesses to memory move: a broadcast element once, equal accesses once."""
    return sum(
        np.dtype(access.dtype).itemsize
        * prod(size for size, stride in zip(shape, access.strides) if stride)
        for access in set(accesses)
    )
