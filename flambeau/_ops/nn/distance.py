"""Distances and similarities of vectors."""

from __future__ import annotations

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..._engine.base.shapes import broadcast, wrap_dim
from ..declare import op
from ..promote import as_dtype, common_dtype, computation_dtype, dtype_of, literal, to_common
from .shared import in_float32, is_floating, no_kernel

__all__ = ["cosine_similarity", "normalize", "pairwise_distance", "pdist"]


def vector_norm(x: Tensor, p: float, dim: int, keepdim: bool) -> Tensor:
    """(sum |x|^p)^(1/p) along a dimension, with gradient 0 at the zero vector.

    p = 0 counts nonzero elements; p = inf and -inf are the largest and smallest |x|.
    """
    size = x.abs()
    dims = (wrap_dim(dim, x._array.ndim),) if x._array.ndim else ()
    if p == 0:
        return P.sum(P.sign(size), dims=dims, keepdim=keepdim)
    if p in (np.inf, -np.inf):
        extreme = P.amax if p > 0 else P.amin
        return extreme(size, dims=dims, keepdim=keepdim)
    if p == 1:
        return P.sum(size, dims=dims, keepdim=keepdim)
    total = P.sum(_power(size, p), dims=dims, keepdim=keepdim)
    zero = P.eq(total, 0)
    # the root's slope at zero is infinite: take it elsewhere, and put zero back
    safe = P.where(zero, 1, total)
    root = P.sqrt(safe) if p == 2 else P.pow(safe, 1 / p)
    return P.where(zero, 0, root)


def _power(size: Tensor, p: float) -> Tensor:
    if p == 2:
        return P.square(size)
    if p > 1:
        return P.pow(size, float(p))
    # |x|^p has an infinite slope at zero for p < 1, where PyTorch's norm has slope 0
    zero = P.eq(size, 0)
    return P.where(zero, 0 if p > 0 else float("inf"), P.pow(P.where(zero, 1, size), float(p)))


@op(namespace="nn.functional")
@in_float32
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    d = common_dtype("pairwise_distance", x1, x2)
    a, b = to_common("pairwise_distance", x1, x2, to=d)
    difference = as_dtype(a - b, computation_dtype(d)) + eps
    return vector_norm(difference, p, -1, keepdim)


@op(namespace="nn.functional")
@in_float32
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) * max(|x2|, eps)) along `dim`.

    Raises:
        RuntimeError: no floating dtype.
    """
    d = common_dtype("cosine_similarity", x1, x2)
    if not (d.is_floating_point or d.is_complex):
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {d.word}"
        )
    a, b = to_common("cosine_similarity", x1, x2, to=d)
    shape = broadcast(a._array.shape, b._array.shape, op="cosine_similarity")
    a, b = a.expand(shape), b.expand(shape)
    dim = wrap_dim(dim, a._array.ndim)
    scaled = [x / _at_least(vector_norm(x, 2, dim, True), eps) for x in (a, b)]
    return (scaled[0] * scaled[1]).sum(dim)


def _at_least(x: Tensor, low: float) -> Tensor:
    """x, or `low` without a gradient where x is lower."""
    return P.where(P.lt(x, low), low, x)


@op(namespace="nn.functional", out=True, label="DivBackward0")
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(|input|_p, eps), with norms along `dim`.

    >>> normalize(flambeau.tensor([3.0, 4.0]), dim=0)
    tensor([0.6000, 0.8000])
    """
    if input._array.dtype.kind in "iub":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{dtype_of(input).word}"
        )
    return input / _at_least(vector_norm(input, p, dim, True), eps)


@op(namespace="nn.functional")
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norm distances of all pairs of rows (i, j > i) of a matrix.

    Raises:
        RuntimeError: no matrix, no floating dtype, or p is negative.
    """
    if input._array.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input._array.ndim}D")
    if not is_floating(input):
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    if input._array.dtype.itemsize == 2:
        raise no_kernel("pdist", input)
    first, second = np.triu_indices(input._array.shape[0], 1)
    rows = [
        P.index(input, literal(index.astype(np.int64), input), pattern=(True, False))
        for index in (first, second)
    ]
    return vector_norm(P.sub(*rows), p, 1, False)
