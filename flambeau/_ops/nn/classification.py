"""Losses of classifiers: cross entropy and its kin, and margins."""

from __future__ import annotations

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..checks import check_positions
from ..creation import zeros
from ..declare import op
from ..promote import as_dtype, dtype_of, to_common
from ..ranges import arange
from .activations import logsigmoid
from .shared import (
    INT64,
    check_floating,
    check_reduction,
    in_float32,
    is_floating,
    legacy_reduction,
    no_kernel,
    reduced,
)

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss",
    "soft_margin_loss",
]  # fmt: skip


@op(namespace="nn.functional")
@in_float32
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The negative log-likelihood of the target classes under softmax(input).

    Args:
        input: scores, (C), (N, C) or (N, C, d1, ...).
        target: class indices, the input's shape without C; or class probabilities, its shape.
        weight: (C), a weight for each class; the mean over indices is then a weighted one.
        ignore_index: targets with this index count nothing.
        label_smoothing: in [0, 1]: how much of the target is spread evenly over all classes.

    Raises:
        ValueError: batch sizes differ, or an unknown reduction.
        RuntimeError: shapes or dtypes do not fit.
        IndexError: a target that is no class.

    >>> cross_entropy(flambeau.zeros(1, 2), flambeau.tensor([0]))
    tensor(0.6931)
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    shape = input._array.shape
    if label_smoothing < 0.0 or label_smoothing > 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if not shape:
        raise ValueError("cross_entropy: Expected 1 or more dimensions (got 0)")
    check_floating("log_softmax_lastdim_kernel_impl", input)
    dim = 1 if len(shape) > 1 else 0
    if shape == target._array.shape:
        return _with_probabilities(
            input, target, weight, ignore_index, reduction, label_smoothing, dim
        )
    _check_classes("cross_entropy", input, target, weight, reduction)
    scores = P.log_softmax(input, dim=dim)
    loss, total = P.nll_loss(scores, target, weight, reduction=reduction, ignore_index=ignore_index)
    if label_smoothing == 0.0:
        return loss
    smooth = _smooth(scores, target, weight, ignore_index, dim)
    smooth = reduced(smooth, "sum") / total if reduction == "mean" else reduced(smooth, reduction)
    return loss * (1 - label_smoothing) + smooth * (label_smoothing / shape[dim])


def _smooth(
    scores: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, dim: int
) -> Tensor:
    """Minus the (weighted) sum of the scores over the classes; zero where ignored."""
    if weight is not None:
        scores = scores * _spread_classes(weight, scores, dim)
    total = P.neg(P.sum(scores, dims=(dim,), keepdim=False))
    return P.where(P.eq(target, ignore_index), 0, total)


def _spread_classes(weight: Tensor, like: Tensor, dim: int) -> Tensor:
    return weight.reshape([-1 if d == dim else 1 for d in range(like._array.ndim)])


def _with_probabilities(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    dim: int,
) -> Tensor:
    if not is_floating(target):
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, got "
            f"{dtype_of(target).word}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    _check_weight("cross_entropy", input, weight, dim)
    classes = input._array.shape[dim]
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    product = P.log_softmax(input, dim=dim) * target
    if weight is not None:
        product = product * _spread_classes(weight, input, dim)
    if reduction == "mean":
        samples = input._array.size // classes if classes else 0
        total = -reduced(product, "sum")
        return total * (1.0 / samples if samples else float("inf"))
    return reduced(P.neg(P.sum(product, dims=(dim,), keepdim=False)), reduction)


def _check_weight(name: str, input: Tensor, weight: Tensor | None, dim: int) -> None:
    classes = input._array.shape[dim]
    if weight is not None and weight._array.shape != (classes,):
        raise RuntimeError(
            f"{name}: weight tensor should be defined either for all {classes} classes or no "
            f"classes but got weight tensor of shape: {list(weight._array.shape)}"
        )


def _check_classes(
    name: str, input: Tensor, target: Tensor, weight: Tensor | None, reduction: str
) -> None:
    """Shapes, dtypes and reduction of a loss with class indices."""
    shape, wanted = input._array.shape, target._array.shape
    check_reduction(reduction)
    if target._array.dtype != INT64 and target._array.dtype.name != "uint8":
        raise RuntimeError(
            f"{name}: expected target dtype to be Long or Byte, but got {dtype_of(target).word}"
        )
    if len(shape) == 1:
        if wanted and wanted != (1,):
            raise ValueError(
                f"{name}: for a single sample of shape {list(shape)}, expected a target without "
                f"dimensions, got shape {list(wanted)}"
            )
    elif len(wanted) == 0 or shape[0] != wanted[0]:
        size = wanted[0] if wanted else 1
        raise ValueError(
            f"{name}: Expected input batch_size ({shape[0]}) to match target batch_size ({size})."
        )
    elif (shape[0], *shape[2:]) != wanted:
        raise RuntimeError(
            f"{name}: Expected target size {[shape[0], *shape[2:]]}, got {list(wanted)}"
        )
    if weight is not None:
        if weight._array.dtype != input._array.dtype:
            raise RuntimeError(
                f"{name}: expected scalar type {dtype_of(input).word} but found "
                f"{dtype_of(weight).word} for the weight"
            )
        _check_weight(name, input, weight, 1 if len(shape) > 1 else 0)


@op(namespace="nn.functional")
@in_float32
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-input[target class], where the input is log-probabilities: see cross_entropy.

    Raises:
        ValueError: batch sizes differ, or an unknown reduction.
        RuntimeError: shapes or dtypes do not fit.
        IndexError: a target that is no class.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if input._array.ndim == 0:
        raise ValueError("nll_loss: Expected 1 or more dimensions (got 0)")
    check_floating("nll_loss_out_frame", input)
    _check_classes("nll_loss", input, target, weight, reduction)
    return P.nll_loss(input, target, weight, reduction=reduction, ignore_index=ignore_index)[0]


@op(namespace="nn.functional")
@in_float32
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t log x + (1 - t) log(1 - x)) for probabilities x, with logarithms no lower than -100.

    Raises:
        ValueError: input and target differ in shape.
        RuntimeError: an input outside [0, 1].
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    a, b = input._array, target._array
    if a.shape != b.shape:
        raise ValueError(
            f"Using a target size (torch.Size({list(b.shape)})) that is different to the input "
            f"size (torch.Size({list(a.shape)})) is deprecated. Please ensure they have the same "
            "size."
        )
    check_floating("binary_cross_entropy", input)
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"binary_cross_entropy: Found dtype {dtype_of(target).word} but expected "
            f"{dtype_of(input).word}"
        )
    loss = P.binary_cross_entropy(input, target)
    if weight is not None:
        loss = loss * weight
    return reduced(loss, reduction)


@op(namespace="nn.functional")
@in_float32
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy of sigmoid(input), accurate for large |input|.

    Args:
        pos_weight: how much positive examples weigh; broadcasts with the target.

    Raises:
        ValueError: input and target differ in shape.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    a, b = input._array, target._array
    if a.shape != b.shape:
        raise ValueError(
            f"Target size (torch.Size({list(b.shape)})) must be the same as input size "
            f"(torch.Size({list(a.shape)}))"
        )
    if a.dtype != b.dtype:
        input, target = to_common("binary_cross_entropy_with_logits", input, target)
    log_likelihood = logsigmoid(input)
    if pos_weight is not None:
        log_likelihood = log_likelihood * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input - log_likelihood
    if weight is not None:
        loss = loss * weight
    return reduced(loss, reduction)


@op(namespace="nn.functional")
@in_float32
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input)), for targets 1 and -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return reduced(-logsigmoid(target * input), reduction)


@op(namespace="nn.functional")
@in_float32
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """binary_cross_entropy_with_logits, averaged over the classes (the last dimension)."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.mean(-1) if loss._array.ndim else loss, reduction)


def _as_rows(name: str, input: Tensor) -> tuple[Tensor, bool]:
    """The input as (N, C), and whether it came as a batch.

    Raises:
        RuntimeError: it is neither a vector nor a matrix of at least one class.
    """
    shape = input._array.shape
    if len(shape) > 2 or (len(shape) == 2 and shape[1] == 0) or shape == (0,):
        raise RuntimeError(
            f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but "
            f"got: {list(shape)}"
        )
    if input._array.dtype.kind != "f":
        raise no_kernel(name, input)
    return (input, True) if len(shape) == 2 else (input.reshape(1, input._array.size), False)


@op(namespace="nn.functional")
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over other classes i of max(0, margin - x[target] + x[i])^p.

    Args:
        input: (C) or (N, C) scores.
        target: class indices.
        p: 1 or 2.

    Raises:
        ValueError: another p.
        RuntimeError: shapes do not fit, or a target that is no class.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    rows, batched = _as_rows("multi_margin_loss", input)
    samples, classes = rows._array.shape
    if weight is not None and weight._array.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    if weight is not None and weight._array.shape != (classes,):
        raise RuntimeError(
            f"multi_margin_loss: inconsistent weight size, expected {classes} but got "
            f"{list(weight._array.shape)}"
        )
    if target._array.size != samples or target._array.ndim > 1:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of "
            f"input samples (batch size). Expected target size [{samples}], but got "
            f"{list(target._array.shape)}. Input has shape {list(input._array.shape)}."
        )
    check_positions(target, classes, "multi_margin_loss: target out of range", error=RuntimeError)
    column = as_dtype(target, dtype_of(target)).reshape(samples, 1)
    gaps = P.relu(margin - P.gather(rows, column, dim=1) + rows)
    if p == 2:
        gaps = P.square(gaps)
    if weight is not None:
        gaps = gaps * P.index(weight, column, pattern=(True,))
    others = P.ne(arange(classes, device=input.device), column)
    loss = P.where(others, gaps, 0).sum(1) / classes
    return reduced(loss if batched else loss.squeeze(0), reduction)


@op(namespace="nn.functional")
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum over targets j and other classes i of max(0, 1 - x[j] + x[i]), over C.

    Args:
        input: (C) or (N, C) scores.
        target: class indices in a tensor of the input's shape; -1 ends each row's list.

    Raises:
        RuntimeError: shapes do not fit.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    if target._array.shape != input._array.shape:
        raise RuntimeError(
            f"multilabel_margin_loss: inconsistent target size: {list(target._array.shape)} for "
            f"input of size: {list(input._array.shape)}"
        )
    rows, batched = _as_rows("multilabel_margin_loss", input)
    classes = rows._array.shape[1]
    index = target.reshape(rows._array.shape)
    text = "multilabel_margin_loss: target out of range"
    check_positions(index, classes, text, low=-1, error=RuntimeError)
    listed = P.cumprod(P.convert(P.ge(index, 0), dtype=INT64), dim=1)
    index = P.mul(index, listed)
    hits = P.scatter_add(
        zeros(rows._array.shape, dtype=dtype_of(listed), device=input.device), index, listed, dim=1
    )
    gaps = P.relu(1 - P.gather(rows, index, dim=1).unsqueeze(2) + rows.unsqueeze(1))
    counted = P.logical_and(P.gt(listed, 0).unsqueeze(2), P.eq(hits, 0).unsqueeze(1))
    loss = P.where(counted, gaps, 0).sum((1, 2)) / classes
    return reduced(loss if batched else loss.squeeze(0), reduction)
