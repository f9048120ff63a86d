"""The opt_einsum library: flambeau orders einsum's products itself."""

from __future__ import annotations

from flambeau.backends._flags import flags_of

enabled = False
strategy: str | None = None

flags = flags_of(__name__, enabled=None, strategy=None)


def is_available() -> bool:
    """False."""
    return False
