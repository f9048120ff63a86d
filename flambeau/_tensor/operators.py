"""Python's operators on tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes, state
from .._ops import comparisons, pointwise, products
from .._ops.declare import OPS, method


def _operand(function: Callable[..., Any], swap: bool = False) -> Callable[..., Any]:
    """A binary operator that leaves foreign operands to Python."""
    if swap:

        def reflected(self: Tensor, other: Any) -> Any:
            if isinstance(other, Tensor) or dtypes.of_scalar(other) is not None:
                return function(other, self)
            return NotImplemented

        return reflected

    def operate(self: Tensor, other: Any) -> Any:
        if isinstance(other, Tensor) or dtypes.of_scalar(other) is not None:
            return function(self, other)
        return NotImplemented

    return operate


_REAL = (float, int)


def _lean(function: Callable[..., Any], raw: Callable[..., Any]) -> Callable[..., Any]:
    """`_operand`, with a short way for tensors and real numbers: `raw` is the op itself."""
    usual = _operand(function)

    def operate(self: Tensor, other: Any) -> Any:
        if state.on_op is None and (isinstance(other, Tensor) or type(other) in _REAL):
            return raw(self, other)
        return usual(self, other)

    return operate


_BINARY = {
    "add": pointwise.add,
    "sub": pointwise.sub,
    "mul": pointwise.mul,
    "truediv": pointwise.div,
    "floordiv": pointwise.floor_divide,
    "mod": pointwise.remainder,
    "pow": pointwise.pow,
    "and": pointwise.bitwise_and,
    "or": pointwise.bitwise_or,
    "xor": pointwise.bitwise_xor,
    "lshift": pointwise.bitwise_left_shift,
    "rshift": pointwise.bitwise_right_shift,
    "matmul": products.matmul,
}
_INPLACE = {
    "add": "add_",
    "sub": "sub_",
    "mul": "mul_",
    "truediv": "div_",
    "floordiv": "floor_divide_",
    "mod": "remainder_",
    "pow": "pow_",
    "and": "bitwise_and_",
    "or": "bitwise_or_",
    "xor": "bitwise_xor_",
    "lshift": "bitwise_left_shift_",
    "rshift": "bitwise_right_shift_",
}
for _name, _function in _BINARY.items():
    setattr(Tensor, f"__{_name}__", _operand(_function))
    setattr(Tensor, f"__r{_name}__", _operand(_function, swap=True))
Tensor.__add__ = _lean(pointwise.add, pointwise.add_tensors)  # type: ignore[method-assign]
Tensor.__mul__ = _lean(pointwise.mul, OPS["mul"].function)  # type: ignore[method-assign]
Tensor.__truediv__ = _lean(pointwise.div, pointwise.divide_tensors)  # type: ignore[method-assign]
for _name, _method in _INPLACE.items():
    setattr(Tensor, f"__i{_name}__", _operand(getattr(Tensor, _method)))
for _name in ("lt", "le", "gt", "ge"):
    setattr(Tensor, f"__{_name}__", _operand(getattr(comparisons, _name)))

method("__neg__")(pointwise.neg)
method("__pos__")(pointwise.positive)
method("__abs__")(pointwise.abs)
method("__invert__")(pointwise.bitwise_not)
# NumPy arrays leave operators with a tensor to the tensor
Tensor.__array_priority__ = 1000  # type: ignore[attr-defined]


@method()
def __eq__(self: Tensor, other: Any) -> Any:
    if isinstance(other, Tensor) or dtypes.of_scalar(other) is not None:
        return comparisons.eq(self, other)
    return NotImplemented


@method()
def __ne__(self: Tensor, other: Any) -> Any:
    if isinstance(other, Tensor) or dtypes.of_scalar(other) is not None:
        return comparisons.ne(self, other)
    return NotImplemented


# tensors are dictionary keys by identity
Tensor.__hash__ = object.__hash__  # type: ignore[method-assign, assignment]


@method()
def __bool__(self: Tensor) -> bool:
    if self._array.size != 1:
        if self._array.size == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    return bool(self.item())  # type: ignore[attr-defined]


def _number(kind: Callable[[Any], Any]) -> Callable[[Tensor], Any]:
    def convert(self: Tensor) -> Any:
        return kind(self.item())  # type: ignore[attr-defined]

    return convert


for _name, _kind in (("__int__", int), ("__float__", float), ("__complex__", complex)):
    setattr(Tensor, _name, _number(_kind))


@method()
def __index__(self: Tensor) -> int:
    if self._array.dtype.kind not in "iub" or self._array.size != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(self.item())  # type: ignore[attr-defined]


@method()
def __contains__(self: Tensor, element: Any) -> bool:
    if isinstance(element, Tensor) or dtypes.of_scalar(element) is not None:
        return bool((self._array == getattr(element, "_array", element)).any())
    raise RuntimeError(
        f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
    )
