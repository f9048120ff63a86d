"""Cross entropy of a linear map's scores."""

from __future__ import annotations

from ..._engine.autograd.tensor import Tensor
from ..declare import op
from .classification import cross_entropy
from .linear import linear
from .shared import is_floating

__all__ = ["linear_cross_entropy"]


def _checked_shape(input: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[int, ...]:
    """The shape (C, *out) of one sample's scores.

    Raises:
        RuntimeError: the shapes do not fit.
    """
    given, wanted = input._array.shape, weight._array.shape
    if len(given) not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {len(given)}")
    if len(wanted) < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {len(wanted)}"
        )
    if given[-1] != wanted[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{given[-1]} and {wanted[-1]}, respectively"
        )
    if len(wanted) > 2 and len(given) == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {wanted} requires batched input, "
            f"(N, {given[-1]}), got input shape {given}"
        )
    if bias is not None and bias._array.shape != wanted[:-1]:
        raise RuntimeError(f"expected linear_bias shape {wanted[:-1]}, got {bias._array.shape}")
    return wanted[:-1]


@op(namespace="nn.functional")
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: object = None,
) -> Tensor:
    """cross_entropy of linear(input, linear_weight, linear_bias).

    Args:
        linear_weight: (C, in), or (C, *out, in) for a loss with further dimensions.
        options: how to cut the scores into chunks; accepted, without effect.

    Raises:
        RuntimeError, ValueError: shapes or options do not fit.
    """
    shape = _checked_shape(input, linear_weight, linear_bias)
    if ignore_index is not None and is_floating(target):
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    flat = linear_weight.reshape(-1, linear_weight._array.shape[-1])
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    scores = linear(input, flat, bias)
    if len(shape) > 1:
        scores = scores.reshape(*input._array.shape[:-1], *shape)
    return cross_entropy(
        scores,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
