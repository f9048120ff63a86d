"""Embedding tables and one-hot codes."""

from __future__ import annotations

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.inplace import write_
from ..._engine.autograd.mode import is_grad_enabled, no_grad
from ..._engine.autograd.tensor import Tensor
from ..._engine.base import dtypes
from ..._engine.base.callers import warn_user
from ..checks import check_positions, elements
from ..declare import op
from ..promote import literal
from ..ranges import arange
from .distance import vector_norm
from .shared import INT64, in_float32

__all__ = ["embedding", "embedding_bag", "one_hot"]


@op(namespace="nn.functional")
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Vectors with a 1 at each class index, in a new last dimension.

    Args:
        tensor: int64 indices.
        num_classes: -1 for one more than the largest index.

    Raises:
        RuntimeError: another dtype, negative indices, or indices beyond num_classes.

    >>> one_hot(flambeau.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    array = tensor._array
    if array.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if array.size == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
    else:
        if num_classes == -1:
            num_classes = max(1, int(tensor.max()) + 1)  # type: ignore[attr-defined]
        try:
            P.check_index(tensor, low=0, high=num_classes, ignored=None)
        except IndexError:
            wrong = "non-negative" if array.min() < 0 else "smaller than num_classes"
            raise RuntimeError(f"Class values must be {wrong}.") from None
    hits = P.eq(tensor.unsqueeze(-1), arange(num_classes, device=tensor.device))
    return P.convert(hits, dtype=INT64)


def _check_indices(name: str, t: Tensor) -> None:
    if t._array.dtype not in (np.dtype(np.int64), np.dtype(np.int32)):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {t.type()} instead (while checking arguments for {name})"
        )


def _renormalize(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows that are looked up down to max_norm, in place."""
    with no_grad():
        used = indices.reshape(-1).to(dtypes.int64)
        rows = P.index(weight, used, pattern=(True, False))
        norms = vector_norm(rows, norm_type, 1, True)
        scale = P.where(P.gt(norms, max_norm), max_norm / (norms + 1e-7), 1)
        scaled = P.mul(rows, scale)
        write_(
            weight,
            P.index_put(weight, scaled, used, pattern=(True, False), accumulate=False),
            op="embedding_renorm_",
        )


def _padding_row(padding_idx: int | None, rows: int, name: str) -> int | None:
    """A padding index made non-negative. Raises AssertionError beyond the table."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise AssertionError(
            f"{name}: Padding_idx must be within num_embeddings, got {padding_idx} of {rows}"
        )
    return padding_idx % rows


def _check_table(weight: Tensor, sparse: bool) -> None:
    if weight._array.ndim != 2:
        raise RuntimeError(
            f"'weight' must be 2-D, got a weight of shape {list(weight._array.shape)}"
        )
    if sparse and weight._requires_grad and is_grad_enabled():
        raise NotImplementedError(
            "sparse gradients are not available in flambeau: pass sparse=False"
        )


@op(namespace="nn.functional")
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` at the indices `input`.

    Args:
        padding_idx: a row that gets no gradient.
        max_norm: rows looked up are first scaled down to this norm, in place.
        scale_grad_by_freq: divide each row's gradient by how often it was looked up.
        sparse: no difference to the result; sparse gradients are not available.

    Raises:
        IndexError: an index beyond the table.
        RuntimeError: indices that are no integers.
        NotImplementedError: sparse=True where a gradient is wanted.
    """
    _check_table(weight, sparse)
    padding = _padding_row(padding_idx, weight._array.shape[0], "embedding")
    _check_indices("embedding", input)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    return P.embedding(
        weight, input, padding_idx=padding, scale_grad_by_freq=bool(scale_grad_by_freq)
    )


@op(namespace="nn.functional")
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of bags of embeddings.

    Args:
        input: (B, n), bags of equal length; or (n) with `offsets`, where each bag begins.
        mode: "sum", "mean" or "max".
        per_sample_weights: factors of the embeddings, mode "sum" only.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: entries that do not count.

    Raises:
        ValueError, RuntimeError: shapes or options do not fit.
        NotImplementedError: sparse=True where a gradient is wanted, or weights with another mode.
    """
    if weight._array.dtype == np.int64 and input._array.dtype.kind in "fV":
        warn_user(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
        )
        input, weight = weight, input
    _check_table(weight, sparse)
    weights = per_sample_weights
    if weights is not None and weights._array.shape != input._array.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({list(weights._array.shape)}) is not None, "
            f"then it must have the same shape as the input ({list(input._array.shape)})"
        )
    bounds = _bag_bounds(input, offsets, include_last_offset)
    _check_mode(mode, weights, scale_grad_by_freq)
    flat = input.reshape(input._array.size)
    if weights is not None:
        weights = weights.reshape(flat._array.size)
    padding = _padding_row(padding_idx, weight._array.shape[0], "embedding_bag")
    text = "embedding_bag: an index of input is not in the valid range [0, {size})"
    check_positions(flat, weight._array.shape[0], text, error=RuntimeError)
    if max_norm is not None:
        _renormalize(weight, flat, max_norm, norm_type)
    rows = P.embedding(
        weight, flat, padding_idx=padding, scale_grad_by_freq=bool(scale_grad_by_freq)
    )
    bags = _bag_of_each(bounds, flat._array.size)
    if padding is not None:
        counted = np.flatnonzero(elements(flat) != padding)
        kept, bags = literal(counted, rows), bags[counted]
        rows = P.index(rows, kept, pattern=(True, False))
        weights = None if weights is None else P.index(weights, kept, pattern=(True,))
    return _reduce_bags(rows, weights, bags, len(bounds) - 1, mode)


def _bag_bounds(input: Tensor, offsets: Tensor | None, include_last: bool) -> np.ndarray:
    """Where the bags begin, and the end of the last one."""
    array = input._array
    if array.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        return np.arange(array.shape[0] + 1) * array.shape[1]
    if array.ndim != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {array.ndim}"
        )
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets._array.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    given = elements(offsets)
    if given.size and given[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {given[0]}"
        )
    if given.size and given[-1] > array.size:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {array.size} but got offsets[-1] "
            f"of {given[-1]}"
        )
    if include_last:
        if not given.size:
            raise RuntimeError("include_last_offset: number of offsets should be at least 1")
        return given.astype(np.int64)
    return np.append(given, array.size).astype(np.int64)


def _check_mode(mode: str, weights: Tensor | None, scale_grad_by_freq: bool) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}')."
        )


def _bag_of_each(bounds: np.ndarray, count: int) -> np.ndarray:
    """The bag that each entry belongs to."""
    bags = np.searchsorted(bounds, np.arange(count), side="right") - 1
    return np.minimum(bags, len(bounds) - 2)


@in_float32
def _reduce_bags(
    rows: Tensor, weights: Tensor | None, bags: np.ndarray, count: int, mode: str
) -> Tensor:
    if weights is not None:
        rows = rows * weights.unsqueeze(1)
    features = rows._array.shape[1]
    zeros = P.full(shape=(count, features), value=0, dtype=rows._array.dtype)
    if mode != "max":
        where = literal(bags, rows)
        total = P.index_put(zeros, rows, where, pattern=(True, False), accumulate=True)
        if mode == "sum":
            return total
        sizes = np.maximum(np.bincount(bags, minlength=count), 1)
        return total / literal(sizes.astype(rows._array.dtype)[:, None], rows)
    return _largest_of_bags(rows, bags, count)


def _largest_of_bags(rows: Tensor, bags: np.ndarray, count: int) -> Tensor:
    """Bags laid out side by side, short ones filled up with -inf; empty ones give 0."""
    sizes = np.bincount(bags, minlength=count)
    longest = int(sizes.max(initial=0))
    if longest == 0:
        return P.full(shape=(count, rows._array.shape[1]), value=0, dtype=rows._array.dtype)
    order = np.argsort(bags, kind="stable")
    starts = np.cumsum(sizes) - sizes
    slots = np.arange(longest)
    inside = slots < sizes[:, None]
    table = order[np.where(inside, starts[:, None] + slots, 0)]
    found = P.index(rows, literal(table, rows), pattern=(True, False))
    masked = P.where(literal(inside[:, :, None], rows), found, -np.inf)
    winner = P.argmax(masked.detach(), dim=1, keepdim=True)
    best = P.gather(masked, winner, dim=1).squeeze(1)
    return P.where(literal((sizes == 0)[:, None], rows), 0, best)
