"""PyTorch's top-level forms of functions whose arguments differ from nn.functional's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..creation import zeros
from ..declare import op
from . import classification, convolution as conv, ctc, losses, normalization, vision
from .embedding import embedding as _embedding
from .shared import in_float32

__all__ = [
    "affine_grid_generator", "batch_norm", "binary_cross_entropy_with_logits", "convolution",
    "cosine_embedding_loss", "ctc_loss", "embedding", "grid_sampler", "grid_sampler_2d",
    "grid_sampler_3d", "group_norm", "hinge_embedding_loss", "instance_norm", "kl_div",
    "layer_norm", "margin_ranking_loss", "native_batch_norm", "native_group_norm",
    "native_layer_norm", "poisson_nll_loss", "triplet_margin_loss",
]  # fmt: skip

_REDUCTIONS = ("none", "mean", "sum")


@op()
def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """nn.functional.batch_norm with its arguments in another order."""
    return normalization.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )


@op()
def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """nn.functional.instance_norm with its arguments in another order."""
    return normalization.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


@op()
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """nn.functional.layer_norm; `cudnn_enable` has no effect."""
    return normalization.layer_norm(input, normalized_shape, weight, bias, eps)


@op()
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """nn.functional.group_norm; `cudnn_enabled` has no effect."""
    return normalization.group_norm(input, num_groups, weight, bias, eps)


@in_float32
def _statistics(x: Tensor, dims: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    """Mean and 1 / sqrt(var + eps) over `dims`, which are kept."""
    _, mean, var = P.standardize(x, dims=dims, eps=eps)
    return mean, P.rsqrt(var + eps)


@op()
def native_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """layer_norm, the means, and the reciprocal standard deviations."""
    out = normalization.layer_norm(input, normalized_shape, weight, bias, eps)
    ndim = input._array.ndim
    dims = tuple(range(ndim - len(tuple(normalized_shape)), ndim))
    return (out, *_statistics(input.detach(), dims, eps))


@op()
def native_group_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """group_norm, the means, and the reciprocal standard deviations."""
    out = normalization.group_norm(input, group, weight, bias, eps)
    mean, scale = _statistics(input.reshape(N, group, C // max(group, 1) * HxW), (2,), eps)
    return out, mean.squeeze(2), scale.squeeze(2)


@op(out=True)
def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """batch_norm, and in training the batch's means and reciprocal standard deviations."""
    out = normalization.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )
    if not training:
        return out, zeros(0, dtype=input.dtype), zeros(0, dtype=input.dtype)
    dims = tuple(d for d in range(input._array.ndim) if d != 1)
    mean, scale = _statistics(input.detach(), dims, eps)
    return out, mean.reshape(-1), scale.reshape(-1)


@op()
def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """nn.functional.embedding with the table first; a padding_idx of -1 is none."""
    padding = padding_idx if padding_idx >= 0 else None
    return _embedding(indices, weight, padding, None, 2.0, scale_grad_by_freq, sparse)


@op()
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """A convolution or a transposed one, of as many dimensions as the weight has."""
    rank = weight._array.ndim - 2
    if rank not in (1, 2, 3):
        raise RuntimeError(f"convolution: weight should have 3 to 5 dimensions, got {rank + 2}")
    if transposed:
        call = (conv.conv_transpose1d, conv.conv_transpose2d, conv.conv_transpose3d)[rank - 1]
        return call(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return (conv.conv1d, conv.conv2d, conv.conv3d)[rank - 1](
        input, weight, bias, stride, padding, dilation, groups
    )


def _grid_sampler(name: str) -> Callable[..., Tensor]:
    def function(
        input: Tensor,
        grid: Tensor,
        interpolation_mode: int,
        padding_mode: int,
        align_corners: bool,
    ) -> Tensor:
        return vision.grid_sample(
            input,
            grid,
            ("bilinear", "nearest", "bicubic")[interpolation_mode],
            ("zeros", "border", "reflection")[padding_mode],
            align_corners,
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "nn.functional.grid_sample with its modes as numbers."
    return op()(function)


grid_sampler, grid_sampler_2d, grid_sampler_3d = map(
    _grid_sampler, ("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
)


@op()
def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """nn.functional.affine_grid."""
    return vision.affine_grid(theta, size, align_corners)


def _numbered(function: Callable[..., Tensor], *positional: str) -> Callable[..., Tensor]:
    """A loss whose reduction is a number (0 none, 1 mean, 2 sum) and whose arguments are few."""

    def call(*args: Any, **kwargs: Any) -> Tensor:
        named = dict(zip(positional, args, strict=False)) | kwargs
        named["reduction"] = _REDUCTIONS[named.get("reduction", 1)]
        return function(**named)

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = f"nn.functional.{function.__name__} with its reduction as a number."
    return call


_PAIR = ("input1", "input2", "target", "margin", "reduction")
cosine_embedding_loss = _numbered(losses.cosine_embedding_loss, *_PAIR)
margin_ranking_loss = _numbered(losses.margin_ranking_loss, *_PAIR)
hinge_embedding_loss = _numbered(
    losses.hinge_embedding_loss, "input", "target", "margin", "reduction"
)
kl_div = _numbered(losses.kl_div, "input", "target", "reduction")
poisson_nll_loss = _numbered(
    losses.poisson_nll_loss, "input", "target", "log_input", "full", "eps", "reduction"
)
triplet_margin_loss = _numbered(
    losses.triplet_margin_loss,
    "anchor", "positive", "negative", "margin", "p", "eps", "swap", "reduction",
)  # fmt: skip
binary_cross_entropy_with_logits = _numbered(
    classification.binary_cross_entropy_with_logits,
    "input", "target", "weight", "pos_weight", "reduction",
)  # fmt: skip
ctc_loss = _numbered(
    ctc.ctc_loss,
    "log_probs", "targets", "input_lengths", "target_lengths", "blank", "reduction",
    "zero_infinity",
)  # fmt: skip
