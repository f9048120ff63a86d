"""Primitives without native code: their eager rules, called over a program's buffers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from ..eager.quiet import SETTING, enter, leave
from ..graph.interpreter import evaluate
from ..graph.ir import ProgramFault, Value
from ..loops.plan import INPUT, Callback, Plan

Base = Callable[[int], int]


def run(
    callback: Callback,
    plan: Plan,
    base: Base,
    inputs: Sequence[np.ndarray],
    numbers: Sequence[float],
) -> None:
    """Compute a callback's results and put them into their buffers.

    Args:
        base: the address of a buffer, by its number.

    Raises:
        ProgramFault: the eager rule raises, or its result is not what the graph says; nothing has
            been written then.
    """
    node = callback.node
    arrays: dict[Value, np.ndarray] = {}
    for value, operand in zip(node.inputs, callback.operands, strict=True):
        if isinstance(value, Value):
            arrays[value] = _operand(operand, plan, base, inputs)
    token = enter(SETTING)
    try:
        try:
            evaluate(node, arrays, numbers)
        except Exception as error:
            raise ProgramFault(f"{node.name} raised {type(error).__name__}") from error
        for value, (number, offset, shape, dtype, strides) in zip(
            node.outputs, callback.results, strict=True
        ):
            if number is not None:
                result = arrays[value]
                if result.shape != shape or result.dtype != dtype:
                    raise ProgramFault(f"{node.name} gave {result.dtype}{result.shape}")
                np.copyto(view(base(number) + offset, shape, dtype, strides), result)
    finally:
        leave(token)


def _operand(operand: tuple, plan: Plan, base: Base, inputs: Sequence[np.ndarray]) -> np.ndarray:
    number, offset, shape, dtype, strides = operand
    buffer = plan.buffers[number]
    if buffer.kind == INPUT and not offset:
        array = inputs[buffer.position]
        steps = tuple(stride * dtype.itemsize for stride in strides)
        if array.shape == shape and array.strides == steps and array.dtype == dtype:
            return array
    return view(base(number) + offset, shape, dtype, strides)


def view(
    address: int, shape: tuple[int, ...], dtype: np.dtype, strides: tuple[int, ...]
) -> np.ndarray:
    """An array over memory that it does not keep alive; `strides` are in elements."""
    if 0 in shape:
        return np.empty(shape, dtype)
    memory, low, steps = _extent(shape, dtype.itemsize, strides)
    return np.ndarray(shape, dtype, memory.from_address(address + low), -low, steps)


@lru_cache(4096)
def _extent(
    shape: tuple[int, ...], size: int, strides: tuple[int, ...]
) -> tuple[type[ctypes.Array], int, tuple[int, ...]]:
    """The ctypes array that covers a view, the byte it begins at, and the strides in bytes."""
    steps = tuple(size * stride for stride in strides)
    ends = [step * (length - 1) for step, length in zip(steps, shape)]
    low = sum(end for end in ends if end < 0)
    high = sum(end for end in ends if end > 0)
    return ctypes.c_char * (high - low + size), low, steps
