"""NumPy rules for the steps of neural networks that are one instruction."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import rule


@rule("linear")
@in_float32
def _linear(a, weight, bias):
    if a.ndim == 2:
        out = np.matmul(a, weight.T)
    else:
        rows = a.reshape(-1, a.shape[-1]) if a.size else a.reshape(a.size, a.shape[-1])
        out = np.matmul(rows, weight.T).reshape(*a.shape[:-1], weight.shape[0])
    return out if bias is None else np.add(out, bias, out=out)


def outside(index: np.ndarray, size: int) -> bool:
    """Whether an index is negative or too large: read as unsigned, negative ones are huge."""
    unsigned = index if index.dtype.kind == "u" else index.view(f"u{index.itemsize}")
    return bool(index.size) and int(unsigned.max()) >= size


@rule("embedding")
def _embedding(weight, index, *, padding_idx, scale_grad_by_freq):
    if outside(index, weight.shape[0]):
        raise IndexError(
            f"index out of range in self: embedding indices span {index.min()} to "
            f"{index.max()}, the table has {weight.shape[0]} rows"
        )
    return weight[index]


@rule("standardize")
@in_float32
def _standardize(a, *, dims, eps):
    count = 1
    for d in dims:
        count *= a.shape[d]
    mean = np.add.reduce(a, axis=dims, keepdims=True) / a.dtype.type(count)
    centred = a - mean
    var = np.add.reduce(np.square(centred), axis=dims, keepdims=True) / a.dtype.type(count)
    centred /= np.sqrt(var + a.dtype.type(eps))
    return centred, mean, var


def _picked(a_shape, target, ignore_index, d):
    """The index of each target's entry, and 1 or 0 whether it counts (None: all do).

    Raises:
        IndexError: a target that is no class.
    """
    classes = a_shape[1 if len(a_shape) > 1 else 0]
    counts = None
    if outside(target, classes) or 0 <= ignore_index < classes:
        counted = target != ignore_index
        target = np.where(counted, target, 0)
        counts = counted.astype(d)
        if outside(target, classes):
            wrong = target[(target < 0) | (target >= classes)].flat[0]
            raise IndexError(f"Target {wrong} is out of bounds for {classes} classes.")
    if len(a_shape) == 1:
        return (target,), target, counts
    if len(a_shape) == 2:
        return (np.arange(a_shape[0]), target), target, counts
    grids = np.ogrid[tuple(slice(n) for n in target.shape)]
    return (grids[0], target, *grids[1:]), target, counts


def _class_weights(target, weight, counts):
    if weight is None:
        return counts
    return weight[target] if counts is None else weight[target] * counts


@rule("nll_loss")
@in_float32
def _nll_loss(a, target, weight, *, reduction, ignore_index):
    where, target, counts = _picked(a.shape, target, ignore_index, a.dtype)
    weights = _class_weights(target, weight, counts)
    loss = -a[where]
    if weights is not None:
        loss = loss * weights
    if counts is not None:
        loss = np.where(counts == 0, 0, loss)  # an ignored entry may be infinite
    total = a.dtype.type(target.size) if weights is None else weights.sum(dtype=a.dtype)
    if reduction != "none":
        loss = loss.sum(dtype=a.dtype)
    if reduction == "mean":
        loss = loss / total
    return np.asarray(loss, a.dtype), np.asarray(total, a.dtype)


@rule("nll_loss_grad")
@in_float32
def _nll_loss_grad(g, target, weight, total, *, shape, reduction, ignore_index):
    where, target, counts = _picked(shape, target, ignore_index, g.dtype)
    weights = _class_weights(target, weight, counts)
    each = -g / total if reduction == "mean" else -g
    out = np.zeros(shape, g.dtype)
    if weights is not None:
        each = each * weights
    out[where] = each if counts is None else np.where(counts == 0, 0, each)  # 0 / 0 if all are
    return out


@rule("binary_cross_entropy")
def _binary_cross_entropy(a, target):
    if a.size and not (a.min() >= 0 and a.max() <= 1):
        raise RuntimeError(
            "binary_cross_entropy: all elements of input should be between 0 and 1; apply "
            "sigmoid, or use binary_cross_entropy_with_logits"
        )
    floor = a.dtype.type(-100)
    return (target - 1) * np.maximum(np.log1p(-a), floor) - target * np.maximum(np.log(a), floor)
