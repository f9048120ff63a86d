"""Pooling: one number out of each window."""

from __future__ import annotations

from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn import functional as F
from flambeau.nn.modules._shown import ShowsFields
from flambeau.nn.modules.module import Module
from flambeau.nn.modules.utils import _ntuple, _single

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]

Size = int | tuple[int, ...]


def _function(name: str, dims: int) -> Any:
    return getattr(F, f"{name}{dims}d")


class _MaxPoolNd(ShowsFields):
    """The largest number of each window; ``dims`` says how many dimensions a window has."""

    dims: int
    _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return _function("max_pool", self.dims)(
            input, self.kernel_size, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=self.return_indices,
        )  # fmt: skip


class MaxPool1d(_MaxPoolNd):
    """The largest number of each window of ``(N, C, L)``: see `MaxPool2d`."""

    dims = 1


class MaxPool2d(_MaxPoolNd):
    """The largest number of each window of ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        kernel_size: the window: one number, or one for each dimension.
        stride: distance between windows; ``kernel_size`` by default.
        padding: border of minus infinity, at most half a window.
        dilation: distance between the elements of a window.
        return_indices: return ``(output, indices)``, for `MaxUnpool2d`.
        ceil_mode: let windows reach over the far border.

    >>> nn.MaxPool2d(2)(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 3, 4, 4])
    """

    dims = 2


class MaxPool3d(_MaxPoolNd):
    """The largest number of each window of ``(N, C, D, H, W)``: see `MaxPool2d`."""

    dims = 3


class _MaxUnpoolNd(ShowsFields):
    """Puts the maxima back where max pooling found them, zeros elsewhere."""

    dims: int
    _shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__()
        spread = _ntuple(self.dims, "spread")
        self.kernel_size = spread(kernel_size)
        self.stride = spread(kernel_size if stride is None else stride)
        self.padding = spread(padding)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: list[int] | None = None
    ) -> Tensor:
        return _function("max_unpool", self.dims)(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool1d(_MaxUnpoolNd):
    """Undoes `MaxPool1d`, with zeros for what was lost: ``forward(input, indices)``."""

    dims = 1


class MaxUnpool2d(_MaxUnpoolNd):
    """Undoes `MaxPool2d`, with zeros for what was lost: ``forward(input, indices)``.

    >>> pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    >>> unpool(*pool(torch.ones(1, 1, 4, 4))).sum()
    tensor(4.)
    """

    dims = 2


class MaxUnpool3d(_MaxUnpoolNd):
    """Undoes `MaxPool3d`, with zeros for what was lost: ``forward(input, indices)``."""

    dims = 3


class _AvgPoolNd(ShowsFields):
    """The mean of each window."""

    _shown = ("kernel_size", "stride", "padding")
    dims: int
    divisor_override: int | None

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return _function("avg_pool", self.dims)(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip


class AvgPool1d(_AvgPoolNd):
    """The mean of each window of ``(N, C, L)``: see `AvgPool2d`."""

    dims = 1

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        stride = kernel_size if stride is None else stride
        super().__init__(
            _single(kernel_size), _single(stride), _single(padding), ceil_mode, count_include_pad
        )
        del self.divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip


class AvgPool2d(_AvgPoolNd):
    """The mean of each window of ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        kernel_size: the window: one number, or one for each dimension.
        stride: distance between windows; ``kernel_size`` by default.
        padding: border of zeros.
        ceil_mode: let windows reach over the far border.
        count_include_pad: whether padded zeros count in the mean.
        divisor_override: divide the sums by this instead of the window's size.

    >>> nn.AvgPool2d(2)(torch.ones(1, 1, 2, 2))
    tensor([[[[1.]]]])
    """

    dims = 2


class AvgPool3d(_AvgPoolNd):
    """The mean of each window of ``(N, C, D, H, W)``: see `AvgPool2d`."""

    dims = 3

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("padding", 0)
        self.__dict__.setdefault("ceil_mode", False)
        self.__dict__.setdefault("count_include_pad", True)


class _FractionalMaxPoolNd(Module):
    """Max pooling over windows at pseudo-random places (Graham, 2014).

    The size of the output is given, or the ratio of output to input.
    """

    dims: int

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: float | tuple[float, ...] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        spread = _ntuple(self.dims, "spread")
        self.kernel_size = spread(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else spread(output_size)
        self.output_ratio = None if output_ratio is None else spread(output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{type(self).__name__} requires specifying either an output size, or a pooling "
                "ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        return _function("fractional_max_pool", self.dims)(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices,
            _random_samples=self._random_samples,
        )  # fmt: skip


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Max pooling of ``(N, C, H, W)`` at pseudo-random places.

    Args:
        kernel_size: the window.
        output_size: size of the output; or else
        output_ratio: its ratio to the input's, between 0 and 1.
        return_indices: return ``(output, indices)``.
    """

    dims = 2


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """Max pooling of ``(N, C, T, H, W)`` at pseudo-random places: see `FractionalMaxPool2d`."""

    dims = 3


class _LPPoolNd(ShowsFields):
    """The p-norm of each window: ``(sum x^p)^(1/p)``."""

    dims: int
    _shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return _function("lp_pool", self.dims)(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool1d(_LPPoolNd):
    """The p-norm of each window of ``(N, C, L)``."""

    dims = 1


class LPPool2d(_LPPoolNd):
    """The p-norm ``(sum x^p)^(1/p)`` of each window of ``(N, C, H, W)``."""

    dims = 2


class LPPool3d(_LPPoolNd):
    """The p-norm of each window of ``(N, C, D, H, W)``."""

    dims = 3


class _AdaptiveMaxPoolNd(ShowsFields):
    """The largest number of each of ``output_size`` nearly equal windows."""

    dims: int
    _shown = ("output_size",)

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return _function("adaptive_max_pool", self.dims)(
            input, self.output_size, self.return_indices
        )


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Max pooling of ``(N, C, L)`` to a given length."""

    dims = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Max pooling of ``(N, C, H, W)`` to ``output_size`` (None keeps a dimension)."""

    dims = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Max pooling of ``(N, C, D, H, W)`` to ``output_size`` (None keeps a dimension)."""

    dims = 3


class _AdaptiveAvgPoolNd(ShowsFields):
    """The mean of each of ``output_size`` nearly equal windows."""

    dims: int
    _shown = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return _function("adaptive_avg_pool", self.dims)(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Mean pooling of ``(N, C, L)`` to a given length."""

    dims = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Mean pooling of ``(N, C, H, W)`` to ``output_size`` (None keeps a dimension).

    >>> nn.AdaptiveAvgPool2d((5, None))(torch.zeros(1, 64, 10, 9)).shape
    torch.Size([1, 64, 5, 9])
    """

    dims = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Mean pooling of ``(N, C, D, H, W)`` to ``output_size`` (None keeps a dimension)."""

    dims = 3
