"""What every test starts from: a seeded generator, float32 as the default dtype, grad mode on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

import flambeau
from flambeau._engine.autograd.mode import set_grad_enabled
from flambeau._engine.base import defaults, dtypes
from flambeau._engine.trace.hub import HUB

# The whole suite runs in each mode, one process each: FLAMBEAU_JIT=<mode> make test.
MODE = os.environ.get("FLAMBEAU_JIT") or flambeau.jit.get_mode()

# No deadline: a loaded machine is no failure. The same examples on every run.
hypothesis.settings.register_profile("flambeau", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("flambeau")


def pytest_report_header() -> str:
    """Name the mode in the log."""
    return f"FLAMBEAU_JIT={MODE}"


def pytest_configure() -> None:
    """Refuse a mode that cannot be had rather than run another one under its name."""
    if flambeau.jit.get_mode() != MODE:
        raise pytest.UsageError(f"FLAMBEAU_JIT={MODE}: there is no llvmlite to compile with")
    HUB.strict = True  # the compiler's own mistakes are failures, not reasons to stay eager


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """Seed the generator before a test; undo what it may have left set."""
    flambeau.manual_seed(0)
    HUB.clear()  # what another test has repeated is no loop of this one
    yield
    defaults.set_default_dtype(dtypes.float32)
    set_grad_enabled(True)
    flambeau.jit.set_mode(MODE)
