"""Reading the arguments that many ops share: sizes, dims, dtypes, devices."""

from __future__ import annotations

import operator
from typing import Any

from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import dtype
from .._engine.base.errors import argument_type_error


def sizes(op: str, given: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence: `f(2, 3)` and `f((2, 3))`.

    Raises:
        TypeError: an entry is not an integer.
    """
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    return tuple(integer(op, "size", x) for x in given)


def integer(op: str, name: str, value: Any) -> int:
    """An integer argument; 0-dim integer tensors count.

    Raises:
        TypeError: it is something else.
    """
    if type(value) is int:
        return value
    if isinstance(value, bool):  # an int in Python, and none to PyTorch
        raise argument_type_error(op, name, 1, "int", value)
    try:
        return operator.index(value)
    except TypeError:
        raise argument_type_error(op, name, 1, "int", value) from None


def as_dtype_argument(op: str, given: Any) -> dtype | None:
    """A `dtype=` argument; Python's float, int, bool and complex count too.

    Raises:
        TypeError: it is not a dtype.
    """
    if given is None or isinstance(given, dtype):
        return given
    found = _PYTHON_TYPES.get(given) if isinstance(given, type) else None
    if found is None:
        raise argument_type_error(op, "dtype", 1, "torch.dtype", given)
    return found


_PYTHON_TYPES = {
    float: dtypes.float64,
    int: dtypes.int64,
    bool: dtypes.bool_,
    complex: dtypes.complex128,
}


def check_tensor(op: str, name: str, position: int, value: Any) -> None:
    """Raises TypeError when `value` is not a tensor."""
    if not isinstance(value, Tensor):
        raise argument_type_error(op, name, position, "Tensor", value)
