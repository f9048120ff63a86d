"""Cross entropy of a linear layer's scores, as one loss."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base.dtypes import dtype as DType
from flambeau.nn import functional as F
from flambeau.nn.modules._loss_base import _WeightedLoss
from flambeau.nn.modules.linear import Linear

__all__ = ["LinearCrossEntropyLoss", "LinearCrossEntropyOptions"]


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch cuts the scores into chunks to save memory.

    Here the scores are computed at once, with the same result: the settings are only kept.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: DType | None = None


class LinearCrossEntropyLoss(_WeightedLoss):
    """`CrossEntropyLoss` of a `Linear` layer, which the loss owns as ``linear``.

    Args:
        in_features: size of each sample.
        num_classes: number of classes ``C``.
        out_features: further dimensions of the loss: the scores are ``(N, C, *out_features)``.
        bias: whether the layer has a bias.
        weight, reduction, ignore_index, label_smoothing: as for `CrossEntropyLoss`.
        options: a `LinearCrossEntropyOptions`, kept but without effect.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.options = options
        self.linear = Linear(
            in_features, num_classes * prod(out_features), bias=bias, device=device, dtype=dtype
        )

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        self._check(input, target)
        scores = self.linear(input)
        if self.out_features:
            scores = scores.unflatten(-1, (self.num_classes, *self.out_features))
        ignored = -100 if self.ignore_index is None else self.ignore_index
        return F.cross_entropy(
            scores,
            target,
            weight=self.weight,
            ignore_index=ignored,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def _check(self, input: Tensor, target: Tensor) -> None:
        features = self.linear.in_features
        if input.shape[-1] != features:
            raise RuntimeError(
                "expected equal input and linear_weight last dimensions (in_features), got "
                f"{input.shape[-1]} and {features}, respectively"
            )
        if self.weight is not None and tuple(self.weight.shape) != (self.num_classes,):
            raise RuntimeError(
                f"expected weight shape to be ({self.num_classes},), got {tuple(self.weight.shape)}"
            )
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise RuntimeError(
                f"expected label_smoothing to be in range [0, 1], got {self.label_smoothing}"
            )
        if input.dim() == 2 and target.dim() > 0 and input.shape[0] != target.shape[0]:
            raise ValueError(
                f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
                f"({target.shape[0]})."
            )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
