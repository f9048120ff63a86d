"""Comparisons, logic and tests of numbers: ops whose results are bool tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.errors import not_supported
from .declare import op
from .pointwise import unary
from .promote import as_dtype, common_dtype, to_common

__all__ = [
    "eq", "ge", "greater", "greater_equal", "gt", "isfinite", "isinf", "isnan", "le", "less",
    "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne",
    "not_equal",
]  # fmt: skip


def comparison(name: str, doc: str, *aliases: str, complex_: bool = False) -> Callable[..., Tensor]:
    """Declare a comparison: a bool tensor, compared in the operands' common dtype."""
    call = getattr(P, name)

    def function(input: Any, other: Any) -> Tensor:
        try:
            if input._array.dtype is other._array.dtype and (
                complex_ or input._array.dtype.kind != "c"
            ):
                return call(input, other)
        except AttributeError:
            if not isinstance(input, Tensor):
                raise
        target = common_dtype(name, input, other)
        if target.is_complex and not complex_:
            raise not_supported(name, target)
        return call(*to_common(name, input, other, to=target))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}, elementwise: a bool tensor.\n"
    return op(method=True, inplace=True, out=True, aliases=aliases)(function)


eq = comparison("eq", "input == other", complex_=True)
ne = comparison("ne", "input != other", "not_equal", complex_=True)
lt = comparison("lt", "input < other", "less")
le = comparison("le", "input <= other", "less_equal")
gt = comparison("gt", "input > other", "greater")
ge = comparison("ge", "input >= other", "greater_equal")
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


def logical(name: str, doc: str) -> Callable[..., Tensor]:
    """Declare a logical function of two tensors of any dtype: nonzero counts as true."""
    call = getattr(P, name)

    def function(input: Tensor, other: Tensor) -> Tensor:
        return call(*to_common(name, as_dtype(input, dtypes.bool_), as_dtype(other, dtypes.bool_)))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}, elementwise: a bool tensor.\n"
    return op(method=True, inplace=True, out=True)(function)


logical_and = logical("logical_and", "Whether both are nonzero")
logical_or = logical("logical_or", "Whether either is nonzero")
logical_xor = logical("logical_xor", "Whether exactly one is nonzero")
logical_not = unary("logical_not", "Whether x is zero")
isnan = unary("isnan", "Whether x is NaN")
isinf = unary("isinf", "Whether x is infinite")
isfinite = unary("isfinite", "Whether x is neither infinite nor NaN")
