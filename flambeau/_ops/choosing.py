"""Choosing elements by conditions: where, masks, and the positions of nonzero elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import check_writable, write_
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.shapes import broadcast
from . import shaping, splitting
from .checks import check_positions
from .declare import event, method, op
from .promote import as_dtype, common_dtype, dtype_of, number_tensor, to_common

__all__ = [
    "argwhere", "masked_fill", "masked_scatter", "masked_select", "nonzero", "nonzero_static",
    "unravel_index", "where",
]  # fmt: skip


def _bad_call(name: str, *given: Any) -> TypeError:
    kinds = ", ".join(type(x).__name__ for x in given)
    return TypeError(
        f"{name}() received an invalid combination of arguments - got ({kinds}), but expected one "
        "of:\n * (Tensor condition)\n * (Tensor condition, Tensor input, Tensor other, *, Tensor "
        "out = None)\n * (Tensor condition, Number self, Tensor other)\n * (Tensor condition, "
        "Tensor input, Number other)\n * (Tensor condition, Number self, Number other)\n"
    )


@op(out=True)
def where(condition: Tensor, input: Any = None, other: Any = None, *, self: Any = None) -> Any:
    """`input` where the condition holds, `other` elsewhere; broadcast, dtypes promoted.

    With the condition alone: the positions where it holds, one tensor a dimension.

    Raises:
        RuntimeError: the condition is not bool, or shapes do not broadcast.

    >>> flambeau.where(flambeau.tensor([True, False]), 1, 0)
    tensor([1, 0])
    """
    input = self if input is None else input
    if not isinstance(condition, Tensor) or (input is None) != (other is None):
        raise _bad_call("where", *(x for x in (condition, input, other) if x is not None))
    if input is None:
        return nonzero(condition, as_tuple=True)
    return _where(condition, input, other)


def _where(condition: Tensor, input: Any, other: Any) -> Tensor:
    if condition._array.dtype == np.uint8:
        condition = as_dtype(condition, dtypes.bool_)
    if condition._array.dtype != np.bool_:
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{dtype_of(condition).word}"
        )
    a, b = to_common("where", input, other)
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        d = common_dtype("where", input, other)
        a, b = (number_tensor(x, d) for x in (a, b))
    return P.where(condition, a, b)


@method("where")
def _where_method(self: Tensor, condition: Tensor, other: Any = None) -> Tensor:
    """The tensor where the condition holds, `other` elsewhere."""
    if other is None:
        raise _bad_call("where", condition)
    return where(condition, self, other)


def _check_mask(name: str, mask: Tensor) -> None:
    if mask._array.dtype != np.bool_:
        raise RuntimeError(
            f"{name} only supports boolean masks, but got mask with dtype {dtype_of(mask).word}"
        )


def _fill_value(input: Tensor, value: Any) -> Tensor:
    """A 0-dim tensor of input's dtype.

    Raises:
        RuntimeError: the value has dimensions, or cannot be converted.
    """
    d = dtype_of(input)
    if not isinstance(value, Tensor):
        if isinstance(value, complex) and not d.is_complex:
            raise RuntimeError(f"value cannot be converted to type {d.name} without overflow")
        return number_tensor(value, d)
    if value._array.ndim:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    if value._array.dtype.kind == "c" and not d.is_complex:
        raise RuntimeError(f"value cannot be converted to type {d.name} without overflow")
    return as_dtype(value, d)


def _masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    _check_mask("masked_fill_", mask)
    return P.where(mask, _fill_value(input, value), input)


@op(method=True)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy of the tensor with one value where the mask is True; the two broadcast."""
    return _masked_fill(input, mask, value)


@method()
@event("masked_fill_")
def masked_fill_(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Write one value where the mask, which broadcasts to the tensor, is True."""
    check_writable(self)
    result = _masked_fill(self, mask, value)
    if result._grad_fn is not None:
        result._grad_fn.label = "MaskedFillBackward0"
    return write_(self, result, op="masked_fill_")


@op(method=True, out="separate", reads_values=True)
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is True, in row-major order; the two broadcast."""
    if mask._array.dtype != np.bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    shape = broadcast(input._array.shape, mask._array.shape, op="masked_select")
    positions = nonzero(
        P.expand(mask, shape=shape) if shape else P.view(mask, shape=(1,)), as_tuple=True
    )
    whole = P.expand(input, shape=shape) if shape else P.view(input, shape=(1,))
    return P.index(whole, *positions, pattern=(True,) * len(positions))


@op(method=True, inplace=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of the tensor with source's elements, in order, where the mask is True.

    Raises:
        RuntimeError: there are fewer of them than the mask has True.
    """
    _check_mask("masked_scatter_", mask)
    if input._array.dtype != source._array.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{dtype_of(input).word} and {dtype_of(source).word}"
        )
    shape = broadcast(input._array.shape, mask._array.shape, op="masked_scatter")
    flat = P.view(
        P.copy(P.expand(mask, shape=shape), order="C"), shape=(-1 if mask._array.size else 0,)
    )
    counts = P.cumsum(as_dtype(flat, dtypes.int64), dim=0)
    text = "Number of elements of source < number of ones in mask"
    check_positions(counts, source._array.size + 1, text, error=RuntimeError)
    if not source._array.size:
        return P.copy(P.expand(input, shape=shape), order="C")
    places = P.maximum(P.sub(counts, 1), 0)
    taken = P.index(shaping.ravel(source), P.view(places, shape=shape), pattern=(True,))
    return P.where(mask, taken, input)


@op(method=True, out=True, reads_values=True)
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of nonzero elements: one a row, or with `as_tuple` one tensor a dimension.

    >>> flambeau.tensor([0, 3, 4]).nonzero()
    tensor([[1],
            [2]])
    """
    if not as_tuple:
        return P.nonzero(input)
    found = P.nonzero(input if input._array.ndim else P.view(input, shape=(1,)))
    return splitting.unbind(found, 1)


@op(method=True, reads_values=True)
def argwhere(input: Tensor) -> Tensor:
    """The positions of nonzero elements, one a row."""
    return P.nonzero(input)


@op(method=True, out=True, reads_values=True)
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """`nonzero` cut, or filled up with `fill_value`, to `size` rows."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = P.nonzero(input)
    count = found._array.shape[0]
    if count >= size:
        return splitting.span(found, 0, 0, size)
    return P.pad(found, widths=((0, size - count), (0, 0)), value=fill_value)


@op()
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The position in each dimension of positions in the flat tensor.

    Raises:
        TypeError, ValueError: an argument is of another kind, or a size is negative.
    """
    if not isinstance(indices, Tensor):
        raise TypeError(f"expected 'indices' to be integer dtype, but got {type(indices).__name__}")
    if indices._array.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {dtype_of(indices)}")
    sizes = _shape_tuple(shape)
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    found, step = [], 1
    for n in reversed(sizes):
        found.append(P.remainder(P.floor_divide(indices, step), n) if n else indices)
        step *= max(n, 1)
    return tuple(reversed(found))


def _shape_tuple(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, int):
        return (shape,)
    if isinstance(shape, (tuple, list)):
        if not all(isinstance(n, int) for n in shape):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {shape}")
        return tuple(shape)
    raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
