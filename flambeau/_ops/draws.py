"""Fresh random tensors in the memory order that PyTorch draws in, and the checks before a draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import check_writable, write_
from .._engine.autograd.meta import empty_array
from .._engine.autograd.tensor import Tensor, wrap
from .._engine.base.callers import warn_user
from .._engine.base.devices import CPU, device
from .._engine.base.dtypes import BOOL, FLOATING, INTEGER, dtype
from .._engine.eager.distributions import DIGITS
from .._engine.eager.mt19937 import GeneratorState
from .promote import dtype_of

_C_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
}
_LARGEST = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}


def unsupported(kernel: str, d: dtype) -> NotImplementedError:
    """PyTorch's error for a dtype that a random function has no kernel for."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{d.word}'")


def memory_order(array: np.ndarray) -> tuple[int, ...] | None:
    """The dims from the largest stride to the smallest; None when they already lie so.

    Dims of one element have no place in memory and come first.
    """
    if array.flags.c_contiguous:
        return None
    long = [dim for dim, size in enumerate(array.shape) if size > 1]
    order = sorted(long, key=lambda dim: -array.strides[dim])
    if order == long:
        return None
    return (*(dim for dim in range(array.ndim) if dim not in long), *order)


def inverse(order: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes `order`."""
    return tuple(int(dim) for dim in np.argsort(order))


def draw(
    primitive: str, shape: tuple[int, ...], d: dtype, where: device = CPU, **how: Any
) -> Tensor:
    """A row-major tensor of random numbers; on the meta device nothing is drawn."""
    if any(size < 0 for size in shape):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}"
        )
    if where is not CPU:
        out = wrap(empty_array(shape, d.numpy))
        out._device, out._plain = where, False
        return out
    if not d.is_complex:
        return getattr(P, primitive)(shape=shape, dtype=d.numpy, **how)
    if primitive == "random_normal":  # half the variance for each part
        how["std"] *= math.sqrt(0.5)
    parts = getattr(P, primitive)(shape=(*shape, 2), dtype=d.to_real().numpy, **how)
    return P.view_as_complex(parts)


def draw_like(t: Tensor, primitive: str, d: dtype | None = None, **how: Any) -> Tensor:
    """Random numbers in t's shape, drawn in the order in which t lies in memory."""
    order = memory_order(t._array)
    d = dtype_of(t) if d is None else d
    if order is None:
        return draw(primitive, t._array.shape, d, t._device, **how)
    shape = tuple(t._array.shape[dim] for dim in order)
    drawn = draw(primitive, shape, d, t._device, **how)
    return P.permute(drawn, dims=inverse(order))


def fill_(t: Tensor, name: str, primitive: str, **how: Any) -> Tensor:
    """Overwrite t with random numbers of its dtype."""
    prepare_write(t)
    return write_(t, draw_like(t, primitive, **how), op=name)


def prepare_write(t: Tensor) -> None:
    """Check that t may be written to, before any number is drawn.

    Raises:
        RuntimeError: grad mode forbids it, or elements of t share memory.
    """
    check_writable(t)
    array = t._array
    if array.size and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )


def uniform_bounds(d: dtype, low: float, high: float, generator: GeneratorState) -> dict[str, Any]:
    """The parameters of a uniform draw.

    Raises:
        NotImplementedError: integers or bool.
        RuntimeError: low > high, or a bound that the dtype cannot hold.
    """
    if d.category < FLOATING:
        raise unsupported("check_uniform_bounds", d)
    real = d.to_real()
    largest = _LARGEST[real.name]
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {_C_NAMES[real.name]}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{real.word}>::max(), but found "
            f"to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )
    return {"low": float(low), "high": float(high), "generator": generator}


def normal_parameters(
    d: dtype, mean: float, std: float, generator: GeneratorState, serial: bool = False
) -> dict[str, Any]:
    """The parameters of a normal draw.

    Raises:
        NotImplementedError: integers or bool.
        RuntimeError: std is negative.
    """
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if d.category < FLOATING:
        raise unsupported("normal_kernel_cpu", d)
    return {"mean": float(mean), "std": float(std), "serial": serial, "generator": generator}


def integer_bounds(d: dtype, low: int, high: int, generator: GeneratorState) -> dict[str, Any]:
    """The parameters of an integer draw from [low, high).

    Raises:
        RuntimeError: the range is empty, or the dtype cannot hold it.
    """
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    if d.is_complex:
        raise RuntimeError(
            "check_random_bounds handles only integral, floating-point and boolean types"
        )
    least, most = _limits(d)
    for name, bound in (("from", low), ("to - 1", high - 1)):
        if not least <= bound <= most:
            raise RuntimeError(f"{name} is out of bounds for {_C_NAMES[d.name]}")
        if d.category == FLOATING and abs(bound) > 1 << DIGITS[d.name]:
            digits = DIGITS[d.name]
            warn_user(
                f"{name} is out of bounds [-(2^{digits}), 2^{digits}]: {d.name} cannot hold "
                "every integer beyond, so some are never drawn",
            )
    return {"low": low, "high": high, "generator": generator}


def _limits(d: dtype) -> tuple[float, float]:
    if d.category == BOOL:
        return 0, 1
    if d.category == INTEGER:
        info = np.iinfo(d.numpy)
        return int(info.min), int(info.max)
    return -_LARGEST[d.name], _LARGEST[d.name]


def largest_integer(d: dtype) -> int:
    """The largest integer up to which `d` holds every one."""
    return 1 << DIGITS[d.name] if d.category == FLOATING else int(_limits(d)[1])
