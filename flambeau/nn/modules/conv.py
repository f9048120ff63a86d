"""Convolutions and transposed convolutions in one, two and three dimensions."""

from __future__ import annotations

import math
from typing import Any

from flambeau._engine.autograd.mode import no_grad
from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.creation import empty
from flambeau.nn import functional as F, init
from flambeau.nn.modules.lazy import LazyModuleMixin
from flambeau.nn.modules.module import Module
from flambeau.nn.modules.utils import _ntuple, _reverse_repeat_tuple
from flambeau.nn.parameter import Parameter, UninitializedParameter

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]

Size = int | tuple[int, ...]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONVOLVE_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def _check(
    in_channels: int, out_channels: int, groups: int, padding: Any, stride: tuple, mode: str
) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups != 0:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups != 0:
        raise ValueError("out_channels must be divisible by groups")
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(
                f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}"
            )
        if padding == "same" and any(step != 1 for step in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    if mode not in _PADDING_MODES:
        raise ValueError(
            f"padding_mode must be one of {set(_PADDING_MODES)}, but got padding_mode='{mode}'"
        )


class _ConvNd(Module):
    """What all convolutions share; ``dims`` says over how many dimensions they slide."""

    dims: int
    transposed = False
    weight: Any
    bias: Any

    def _set_up(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: str | Size,
        dilation: Size,
        output_padding: Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        Module.__init__(self)
        spread = _ntuple(self.dims, "spread")
        stride = spread(stride)
        _check(in_channels, out_channels, groups, padding, stride, padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = spread(kernel_size)
        self.stride = stride
        self.padding = padding if isinstance(padding, str) else spread(padding)
        self.dilation = spread(dilation)
        self.transposed = type(self).transposed
        self.output_padding = spread(output_padding)
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._padding_for_pad()
        self._make_parameters(bias, device, dtype)

    def _padding_for_pad(self) -> list[int]:
        """The padding as ``F.pad`` takes it: last dimension first, both sides."""
        if not isinstance(self.padding, str):
            return list(_reverse_repeat_tuple(self.padding, 2))
        sides = []
        for dilation, kernel in zip(reversed(self.dilation), reversed(self.kernel_size)):
            total = dilation * (kernel - 1) if self.padding == "same" else 0
            sides += [total // 2, total - total // 2]
        return sides

    def _weight_shape(self) -> tuple[int, ...]:
        channels = (self.out_channels, self.in_channels // self.groups)
        if self.transposed:
            channels = (self.in_channels, self.out_channels // self.groups)
        return (*channels, *self.kernel_size)

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = Parameter(empty(self._weight_shape(), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(self.out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform in ``[-k, k]``, ``k = 1 / sqrt(fan_in)``."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        zeros, ones = (0,) * self.dims, (1,) * self.dims
        for name, usual in (
            ("padding", zeros),
            ("dilation", ones),
            ("output_padding", zeros),
            ("groups", 1),
        ):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _ForwardConv(_ConvNd):
    """Cross-correlation: ``out[n, o] = bias[o] + sum_i weight[o, i] * input[n, i]``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: str | Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._set_up(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * self.dims
        return _CONVOLVE[self.dims](
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_ForwardConv):
    """Convolution over sequences ``(N, C, L)``: see `Conv2d`.

    >>> nn.Conv1d(16, 33, 3, stride=2)(torch.zeros(20, 16, 50)).shape
    torch.Size([20, 33, 24])
    """

    dims = 1


class Conv2d(_ForwardConv):
    """Convolution over images ``(N, C, H, W)`` or ``(C, H, W)``.

    ``out[n, o] = bias[o] + sum_i weight[o, i] * input[n, i]`` with ``*`` the cross-correlation.

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size, stride, padding, dilation: one number, or one for each dimension;
            ``padding`` may be "valid" or "same".
        groups: the channels are cut into so many groups that do not see each other.
        bias: whether to add a learnt number to each output channel.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        device, dtype: of the parameters.

    Raises:
        ValueError: when ``groups`` does not divide the channels, or for an unknown padding.

    >>> nn.Conv2d(16, 33, (3, 5), stride=2)(torch.zeros(20, 16, 50, 100)).shape
    torch.Size([20, 33, 24, 48])
    """

    dims = 2


class Conv3d(_ForwardConv):
    """Convolution over volumes ``(N, C, D, H, W)``: see `Conv2d`.

    >>> nn.Conv3d(2, 3, 3)(torch.zeros(1, 2, 5, 6, 7)).shape
    torch.Size([1, 3, 3, 4, 5])
    """

    dims = 3


class _ConvTransposeNd(_ConvNd):
    """The gradient of a convolution with respect to its input, as a layer."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        self._set_up(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding,
            groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        output_padding = self.output_padding
        if output_size is not None:
            output_padding = self._output_padding(input, list(output_size))
        return _CONVOLVE_TRANSPOSED[self.dims](
            input, self.weight, self.bias, self.stride, self.padding, output_padding,
            self.groups, self.dilation,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: list[int]) -> tuple[int, ...]:
        """What must be added at the end of each dimension to reach ``output_size``."""
        dims = self.dims
        leading = input.dim() - dims
        if len(output_size) == leading + dims:
            output_size = output_size[leading:]
        if len(output_size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must have {dims} "
                f"or {leading + dims} elements (got {len(output_size)})"
            )
        smallest = [
            (length - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
            for length, stride, padding, dilation, kernel in zip(
                input.shape[leading:], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        ]  # fmt: skip
        largest = [low + step - 1 for low, step in zip(smallest, self.stride, strict=True)]
        for size, low, high in zip(output_size, smallest, largest, strict=True):
            if not low <= size <= high:
                raise ValueError(
                    f"requested an output size of {output_size}, but valid sizes range from "
                    f"{smallest} to {largest} (for an input of {list(input.shape[leading:])})"
                )
        return tuple(size - low for size, low in zip(output_size, smallest, strict=True))


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution over sequences: see `ConvTranspose2d`."""

    dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution over images: what a `Conv2d` of the same settings does backward.

    Output size: ``(in - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1``.

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size, stride, padding, dilation: one number, or one for each dimension.
        output_padding: rows added at the far side, to choose among the sizes that a strided
            convolution maps to one; ``forward(input, output_size=...)`` computes it.
        groups: the channels are cut into so many groups that do not see each other.
        bias: whether to add a learnt number to each output channel.
        device, dtype: of the parameters.

    >>> nn.ConvTranspose2d(16, 33, 3, stride=2)(torch.zeros(20, 16, 5, 10)).shape
    torch.Size([20, 33, 11, 21])
    """

    dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution over volumes: see `ConvTranspose2d`."""

    dims = 3


class _LazyConvXdMixin(LazyModuleMixin):
    """A convolution that learns ``in_channels`` from its first input."""

    weight: Any
    bias: Any

    def __init__(self, out_channels: int, kernel_size: Size, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, 0, kernel_size, *args, **kwargs)
        self.out_channels = out_channels

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)
        else:
            self.register_parameter("bias", None)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._get_in_channels(input)
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        with no_grad():
            self.weight.materialize(self._weight_shape())
            if self.bias is not None:
                self.bias.materialize((self.out_channels,))
            self.reset_parameters()

    def _get_in_channels(self, input: Tensor) -> int:
        unbatched, batched = self.dims + 1, self.dims + 2
        if input.dim() not in (unbatched, batched):
            raise RuntimeError(
                f"Expected {unbatched}D (unbatched) or {batched}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        return input.shape[-self.dims - 1]


class LazyConv1d(_LazyConvXdMixin, Conv1d):
    """A `Conv1d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvXdMixin, Conv2d):
    """A `Conv2d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvXdMixin, Conv3d):
    """A `Conv3d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvXdMixin, ConvTranspose1d):
    """A `ConvTranspose1d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvXdMixin, ConvTranspose2d):
    """A `ConvTranspose2d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvXdMixin, ConvTranspose3d):
    """A `ConvTranspose3d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose3d
