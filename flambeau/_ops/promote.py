"""Bringing operands to a common dtype, as PyTorch's TensorIterator does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import BOOL, COMPLEX, FLOATING, dtype
from .._engine.base.errors import argument_type_error
from .._engine.base.promotion import Promotion, computation_dtype
from .._engine.prims.creation import Literal

F = TypeVar("F", bound=Callable[..., Any])


def dtype_of(t: Tensor) -> dtype:
    """The tensor's dtype."""
    return dtypes.from_numpy(t._array.dtype)


def as_dtype(t: Tensor, d: dtype) -> Tensor:
    """The tensor converted to `d`; itself when it has that dtype."""
    return t if t._array.dtype == d.numpy else P.convert(t, dtype=d.numpy)


def common_dtype(name: str, *operands: Any) -> dtype:
    """The dtype that tensors and Python numbers promote to.

    Raises:
        TypeError: an operand is neither.
    """
    promotion = Promotion()
    for position, x in enumerate(operands, 1):
        if isinstance(x, Tensor):
            promotion.tensor(dtypes.from_numpy(x._array.dtype), x._array.ndim)
        elif dtypes.of_scalar(x) is not None:
            promotion.scalar(x)
        else:
            argument = "input" if position == 1 else "other"
            raise argument_type_error(name, argument, position, "Tensor", x)
    return promotion.result()


def to_common(
    name: str, *operands: Any, floating: bool = False, to: dtype | None = None
) -> tuple[Any, ...]:
    """Operands in their common dtype; numbers stay numbers, in range of that dtype.

    Args:
        floating: integers and bool go on to the default dtype (`div`, `atan2` ...).
        to: the dtype to use, instead of finding it.
    """
    target = common_dtype(name, *operands) if to is None else to
    if floating:
        target = computation_dtype(target)
    return tuple(
        as_dtype(x, target) if isinstance(x, Tensor) else number(x, target) for x in operands
    )


def number(value: Any, d: dtype) -> Any:
    """A Python number as C would store it in dtype `d` (integers wrap around)."""
    category = d.category
    if category == FLOATING:
        return float(value)
    if category == COMPLEX:
        return complex(value)
    if category == BOOL:
        return bool(value)
    return wrapped_integer(int(value), d)


def number_tensor(value: Any, d: dtype) -> Tensor:
    """A Python number as a 0-dim tensor of dtype `d`, converted as `number` does."""
    return P.full(shape=(), value=number(value, d), dtype=d.numpy)


def literal(array: np.ndarray, like: Tensor | None = None) -> Tensor:
    """A tensor that holds a copy of an array, on the device of `like`.

    The array may depend on shapes and numbers. An op in which it depends on elements says so
    (`reads_values`).
    """
    t = P.constant(array=Literal(array))
    if like is not None and like._device is not t._device:
        t._device, t._plain = like._device, False
    return t


def as_tensors(*operands: Any) -> tuple[Tensor, ...]:
    """Numbers made 0-dim tensors of the tensor operand's dtype.

    Raises:
        TypeError: no operand is a tensor.
    """
    model = next((x for x in operands if isinstance(x, Tensor)), None)
    if model is None:
        raise TypeError(
            "received an invalid combination of arguments - at least one must be a Tensor, got "
            f"({', '.join(type(x).__name__ for x in operands)})"
        )
    return tuple(
        x if isinstance(x, Tensor) else P.full(shape=(), value=x, dtype=model._array.dtype)
        for x in operands
    )


def rounded_once(function: F) -> F:
    """Decorator: where all tensors are of one half precision, compute in float32, then round."""

    @functools.wraps(function)
    def run(input: Tensor, *rest: Any, **options: Any) -> Any:
        if not (isinstance(input, Tensor) and input._array.dtype in HALVES):
            return function(input, *rest, **options)
        half = dtype_of(input)
        operands = (input, *rest)
        if any(isinstance(x, Tensor) and dtype_of(x) is not half for x in operands):
            return function(input, *rest, **options)
        wide = [as_dtype(x, dtypes.float32) if isinstance(x, Tensor) else x for x in operands]
        found = function(*wide, **options)
        if isinstance(found, tuple):
            return tuple(as_dtype(x, half) for x in found)
        return as_dtype(found, half)

    return run  # type: ignore[return-value]


HALVES = (dtypes.float16.numpy, dtypes.bfloat16.numpy)


def wrapped_integer(value: int, d: dtype) -> int:
    """An integer modulo the range of an integer dtype."""
    bits = 8 * d.itemsize
    value &= (1 << bits) - 1
    return value - (1 << bits) if d.is_signed and value >> (bits - 1) else value


def floating_input(t: Tensor) -> Tensor:
    """Integers and bool converted to the default dtype, for functions such as exp."""
    if t._array.dtype.kind in "iub":
        return as_dtype(t, computation_dtype(dtype_of(t)))
    return t
