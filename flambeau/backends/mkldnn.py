"""oneDNN's switches: accepted, without effect."""

from __future__ import annotations

from flambeau.backends._flags import flags_of

enabled = True
deterministic = False
allow_tf32: bool | None = None
fp32_precision = "none"

flags = flags_of(
    __name__, enabled=False, deterministic=False, allow_tf32=True, fp32_precision="none"
)


def is_available() -> bool:
    """False: flambeau does not use oneDNN."""
    return False
