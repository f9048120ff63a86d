"""Sliding blocks of an image, taken out and put back."""

from __future__ import annotations

from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn import functional as F
from flambeau.nn.modules._shown import ShowsFields

__all__ = ["Fold", "Unfold"]

Size = int | tuple[int, ...]


class Fold(ShowsFields):
    """Adds up blocks ``(N, C * prod(kernel_size), L)`` into images ``(N, C, *output_size)``.

    Args:
        output_size: height and width of the images.
        kernel_size, dilation, padding, stride: how the blocks lie.

    >>> nn.Fold(output_size=(4, 5), kernel_size=(2, 2))(torch.ones(1, 3 * 2 * 2, 12)).shape
    torch.Size([1, 3, 4, 5])
    """

    _shown = ("output_size", "kernel_size", "dilation", "padding", "stride")

    def __init__(
        self,
        output_size: Size,
        kernel_size: Size,
        dilation: Size = 1,
        padding: Size = 0,
        stride: Size = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )


class Unfold(ShowsFields):
    """Takes all sliding blocks out of images: ``(N, C, H, W)`` to ``(N, C * prod(kernel), L)``.

    >>> nn.Unfold(kernel_size=(2, 3))(torch.zeros(2, 5, 3, 4)).shape
    torch.Size([2, 30, 4])
    """

    _shown = ("kernel_size", "dilation", "padding", "stride")

    def __init__(
        self, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)
