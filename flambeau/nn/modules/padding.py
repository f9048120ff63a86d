"""Padding: a border around the last one, two or three dimensions."""

from __future__ import annotations

from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn import functional as F
from flambeau.nn.modules._shown import ShowsFields
from flambeau.nn.modules.module import Module
from flambeau.nn.modules.utils import _ntuple

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]

Size = int | tuple[int, ...]


class _PadNd(Module):
    """A border of ``padding`` on both sides of the last ``dims`` dimensions.

    ``padding`` is one number, or ``(left, right, top, bottom, front, back)`` cut to size.
    """

    dims: int
    mode: str

    def __init__(self, padding: Size) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self.dims, "spread")(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class _CircularPadNd(_PadNd):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        batched = self.dims + 2
        if input.dim() not in (batched - 1, batched):
            raise ValueError(
                f"expected {batched - 1}D or {batched}D input (got {input.dim()}D input)"
            )
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """A border taken from the opposite end of the last dimension."""

    dims = 1


class CircularPad2d(_CircularPadNd):
    """A border taken from the opposite ends of the last two dimensions."""

    dims = 2


class CircularPad3d(_CircularPadNd):
    """A border taken from the opposite ends of the last three dimensions."""

    dims = 3


class _ConstantPadNd(ShowsFields):
    """A border of ``value``."""

    dims: int
    _shown = ("padding", "value")

    def __init__(self, padding: Size, value: float) -> None:
        super().__init__()
        self.value = value
        self.padding = _ntuple(2 * self.dims, "spread")(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)


class ConstantPad1d(_ConstantPadNd):
    """A border of ``value`` around the last dimension: ``padding`` is n or (left, right)."""

    dims = 1


class ConstantPad2d(_ConstantPadNd):
    """A border of ``value`` around the last two dimensions.

    >>> nn.ConstantPad2d(1, 3.5)(torch.zeros(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    dims = 2


class ConstantPad3d(_ConstantPadNd):
    """A border of ``value`` around the last three dimensions."""

    dims = 3


class _ReflectionPadNd(_PadNd):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """A border that mirrors the last dimension at its ends (the end itself not repeated)."""

    dims = 1


class ReflectionPad2d(_ReflectionPadNd):
    """A border that mirrors the last two dimensions at their ends."""

    dims = 2


class ReflectionPad3d(_ReflectionPadNd):
    """A border that mirrors the last three dimensions at their ends."""

    dims = 3


class _ReplicationPadNd(_PadNd):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """A border that repeats the end of the last dimension."""

    dims = 1


class ReplicationPad2d(_ReplicationPadNd):
    """A border that repeats the ends of the last two dimensions."""

    dims = 2


class ReplicationPad3d(_ReplicationPadNd):
    """A border that repeats the ends of the last three dimensions."""

    dims = 3


class _ZeroPad(_ConstantPadNd):
    def __init__(self, padding: Size) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """A border of zeros around the last dimension."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """A border of zeros around the last two dimensions.

    >>> nn.ZeroPad2d((1, 1, 2, 0))(torch.ones(1, 3, 3)).shape
    torch.Size([1, 5, 5])
    """


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """A border of zeros around the last three dimensions."""
