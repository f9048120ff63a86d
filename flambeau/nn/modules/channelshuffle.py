"""Mixing the channels of groups."""

from __future__ import annotations

from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn import functional as F
from flambeau.nn.modules._shown import ShowsFields

__all__ = ["ChannelShuffle"]


class ChannelShuffle(ShowsFields):
    """Cuts the channels of ``(N, C, ...)`` into ``groups`` and interleaves them.

    >>> nn.ChannelShuffle(2)(torch.arange(4.0).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    _shown = ("groups",)

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)
