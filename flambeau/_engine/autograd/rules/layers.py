"""Gradients of the steps of neural networks that are one instruction."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..table import gradient, joint_gradient
from .linalg import transposed
from .shared import P, conj, filled
from .views import reshaped

# the engine sums the bias's gradient over the rows
gradient(
    "linear",
    lambda g, weight: _linear_input(g, weight),
    lambda g, a: _linear_weight(g, a),
    lambda g: g,
    order=(2, 0, 1),
)
gradient(
    "embedding",
    lambda g, index, weight_shape, padding_idx, scale_grad_by_freq: _embedding(
        g, index, weight_shape, padding_idx, scale_grad_by_freq
    ),
    None,
)


def _linear_input(g: Any, weight: Any) -> Any:
    if g._array.ndim == 2:
        return P.matmul(g, conj(weight))
    return P.linear(g, transposed(weight), None)


def _linear_weight(g: Any, a: Any) -> Any:
    """Rows against rows: sum of g^T conj(a) over everything but the features."""
    rows, a_rows = (
        t if t._array.ndim == 2 else reshaped(t, (prod(t._array.shape[:-1]), t._array.shape[-1]))
        for t in (g, a)
    )
    return P.matmul(P.permute(rows, dims=(1, 0)), conj(a_rows))


def _embedding(g: Any, index: Any, shape: Any, padding_idx: int | None, by_freq: bool) -> Any:
    each = (*index._array.shape, 1)
    if padding_idx is not None:
        g = P.where(P.eq(reshaped(index, each), padding_idx), 0, g)
    if by_freq:
        g = g / reshaped(_occurrences(index, shape[0], g), each)
    return P.index_put(filled(g, shape, 0), g, index, pattern=(True, False), accumulate=True)


def _occurrences(index: Any, rows: int, like: Any) -> Any:
    """How often each index occurs among all of them, at each of its places."""
    flat = reshaped(P.convert(index, dtype=np.dtype(np.int64)), (index._array.size,))
    ones = filled(like, flat._array.shape, 1)
    counts = P.scatter_add(filled(like, (rows,), 0), flat, ones, dim=0)
    return P.gather(counts, flat, dim=0)


def _standardize(partial_gs: Any, outs: Any, dims: tuple[int, ...], eps: float) -> tuple:
    """From the gradients of the standardized values and, where used, of mean and variance."""
    g, g_mean, g_var = partial_gs
    found, _, var = outs
    count = prod(found._array.shape[d] for d in dims)
    scale = P.rsqrt(var + eps)
    total = None
    if g is not None:
        along = P.sum(g * found, dims=dims, keepdim=True) / count
        total = (g - P.sum(g, dims=dims, keepdim=True) / count - found * along) * scale
    if g_mean is not None:
        total = _plus(total, P.expand(g_mean / count, shape=found._array.shape))
    if g_var is not None:
        total = _plus(total, g_var * (found / scale) * (2 / count))
    return (total,)


def _plus(total: Any, term: Any) -> Any:
    return term if total is None else total + term


def _nll_loss(
    partial_gs: Any,
    a_shape: Any,
    target: Any,
    weight: Any,
    outs: Any,
    reduction: str,
    ignore_index: int,
) -> tuple:
    found = P.nll_loss_grad(
        partial_gs[0], target, weight, outs[1], shape=a_shape, reduction=reduction,
        ignore_index=ignore_index,
    )  # fmt: skip
    return (found, None, None)


joint_gradient("standardize", _standardize)
joint_gradient("nll_loss", _nll_loss)
gradient(
    "nll_loss_grad",
    lambda g, target, weight, reduction, ignore_index: P.nll_loss(
        g, target, weight, reduction=reduction, ignore_index=ignore_index
    )[0],
    None,
    None,
    None,
)
gradient(
    "binary_cross_entropy",
    lambda g, a, target: g * (a - target) / _at_least((1 - a) * a, 1e-12),
    lambda g, a: g * (_at_least(P.log1p(-a), -100.0) - _at_least(P.log(a), -100.0)),
)


def _at_least(x: Any, low: float) -> Any:
    return P.where(P.lt(x, low), low, x)
