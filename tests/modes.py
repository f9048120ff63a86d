"""The JIT's modes, for tests that run in each of them within one process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import flambeau

JIT = getattr(flambeau, "jit", None)
MODES = ("off", "auto", "force") if JIT is not None else ("off",)


@contextlib.contextmanager
def mode(name: str) -> Iterator[None]:
    """Run the block in a mode."""
    if JIT is None:
        yield
        return
    before = JIT.get_mode()
    JIT.set_mode(name)
    try:
        yield
    finally:
        JIT.set_mode(before)
