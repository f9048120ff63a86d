"""The JIT's modes, for tests that run in each of them within one process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

import flambeau

MODES = ("off", "auto", "force") if find_spec("llvmlite") is not None else ("off",)


@contextlib.contextmanager
def mode(name: str) -> Iterator[None]:
    """Run the block in a mode."""
    before = flambeau.jit.get_mode()
    flambeau.jit.set_mode(name)
    try:
        yield
    finally:
        flambeau.jit.set_mode(before)
