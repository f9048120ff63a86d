"""The older names of reductions."""

from __future__ import annotations

import warnings

__all__ = ["legacy_reduction"]


def legacy_reduction(size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that ``size_average`` and ``reduce`` used to choose (None counts as True)."""
    size_average = True if size_average is None else size_average
    reduce = True if reduce is None else reduce
    reduction = "none" if not reduce else "mean" if size_average else "sum"
    warnings.warn(
        "size_average and reduce args will be deprecated, please use reduction='"
        + reduction
        + "' instead.",
        stacklevel=4,
    )
    return reduction
