"""Environment variables: the one place that reads them. Documented in docs/environment.md."""

from __future__ import annotations

import os
from pathlib import Path


def _integer(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise ValueError(f"{name} must be an integer, got {text!r}") from None


def _threads() -> int | None:
    """FLAMBEAU_NUM_THREADS, else OMP_NUM_THREADS' first number; None where neither says."""
    wanted = _integer("FLAMBEAU_NUM_THREADS", 0)
    if not wanted:
        first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
        wanted = int(first) if first.isdecimal() else 0
    return wanted if wanted > 0 else None


def _cache() -> Path | None:
    """The folder for compiled code; None where FLAMBEAU_CACHE is "off" or there is no home."""
    named = os.environ.get("FLAMBEAU_CACHE", "")
    if named:
        return None if named.lower() == "off" else Path(named).absolute()
    root = os.environ.get("XDG_CACHE_HOME", "")
    try:
        parent = Path(root) if os.path.isabs(root) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return parent / "flambeau" if parent.is_absolute() else None


JIT: str = os.environ.get("FLAMBEAU_JIT", "") or "auto"
DEBUG: int = _integer("FLAMBEAU_DEBUG", 0)
THREADS: int | None = _threads()
CACHE: Path | None = _cache()
