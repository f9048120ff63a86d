"""Normalization by batch, layer, instance, group, root mean square, and neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.inplace import write_
from ..._engine.autograd.mode import no_grad
from ..._engine.autograd.tensor import Tensor
from ..declare import op
from ..promote import dtype_of
from .shared import check_floating, in_float32

__all__ = [
    "batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm",
]  # fmt: skip


def _per_channel(t: Tensor, ndim: int) -> Tensor:
    """A vector, one number a channel, shaped to broadcast along dimension 1."""
    return t.reshape((-1,) + (1,) * (ndim - 2))


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def _channel_scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    ndim = x._array.ndim
    return _scaled(
        x,
        None if weight is None else _per_channel(weight, ndim),
        None if bias is None else _per_channel(bias, ndim),
    )


def _check_channels(channels: int, **vectors: Tensor | None) -> None:
    for name, t in vectors.items():
        if t is not None and t._array.size != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {t._array.size}")


def _check_parameter_dtype(name: str, input: Tensor, *parameters: Tensor | None) -> None:
    """Raises RuntimeError for parameters of another dtype (float32 with a half input is fine)."""
    for t in parameters:
        if t is not None and t._array.dtype != input._array.dtype:
            raise RuntimeError(
                f"{name}: mixed dtype (CPU): expect parameter to have scalar type of Float, got "
                f"input {dtype_of(input)} and parameter {dtype_of(t)}"
            )


def _update(running: Tensor | None, found: Tensor, momentum: float) -> None:
    """running = (1 - momentum) * running + momentum * found, in place."""
    if running is not None:
        found = found.detach().reshape(running._array.shape).to(running.dtype)
        write_(running, running * (1 - momentum) + found * momentum, op="batch_norm")


@op(namespace="nn.functional", label="NativeBatchNormBackward0")
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, a channel (dimension 1) at a time.

    Args:
        input: (N, C, *).
        running_mean, running_var: (C) statistics used in evaluation; training uses the batch's
            own and moves these towards them (the variance unbiased).
        weight, bias: (C).
        momentum: how far the running statistics move.

    Raises:
        ValueError: training with one value a channel, or with an eps that is not positive.
        RuntimeError: sizes do not fit, or evaluation without running statistics.
    """
    shape = input._array.shape
    if prod(shape) == 0:
        return _scaled(input.clone(), None, None)
    if len(shape) < 2:
        raise IndexError(
            "Dimension out of range (expected to be in range of [-1, 0], but got 1): batch_norm "
            f"needs an input (N, C, *), got shape {list(shape)}"
        )
    if training and prod(shape) == shape[1]:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size "
            f"torch.Size({list(shape)})"
        )
    _check_channels(
        shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    check_floating("batch_norm", input)
    if training and eps <= 0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if not training:
        if running_mean is None or running_var is None:
            which = "running_mean" if running_mean is None else "running_var"
            raise RuntimeError(f"{which} must be defined in evaluation mode")
        return _with_statistics(input, running_mean, running_var, weight, bias, eps)
    return _with_batch(input, running_mean, running_var, weight, bias, momentum, eps)


@in_float32
def _with_statistics(
    x: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    scale = P.rsqrt(var + eps)
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias
    return _channel_scaled(x, scale, shift)


def _with_batch(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    dims = tuple(d for d in range(input._array.ndim) if d != 1)
    count = prod(input._array.shape[d] for d in dims)

    @in_float32
    def normalize(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        _check_parameter_dtype("batch_norm", x, weight, bias)
        found, mean, var = P.standardize(x, dims=dims, eps=eps)
        with no_grad():
            _update(running_mean, mean, momentum)
            _update(running_var, var * (count / max(count - 1, 1)), momentum)
        return _channel_scaled(found, weight, bias)

    return normalize(input, weight, bias)


@op(namespace="nn.functional", label="NativeBatchNormBackward0")
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """batch_norm with statistics of each channel of each sample by itself.

    Raises:
        ValueError: one spatial element, with use_input_stats.
        RuntimeError: sizes do not fit, or neither statistics are there.
    """
    shape = input._array.shape
    if use_input_stats and prod(shape[2:]) == 1:
        raise ValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"torch.Size({list(shape)})"
        )
    if len(shape) < 2:
        raise IndexError(f"instance_norm: expected an input (N, C, *), got shape {list(shape)}")
    _check_channels(
        shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return _with_statistics(input, running_mean, running_var, weight, bias, eps)
    count = prod(shape[2:])

    @in_float32
    def normalize(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        found, mean, var = P.standardize(x, dims=tuple(range(2, len(shape))), eps=eps)
        with no_grad():
            _update(running_mean, mean.mean(0), momentum)
            _update(running_var, var.mean(0) * (count / max(count - 1, 1)), momentum)
        return _channel_scaled(found, weight, bias)

    return normalize(input, weight, bias)


def _check_normalized(
    name: str, input: Tensor, normalized_shape: Sequence[int], **vectors: Tensor | None
) -> tuple[int, ...]:
    """The trailing shape that is normalized over, checked against input and parameters."""
    if isinstance(normalized_shape, int):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int"
        )
    wanted = tuple(int(n) for n in normalized_shape)
    if not wanted:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least "
            "one element, but got normalized_shape = []"
        )
    for parameter, t in vectors.items():
        if t is not None and t._array.shape != wanted:
            raise RuntimeError(
                f"Expected {parameter} to be of same shape as normalized_shape, but got "
                f"{parameter} of shape {list(t._array.shape)} and normalized_shape = "
                f"{list(wanted)}"
            )
    shape = input._array.shape
    if len(shape) < len(wanted) or shape[len(shape) - len(wanted) :] != wanted:
        stars = ", ".join(["*", *map(str, wanted)])
        raise RuntimeError(
            f"Given normalized_shape={list(wanted)}, expected input with shape [{stars}], but got "
            f"input of size{list(shape)}"
        )
    return wanted


@op(namespace="nn.functional", label="NativeLayerNormBackward0")
@in_float32
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions.

    Args:
        normalized_shape: the sizes of the dimensions to normalize over.
        weight, bias: of that shape.

    Raises:
        RuntimeError: the shapes do not fit.
    """
    wanted = _check_normalized("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    check_floating("LayerNormKernelImpl", input)
    _check_parameter_dtype("layer_norm", input, weight, bias)
    ndim = input._array.ndim
    dims = tuple(range(ndim - len(wanted), ndim))
    return _scaled(P.standardize(input, dims=dims, eps=eps)[0], weight, bias)


@op(namespace="nn.functional", label="MulBackward0")
@in_float32
def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions.

    Args:
        eps: the dtype's own machine epsilon by default.
    """
    wanted = _check_normalized("rms_norm", input, normalized_shape, weight=weight)
    check_floating("rms_norm", input, complex_=True)
    if eps is None:
        eps = float(np.finfo(input._array.dtype).eps)
    ndim = input._array.ndim
    mean = P.square(input).mean(tuple(range(ndim - len(wanted), ndim)), keepdim=True)
    return _scaled(input * P.rsqrt(mean + eps), weight, None)


@op(namespace="nn.functional", label="NativeGroupNormBackward0")
@in_float32
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """layer_norm over groups of channels: (N, C, *) in `num_groups` groups; weight, bias (C).

    Raises:
        ValueError: one value a group.
        RuntimeError: the shapes do not fit.
    """
    shape = input._array.shape
    if len(shape) < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
        )
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    per_group = [shape[0] * shape[1] // num_groups, num_groups, *shape[2:]]
    if prod(per_group) == per_group[1] and per_group[0] == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {list(shape)}"
        )
    if shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input "
            f"of shape {list(shape)} and num_groups={num_groups}"
        )
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and t._array.shape != (shape[1],):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in "
                f"input, but got {name} of shape {list(t._array.shape)} and input of shape "
                f"{list(shape)}"
            )
    check_floating("GroupNormKernelImpl", input)
    size = prod(shape[1:]) // num_groups
    rows = input.reshape(shape[0], num_groups, size)
    found = P.standardize(rows, dims=(2,), eps=eps)[0].reshape(shape)
    return _channel_scaled(found, weight, bias)


@op(namespace="nn.functional", label="DivBackward0")
@in_float32
def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha * mean of x^2 over `size` neighbouring channels) ^ beta.

    Raises:
        ValueError: fewer than three dimensions.
    """
    shape = input._array.shape
    if len(shape) < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)"
        )
    if prod(shape) == 0:
        return input
    ndim = len(shape)
    squares = P.pad(
        P.permute(P.mul(input, input), dims=(0, *range(2, ndim), 1)),
        widths=((0, 0),) * (ndim - 1) + ((size // 2, (size - 1) // 2),),
        value=0,
    )
    total = P.window_sum(squares, kernel=(size,), stride=(1,))
    mean = P.div(total, size) if input._array.dtype.kind == "f" else P.floor_divide(total, size)
    mean = P.permute(mean, dims=(0, ndim - 1, *range(1, ndim - 1)))
    return input / (mean * alpha + k) ** beta
