"""Losses that compare values: regression, distributions, distances."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..._engine.base import dtypes
from ..._engine.base.callers import warn_user
from ..._engine.base.shapes import broadcast
from ..checks import refuse
from ..creation import full
from ..declare import op
from ..promote import floating_input, to_common
from .distance import pairwise_distance
from .shared import check_floating, in_float32, legacy_reduction, no_kernel, reduced

__all__ = [
    "cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div",
    "l1_loss", "margin_ranking_loss", "mse_loss", "poisson_nll_loss", "smooth_l1_loss",
    "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


def _difference(name: str, input: Tensor, target: Tensor) -> Tensor:
    """input - target in their common dtype, with PyTorch's warning where shapes differ."""
    a, b = input._array, target._array
    if a.shape != b.shape:
        warn_user(
            f"Using a target size ({_size(target)}) that is different to the input size "
            f"({_size(input)}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
        )
    if a.dtype != b.dtype:
        input, target = to_common(name, input, target)
    return P.sub(input, target)


def _size(t: Tensor) -> str:
    return f"torch.Size({list(t._array.shape)})"


def _weighted(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """A loss weighted elementwise; its mean is over the sum of the weights.

    Raises:
        ValueError: the weights' shape differs.
    """
    if weight._array.shape != loss._array.shape:
        raise ValueError("Weights and input must have the same size.")
    loss = loss * weight
    if reduction != "mean":
        return reduced(loss, reduction)
    return reduced(loss, "sum") / reduced(weight, "sum")


@op(namespace="nn.functional")
@in_float32
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The squared difference (input - target)^2, averaged, summed, or as it is.

    Args:
        reduction: "mean", "sum" or "none"; size_average and reduce are its deprecated forms.
        weight: one weight an element; the mean is then a weighted one.

    >>> mse_loss(flambeau.zeros(2), flambeau.ones(2))
    tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    difference = _difference("mse_loss", input, target)
    if difference._array.dtype.kind in "iub":
        raise no_kernel("mse_cpu", difference)
    loss = P.square(difference)
    if weight is not None:
        return _weighted(loss, weight, reduction)
    return reduced(loss, reduction)


@op(namespace="nn.functional")
@in_float32
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|, averaged, summed, or as it is."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss = _difference("l1_loss", input, target).abs()
    if weight is not None:
        return _weighted(loss, weight, reduction)
    return loss.mean() if reduction == "mean" else reduced(loss, reduction)


@op(namespace="nn.functional")
@in_float32
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d^2 / (2 beta) where d = |input - target| < beta, else d - beta / 2.

    Raises:
        RuntimeError: beta is negative.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    d = P.abs(_difference("smooth_l1_loss", input, target))
    check_floating("smooth_l1_loss_out", d)
    if beta == 0:
        return reduced(d, reduction)
    near = P.mul(P.square(d), 0.5 / beta)
    return reduced(P.where(P.lt(d, float(beta)), near, P.sub(d, 0.5 * beta)), reduction)


@op(namespace="nn.functional")
@in_float32
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d^2 / 2 where d = |input - target| < delta, else delta * (d - delta / 2).

    Raises:
        RuntimeError: delta is not positive.
    """
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    d = P.abs(_difference("huber_loss", input, target))
    check_floating("huber_loss", d)
    far = P.mul(P.sub(d, 0.5 * delta), float(delta))
    loss = P.where(P.lt(d, float(delta)), P.mul(P.square(d), 0.5), far)
    if weight is not None:
        return _weighted(loss, weight, reduction)
    return reduced(loss, reduction)


def _t_log_t(t: Tensor) -> Tensor:
    """t * log(t), zero at zero."""
    return t * P.log(P.where(P.eq(t, 0), 1, t))


@op(namespace="nn.functional")
@in_float32
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target * (log(target) - input), where the input is log-probabilities.

    Args:
        reduction: also "batchmean", the sum over the batch's size: the divergence proper.
        log_target: the target is log-probabilities as well.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if reduction == "mean" and size_average is None and reduce is None:
        warn_user(
            "reduction: 'mean' divides the total loss by both the batch size and the support "
            "size.'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
            "major release.",
        )
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = _t_log_t(target) - target * input
    if reduction == "batchmean":
        total = reduced(loss, "sum")
        return total / input._array.shape[0] if input._array.ndim else total
    return reduced(loss, reduction)


@op(namespace="nn.functional")
@in_float32
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of Poisson counts, up to the constant log(target!).

    Args:
        log_input: the input is the logarithm of the rate; otherwise the rate itself.
        full: add Stirling's approximation of the constant where target > 1.
        eps: added to the rate inside its logarithm.

    Raises:
        ValueError: an unknown reduction.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not a valid value for reduction")
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        safe = P.where(P.le(target, 1), 1, target)
        stirling = safe * safe.log() - safe + 0.5 * (safe * (2 * math.pi)).log()
        loss = loss + P.where(P.le(target, 1), 0, stirling)
    return loss.mean() if reduction == "mean" else reduced(loss, reduction)


@op(namespace="nn.functional")
@in_float32
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log(var) + (input - target)^2 / var) / 2, with var no lower than eps.

    Args:
        var: the variances, one an element, or one a row ((..., 1) or without the last dim).
        full: add the constant log(2 pi) / 2.

    Raises:
        ValueError: var has another shape or negative entries, or an unknown reduction.
    """
    variance = _variances(input, var)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    # eps replaces small values, but their gradient still flows
    variance = P.where(P.lt(variance, eps), variance - variance.detach() + eps, variance)
    loss = 0.5 * (variance.log() + (input - target) ** 2 / variance)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return loss.mean() if reduction == "mean" else reduced(loss, reduction)


def _variances(input: Tensor, var: Tensor | float) -> Tensor:
    shape = input._array.shape
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        return full(shape, var, dtype=dtypes.from_numpy(input._array.dtype), device=input.device)
    refuse(P.lt(var, 0), lambda: ValueError("var has negative entry/entries"))
    given = var._array.shape
    if given == shape:
        return var
    if given == shape[:-1]:
        return var.unsqueeze(-1)
    # otherwise one variance for all along exactly one dimension
    differing = [n for n, m in zip(given, shape, strict=False) if n != m]
    if len(given) != len(shape) or differing != [1]:
        raise ValueError("var is of incorrect size")
    return var


def _at_least_zero(x: Tensor) -> Tensor:
    """max(x, 0); unlike relu's, the gradient flows at zero."""
    return P.where(P.lt(x, 0), 0, x)


@op(namespace="nn.functional")
@in_float32
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """input where target is 1, max(0, margin - input) where it is -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    apart = P.where(P.eq(target, 1), 0, _at_least_zero(margin - input))
    alike = P.where(P.eq(target, -1), 0, input)
    return reduced(apart + alike, reduction)


@op(namespace="nn.functional")
@in_float32
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target * (input1 - input2) + margin).

    Raises:
        RuntimeError: the tensors differ in their number of dimensions.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not input1._array.ndim == input2._array.ndim == target._array.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {_size(input1)}, input2: {_size(input2)}, target: {_size(target)} "
        )
    loss = _at_least_zero(-target * (input1 - input2) + margin)
    return loss.mean() if reduction == "mean" else reduced(loss, reduction)


@op(namespace="nn.functional")
@in_float32
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where target is 1, max(0, cos - margin) where it is -1, of paired rows.

    Args:
        input1, input2: (N, D), or (D) with a 0-dim target.

    Raises:
        RuntimeError: the shapes do not go together.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _check_cosine(input1, input2, target)
    input1, input2 = floating_input(input1), floating_input(input2)
    dim = target._array.ndim
    dot = (input1 * input2).sum(dim)
    squares1 = (input1 * input1).sum(dim) + 1e-12
    squares2 = (input2 * input2).sum(dim) + 1e-12
    cosine = dot / (squares1 * squares2).sqrt()
    alike = P.where(P.eq(target, 1), 1 - cosine, 0)
    apart = P.where(P.eq(target, -1), _at_least_zero(cosine - margin), 0)
    return reduced(alike + apart, reduction)


def _check_cosine(input1: Tensor, input2: Tensor, target: Tensor) -> None:
    ndim = target._array.ndim
    if ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1._array.ndim != ndim + 1 or input2._array.ndim != ndim + 1:
        expects = "1D target tensor expects 2D" if ndim else "0D target tensor expects 1D"
        raise RuntimeError(
            f"{expects} input tensors, but found inputs with sizes "
            f"{list(input1._array.shape)} and {list(input2._array.shape)}."
        )
    broadcast(input1._array.shape, input2._array.shape, op="cosine_embedding_loss")


@op(namespace="nn.functional")
@in_float32
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, |anchor - positive|_p - |anchor - negative|_p + margin).

    Args:
        swap: use the distance of positive and negative where it is the smaller one.

    Raises:
        RuntimeError: the tensors differ in their number of dimensions.
        ValueError: margin is not positive.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _triplet(
        anchor, positive, negative, lambda a, b: pairwise_distance(a, b, p, eps), margin, swap,
        reduction,
    )  # fmt: skip


@op(namespace="nn.functional")
@in_float32
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """triplet_margin_loss with a distance of one's own, pairwise_distance by default."""
    distance = pairwise_distance if distance_function is None else distance_function
    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[..., Any],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    ranks = [t._array.ndim for t in (anchor, positive, negative)]
    if len(set(ranks)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {ranks[0]}D, positive {ranks[1]}D, and negative "
            f"{ranks[2]}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = P.minimum(far, distance(positive, negative))
    return reduced(_at_least_zero(near - far + margin), reduction)
