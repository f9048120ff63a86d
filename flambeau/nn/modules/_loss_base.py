"""What all losses share: the reduction, and its older names."""

from __future__ import annotations

from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn.modules.module import Module

from ..._engine.base.callers import warn_user

__all__ = ["_Loss", "_WeightedLoss", "legacy_reduction"]


def legacy_reduction(size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that ``size_average`` and ``reduce`` used to choose (None counts as True)."""
    size_average = True if size_average is None else size_average
    reduce = True if reduce is None else reduce
    reduction = "none" if not reduce else "mean" if size_average else "sum"
    warn_user(
        "size_average and reduce args will be deprecated, please use reduction='"
        + reduction
        + "' instead.",
    )
    return reduction


class _Loss(Module):
    """Holds the reduction."""

    reduction: str

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = legacy_reduction(size_average, reduce)
        self.reduction = reduction


class _WeightedLoss(_Loss):
    """A loss with a weight for each class, kept as a buffer."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
