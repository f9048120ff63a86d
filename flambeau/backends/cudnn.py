"""cuDNN's switches: accepted, without effect. flambeau's results are deterministic anyway."""

from __future__ import annotations

from typing import Any

from flambeau.backends._flags import flags_of

enabled = True
benchmark = False
benchmark_limit: int | None = None
deterministic = False
allow_tf32 = True
fp32_precision = "none"
depthwise_kernel = "auto"

flags = flags_of(
    __name__, enabled=False, benchmark=False, benchmark_limit=10, deterministic=False,
    allow_tf32=True, fp32_precision="none", depthwise_kernel="auto",
)  # fmt: skip


def is_available() -> bool:
    """False."""
    return False


def is_acceptable(tensor: Any) -> bool:
    """False: no tensor goes to cuDNN."""
    return False


def version() -> None:
    """None: it is not here."""
