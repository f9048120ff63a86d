"""Environment variables: the one place that reads them. Documented in docs/environment.md."""

from __future__ import annotations

import os


def _integer(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise ValueError(f"{name} must be an integer, got {text!r}") from None


DEBUG: int = _integer("FLAMBEAU_DEBUG", 0)
