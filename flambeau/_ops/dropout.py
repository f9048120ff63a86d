"""nn.functional's random functions: dropout in all its forms, rrelu, gumbel_softmax."""

from __future__ import annotations

from .._engine.autograd.tensor import Tensor
from .._engine.base.callers import warn_user
from ..random import state_of
from . import masks
from .declare import op
from .draws import draw
from .promote import dtype_of
from .sampling import check_continuous

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "gumbel_softmax",
    "rrelu",
    "rrelu_",
]

rrelu_ = masks.rrelu_


def _check_probability(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


@op(namespace="nn.functional", label="MulBackward0")
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero elements with probability p and scale the rest by 1 / (1 - p), while training.

    The mask is drawn as PyTorch draws it on CPUs without Intel's MKL generators: an element is
    kept where a uniform number of 53 bits lies below 1 - p.

    Raises:
        ValueError: p lies outside [0, 1].

    >>> flambeau.nn.functional.dropout(flambeau.ones(2), p=1.0)
    tensor([0., 0.])
    """
    _check_probability(p)
    return (masks.dropout_ if inplace else masks.dropout)(input, p, training)


@op(namespace="nn.functional", label="AddBackward0")
def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps the mean and variance of SELU's activations."""
    _check_probability(p)
    return (masks.alpha_dropout_ if inplace else masks.alpha_dropout)(input, p, training)


@op(namespace="nn.functional", label="AddBackward0")
def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels (dimension 1)."""
    _check_probability(p)
    function = masks.feature_alpha_dropout_ if inplace else masks.feature_alpha_dropout
    return function(input, p, training)


@op(namespace="nn.functional", label="MulBackward0")
def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, L) or (C, L).

    Raises:
        RuntimeError: other numbers of dimensions.
    """
    _check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial "
            "dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D "
            "inputs)."
        )
    return _channels(input, p, training, inplace, batched=input.ndim == 3)


@op(namespace="nn.functional", label="MulBackward0")
def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, H, W).

    Three dimensions are read as (N, C, L), with a warning, as PyTorch does; others warn too.
    """
    _check_probability(p)
    if input.ndim == 3:
        warn_user(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C is "
            "the channel dim; use dropout1d to say so.",
        )
    elif input.ndim != 4:
        _warn_dimensions("dropout2d", input.ndim, 2)
    return _channels(input, p, training, inplace, batched=True)


@op(namespace="nn.functional", label="MulBackward0")
def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W); other dimensions warn."""
    _check_probability(p)
    if input.ndim not in (4, 5):
        _warn_dimensions("dropout3d", input.ndim, 3)
    return _channels(input, p, training, inplace, batched=input.ndim == 5)


def _warn_dimensions(name: str, ndim: int, spatial: int) -> None:
    warn_user(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an "
        f"error in a future release. {name} drops channels of inputs with {spatial} spatial "
        "dimensions; to drop elements, use dropout.",
    )


def _channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    function = masks.feature_dropout_ if inplace else masks.feature_dropout
    if batched:
        return function(input, p, training)
    result = function(input.unsqueeze(0), p, training)
    return input if inplace else result.squeeze(0)


@op(namespace="nn.functional", label="RreluWithNoiseBackward0")
def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x where x > 0, else r x with r uniform in [lower, upper), or their mean when not training."""
    return (masks.rrelu_ if inplace else masks.rrelu)(input, lower, upper, training)


@op(namespace="nn.functional", label="SoftmaxBackward0")
def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """softmax((logits + g) / tau) with g = -log(-log u): differentiable categorical samples.

    Args:
        tau: temperature; the lower, the nearer to one-hot.
        hard: give one-hot samples, with the gradient of the soft ones.
        eps: unused, as in PyTorch.
    """
    check_continuous("Exponential", logits)
    waits = draw(
        "random_exponential", logits._array.shape, dtype_of(logits), logits._device,
        rate=1.0, generator=state_of(None),
    )  # fmt: skip
    soft = ((logits - waits.log()) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.argmax(dim, keepdim=True)
    one_hot = (soft.detach() * 0).scatter(dim, index, 1.0)
    return one_hot - soft.detach() + soft
