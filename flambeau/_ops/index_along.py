"""Index vectors along one dimension: the index_* family."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.shapes import wrap_dim
from . import shaping
from .checks import check_positions
from .declare import op
from .gathering import check_index_dtype, copied, scatter_in_order, vectors
from .promote import as_dtype, dtype_of, number, number_tensor

__all__ = ["index_add", "index_copy", "index_fill", "index_reduce", "index_select"]


def _pattern(ndim: int, dim: int) -> tuple[bool, ...]:
    return tuple(d == dim for d in range(ndim))


@op(method=True, out="separate")
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The positions `index` of one dimension: a copy.

    Raises:
        IndexError: the index has more than one dimension, or a position lies outside.
    """
    at = wrap_dim(dim, input._array.ndim)
    if index._array.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index._array.dtype not in (np.int64, np.int32):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if not input._array.ndim and index._array.size != 1:
        raise RuntimeError(
            "index_select(): Index to scalar can have only 1 value, got "
            f"{index._array.size} value(s)"
        )
    size = input._array.shape[at] if input._array.ndim else 1
    check_positions(index, size, "index out of range in self")
    if not input._array.ndim:
        return copied(input)
    flat = as_dtype(shaping.ravel(index), dtypes.int64)
    return P.index(input, flat, pattern=_pattern(input._array.ndim, at))


@op(method=True, inplace=True, out=True)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """A copy of the tensor with alpha * source added at the positions `index` of a dimension.

    Raises:
        IndexError, RuntimeError: sizes or dtypes do not fit, or a position lies outside.
    """
    at = wrap_dim(dim, input._array.ndim)
    index = _vector("index_add_", index)
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"index_add_(): self ({dtype_of(input).word}) and source ({dtype_of(source).word}) "
            "must have the same scalar type"
        )
    _check_source("index_add_", input, at, index, source)
    check_positions(index, (input._array.shape or (1,))[at], "index out of range in self")
    if alpha != 1:
        source = P.mul(source, number(alpha, dtype_of(source)))
    return _put_along(input, at, index, source, accumulate=True)


def _vector(name: str, index: Tensor) -> Tensor:
    if index._array.ndim > 1:
        raise IndexError(
            f"{name}(): Index is supposed to be a vector, but got dim: "
            f"{index._array.ndim} with type: {dtype_of(index).word}"
        )
    return shaping.ravel(check_index_dtype(name, index))


def _check_source(name: str, input: Tensor, dim: int, index: Tensor, source: Tensor) -> None:
    """The source has the tensor's sizes, except as many positions as the index along dim."""
    wanted, given = input._array.shape, source._array.shape
    if len(wanted) != len(given) or any(
        n != m for d, (n, m) in enumerate(zip(wanted, given, strict=True)) if d != dim
    ):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(wanted)} source.shape = {list(given)}"
        )
    count = given[dim] if given else 1
    if count != index._array.size:
        raise RuntimeError(
            f"{name}(): Number of indices ({index._array.size}) should be equal to "
            f"source.size(dim): ({count}), for dim: {dim}"
        )


def _put_along(input: Tensor, dim: int, index: Tensor, source: Tensor, accumulate: bool) -> Tensor:
    if input._array.ndim:
        pattern = _pattern(input._array.ndim, dim)
        return P.index_put(input, source, index, pattern=pattern, accumulate=accumulate)
    flat = P.view(input, shape=(1,))
    put = P.index_put(flat, source, index, pattern=(True,), accumulate=accumulate)
    return P.view(put, shape=())


@op(method=True, inplace=True, out=True)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of the tensor with `source` at the positions `index` of one dimension.

    Raises:
        IndexError, RuntimeError: sizes or dtypes do not fit, or a position lies outside.
    """
    at = wrap_dim(dim, input._array.ndim)
    if index._array.dtype != np.int64:
        raise RuntimeError(
            f"index_copy_(): Expected a long tensor for index, but got {dtype_of(index).word}"
        )
    index = _vector("index_copy_", index)
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{dtype_of(input).word} and (source) {dtype_of(source).word}"
        )
    source = _copied_source(input, at, index, source)
    check_positions(
        index, (input._array.shape or (1,))[at],
        f"index_copy_(): index {{index}} is out of bounds for dimension {at} with size {{size}}",
    )  # fmt: skip
    return _put_along(input, at, index, source, accumulate=False)


def _copied_source(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    wanted, given = input._array.shape, source._array.shape
    if not given:
        if index._array.size != 1:
            raise IndexError(
                "index_copy_(): When source is scalar, index should have one element (got "
                f"{index._array.size})"
            )
        return source
    if wanted and len(given) != len(wanted):
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality "
            f"must match. Source dimensionality ({len(given)}), destination dimensionality "
            f"({len(wanted)})"
        )
    there = [n for d, n in enumerate(wanted) if d != dim]
    here = [n for d, n in enumerate(given) if d != dim]
    if there != here:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
            f"slice shape: {there} at dimension {dim} and source slice shape: {here} at "
            "dimension 0."
        )
    if given[dim if wanted else 0] != index._array.size:
        raise IndexError(
            f"index_copy_(): Number of indices ({index._array.size}) should be equal to "
            f"source.size(dim) ({given[dim if wanted else 0]})"
        )
    return source


@op(method=True, inplace=True, out=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy of the tensor with one value at the positions `index` of one dimension.

    Raises:
        IndexError, RuntimeError: the index is no vector, or a position lies outside.
    """
    at = wrap_dim(dim, input._array.ndim)
    if index._array.dtype != np.int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index._array.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        value = as_dtype(value, dtype_of(input))
    elif isinstance(value, complex) and input._array.dtype.kind != "c":
        raise RuntimeError(
            "index_fill_(): Converting complex Scalar to non-complex type is not supported"
        )
    else:
        value = number_tensor(value, dtype_of(input))
    size = (input._array.shape or (1,))[at]
    text = f"index {{index}} is out of bounds for dimension {at} with size {{size}}"
    check_positions(index, size, text, low=-size)
    return P.where(_chosen(index, size, at, input._array.ndim), value, input)


def _chosen(index: Tensor, size: int, dim: int, ndim: int) -> Tensor:
    """A mask, True at the positions `index` of a dimension; it broadcasts over the others."""
    false, true = (
        P.full(shape=s, value=v, dtype=np.dtype(bool)) for s, v in (((size,), False), ((), True))
    )
    row = P.index_put(false, true, shaping.ravel(index), pattern=(True,), accumulate=False)
    shape = tuple(size if d == dim else 1 for d in range(ndim))
    return P.view(row, shape=shape)


@op(method=True, inplace=True, out=True)
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
    include_self: bool = True,
) -> Tensor:  # fmt: skip
    """A copy of the tensor with the slices of source of one position reduced into it.

    Args:
        reduce: "prod", "mean", "amax" or "amin".
        include_self: whether what is there takes part.
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    at = wrap_dim(dim, input._array.ndim)
    index = _vector("index_reduce", index)
    if source._array.dtype != input._array.dtype:
        raise RuntimeError("index_reduce(): self and source must have the same scalar type")
    _check_source("index_reduce", input, at, index, source)
    check_positions(index, (input._array.shape or (1,))[at], "index out of range in self")
    (source,) = vectors(source)
    column = tuple(index._array.size if d == at else 1 for d in range(source._array.ndim))
    index = P.expand(P.view(index, shape=column), shape=source._array.shape)
    return scatter_in_order(input, index, source, at, reduce, include_self)
