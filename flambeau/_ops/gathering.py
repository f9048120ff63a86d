"""Reading and writing by index tensors: the gather and scatter families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.shapes import wrap_dim
from . import shaping
from .checks import check_positions
from .declare import op
from .promote import as_dtype, dtype_of, number
from .subscript import gather_pattern, put as put_at

__all__ = [
    "gather", "index_put", "put", "scatter", "scatter_add", "scatter_reduce", "take",
    "take_along_dim",
]  # fmt: skip


def check_index_dtype(name: str, index: Tensor, error: type[Exception] = RuntimeError) -> Tensor:
    """The index as int64; it must be int32 or int64."""
    if index._array.size and index._array.dtype not in (np.int64, np.int32):
        raise error(
            f"{name}(): Expected dtype int32/int64 for index but got: {dtype_of(index).word}"
        )
    return as_dtype(index, dtypes.int64)


def _check_sizes(
    name: str, input: Tensor, index: Tensor, dim: int, source: Tensor | None = None
) -> None:
    """Gather and scatter: the index fits the tensor except along dim, and the source everywhere."""
    shape, at = input._array.shape or (1,), index._array.shape or (1,)
    whose = "input" if name == "gather" else "self"
    if not index._array.size:
        return
    if len(shape) != len(at):
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as {whose} tensor "
            f"({name}: {len(at)} and {len(shape)})"
        )
    wrong = [d for d, n in enumerate(at) if d != dim and n > shape[d]]
    if name == "gather":
        if wrong:
            raise RuntimeError(
                f"Size does not match at dimension {wrong[0]} expected index {list(at)} to be no "
                f"larger than self {list(shape)} apart from dimension {dim}"
            )
        return
    tail = ""
    if source is not None:
        given = source._array.shape or (1,)
        if len(given) != len(at):
            raise RuntimeError(
                "Index tensor must have the same number of dimensions as src tensor "
                f"({name}: {len(at)} and {len(given)})"
            )
        wrong += [d for d, n in enumerate(at) if n > given[d]]
        tail = f" and to be no larger size than src {list(given)}"
    if wrong:
        raise RuntimeError(
            f"Expected index {list(at)} to be no larger than self {list(shape)} apart from "
            f"dimension {dim}{tail}"
        )


@op(method=True, out="exact separate")
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on for the others.

    Raises:
        RuntimeError: sizes do not fit, or a position lies outside the dimension.

    >>> flambeau.tensor([[1, 2], [3, 4]]).gather(1, flambeau.tensor([[0], [1]]))
    tensor([[1],
            [4]])
    """
    at = wrap_dim(dim, input._array.ndim)
    index = check_index_dtype("gather", index)
    _check_sizes("gather", input, index, at)
    if not index._array.size:
        return P.index(shaping.ravel(input), index, pattern=(True,))
    return P.gather(input, index, dim=at)


def vectors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """0-dim tensors as tensors of one element."""
    return tuple(x if x._array.ndim else P.view(x, shape=(1,)) for x in tensors)


def _scatter_operands(
    name: str, input: Tensor, dim: int, index: Tensor, source: Any
) -> tuple[int, Tensor, Tensor]:
    """The dim, the index and the source, checked; the latter two are not 0-dim."""
    at = wrap_dim(dim, input._array.ndim)
    index = check_index_dtype(name, index)
    if isinstance(source, Tensor):
        if source._array.dtype != input._array.dtype:
            raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
        _check_sizes(name, input, index, at, source)
        index, source = vectors(index, source)
        return at, index, source
    _check_sizes(name, input, index, at)
    value = P.full(shape=(), value=_fitting(source, input), dtype=input._array.dtype)
    (index,) = vectors(index)
    return at, index, P.expand(value, shape=index._array.shape)


def _fitting(value: Any, like: Tensor) -> Any:
    d = dtype_of(like)
    if isinstance(value, complex) and not d.is_complex:
        raise RuntimeError(
            f"value cannot be converted to type {_C_NAMES.get(d, d.name)} without overflow"
        )
    return number(value, d)


_C_NAMES = {dtypes.float32: "float", dtypes.float64: "double", dtypes.int64: "int64_t"}
_REDUCE_NAMES = {"add": "sum", "multiply": "prod"}


@op(method=True, inplace=True, out=True)
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
    reduce: str | None = None,
) -> Tensor:  # fmt: skip
    """A copy of the tensor with out[index[i][j]][j] = src[i][j] for dim 0, and so on.

    Args:
        src: a tensor no smaller than the index, or a number.
        reduce: "add" or "multiply" what is written to what is there, instead of replacing it.

    Raises:
        RuntimeError: sizes or dtypes do not fit, or a position lies outside the dimension.
    """
    source = src if value is None else value
    if isinstance(source, Tensor) and value is not None and not source._array.ndim:
        source = source._array.item()
    at, index, source = _scatter_operands("scatter", input, dim, index, source)
    if reduce is not None and reduce not in _REDUCE_NAMES:
        raise RuntimeError("reduce argument must be either add or multiply.")
    return scatter_in_order(input, index, source, at, _REDUCE_NAMES.get(reduce or ""))


def scatter_in_order(
    input: Tensor, index: Tensor, source: Tensor, dim: int, reduce: str | None,
    include_self: bool = True,
) -> Tensor:  # fmt: skip
    """The result of a scatter with operands that are in order."""
    if not index._array.size:
        return copied(input)
    (target,) = vectors(input)
    if reduce is None:
        out = P.scatter(target, index, source, dim=dim)
    else:
        out = _scatter_reduced(target, index, source, dim, reduce, include_self)
    return out if input._array.ndim else P.view(out, shape=())


def copied(t: Tensor) -> Tensor:
    return P.copy(t, order="K")


@op(method=True, inplace=True, out=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of the tensor with src[i][j] added to out[index[i][j]][j] for dim 0, and so on."""
    at, index, source = _scatter_operands("scatter", input, dim, index, src)
    return scatter_in_order(input, index, source, at, "sum")


@op(method=True, inplace=True, out=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of the tensor in which the elements of src with one target are reduced into it.

    Args:
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether what is there takes part.

    Raises:
        RuntimeError: sizes or dtypes do not fit, or a position lies outside the dimension.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    at, index, source = _scatter_operands("scatter", input, dim, index, src)
    return scatter_in_order(input, index, source, at, reduce, include_self)


def _scatter_reduced(
    input: Tensor, index: Tensor, source: Tensor, dim: int, reduce: str, include_self: bool
) -> Tensor:
    if not include_self:
        start = P.full(
            shape=index._array.shape, value=_neutral(input, reduce), dtype=input._array.dtype
        )
        input = P.scatter(input, index, start, dim=dim)
    if reduce not in ("sum", "mean"):
        return P.scatter_reduce(input, index, source, dim=dim, reduce=reduce)
    total = P.scatter_add(input, index, source, dim=dim)
    if reduce == "sum":
        return total
    d = input._array.dtype
    ones = P.full(shape=index._array.shape, value=1, dtype=d)
    counts = P.full(shape=input._array.shape, value=int(include_self), dtype=d)
    counts = P.scatter_add(counts, index, ones, dim=dim)
    if not include_self:
        counts = P.where(P.eq(counts, 0), 1, counts)
    return P.floor_divide(total, counts) if d.kind in "iu" else P.div(total, counts)


def _neutral(t: Tensor, reduce: str) -> Any:
    """What does not change a reduction: 0, 1, or the dtype's end."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    d = dtype_of(t)
    if d.is_floating_point:
        return float("-inf") if reduce == "amax" else float("inf")
    if d is dtypes.bool_:
        return reduce == "amin"
    limits = np.iinfo(d.numpy)
    return limits.min if reduce == "amax" else limits.max


@op(method=True, inplace=True)
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of the tensor with `values` written (or added) at `input[indices]`.

    Args:
        indices: a tuple of index tensors or masks, one for each of the first dimensions.

    Raises:
        IndexError, RuntimeError: too many indices, or shapes or dtypes do not fit.

    >>> flambeau.zeros(2).index_put((flambeau.tensor([0, 0]),), flambeau.ones(2), accumulate=True)
    tensor([2., 0.])
    """
    pattern, found = _index_tuple("index_put", input, indices)
    if values._array.dtype != input._array.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{dtype_of(input).word} for the destination and {dtype_of(values).word} for the "
            "source."
        )
    if not found:
        return (
            P.add(input, values)
            if accumulate
            else copied(P.expand(values, shape=input._array.shape))
        )
    return put_at(input, pattern, found, values, accumulate)


def _index_tuple(
    name: str, input: Tensor, indices: Any
) -> tuple[tuple[bool, ...], Sequence[Tensor]]:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'indices' (position 1) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    gathers, dim = [], 0
    for index in indices:
        if index is None:
            dim += 1
            continue
        if index._array.dtype not in (np.int64, np.int32, np.bool_, np.uint8):
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        gathers.append((dim, index))
        dim += index._array.ndim if index._array.dtype in (np.bool_, np.uint8) else 1
    if dim > input._array.ndim:
        raise IndexError(
            f"too many indices for tensor of dimension {input._array.ndim} (got {dim})"
        )
    return gather_pattern(input._array.shape, gathers)


@op(method=True, out="separate")
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at positions of the flat tensor, in the index's shape."""
    if index._array.dtype != np.int64:
        raise RuntimeError(
            f"take(): Expected a long tensor for index, but got {dtype_of(index).word}"
        )
    count = input._array.size
    if index._array.size and not count:
        raise IndexError("take(): tried to take from an empty tensor")
    _check_flat(index, count)
    return P.index(shaping.ravel(input), index, pattern=(True,))


def _check_flat(index: Tensor, count: int) -> None:
    text = "out of range: tried to access index {index} on a tensor of {size} elements."
    check_positions(index, count, text, low=-count)


@op(method=True, inplace=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of the tensor with the elements of `source` at positions of the flat tensor."""
    if index._array.dtype != np.int64:
        raise RuntimeError(
            f"put_(): Expected a long tensor for index, but got {dtype_of(index).word}"
        )
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{dtype_of(input).word} and source.dtype = {dtype_of(source).word}"
        )
    if source._array.size != index._array.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source._array.size}, index.numel() = {index._array.size}"
        )
    _check_flat(index, input._array.size)
    flat = P.index_put(
        shaping.ravel(input), shaping.ravel(source), shaping.ravel(index), pattern=(True,),
        accumulate=accumulate,
    )  # fmt: skip
    return P.view(flat, shape=input._array.shape)


@op(method=True, out=True)
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with broadcasting, on the flat tensor when `dim` is None."""
    if indices._array.dtype != np.int64:
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got "
            f"{dtype_of(indices).word}"
        )
    if dim is None:
        input, indices, dim = shaping.ravel(input), shaping.ravel(indices), 0
    if input._array.ndim != indices._array.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of "
            f"dimensions, but got {input._array.ndim} dimensions for input, and "
            f"{indices._array.ndim} dimensions for indices"
        )
    at = wrap_dim(dim, input._array.ndim)
    size = input._array.shape[at]
    text = f"index {{index}} is out of bounds for dimension {at} with size {{size}}"
    check_positions(indices, size, text, low=-size, error=RuntimeError)
    indices = P.where(P.lt(indices, 0), P.add(indices, size), indices)
    joint = np.broadcast_shapes(
        _without(input._array.shape, at), _without(indices._array.shape, at)
    )
    whole = (*joint[:at], input._array.shape[at], *joint[at + 1 :])
    wanted = (*joint[:at], indices._array.shape[at], *joint[at + 1 :])
    return gather(P.expand(input, shape=whole), at, P.expand(indices, shape=wanted))


def _without(shape: tuple[int, ...], dim: int) -> tuple[int, ...]:
    return (*shape[:dim], 1, *shape[dim + 1 :])
