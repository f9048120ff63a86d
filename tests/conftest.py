"""What every test starts from: a seeded generator, float32 as the default dtype, grad mode on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

import flambeau
from flambeau._engine.autograd.mode import set_grad_enabled
from flambeau._engine.base import defaults, dtypes

# The modes in which the whole suite runs, one process each: FLAMBEAU_JIT=<mode> make test.
MODES = ("off", "auto", "force")
MODE = os.environ.get("FLAMBEAU_JIT", "off")

# No deadline: a loaded machine is no failure. The same examples on every run.
hypothesis.settings.register_profile("flambeau", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("flambeau")


def pytest_report_header() -> str:
    """Name the mode in the log."""
    return f"FLAMBEAU_JIT={MODE}"


def pytest_configure() -> None:
    """Refuse a mode that does not exist rather than run another one under its name."""
    if MODE not in MODES:
        raise pytest.UsageError(f"FLAMBEAU_JIT={MODE}: the modes are {', '.join(MODES)}")


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """Seed the generator before a test; undo what it may have left set."""
    flambeau.manual_seed(0)
    yield
    defaults.set_default_dtype(dtypes.float32)
    set_grad_enabled(True)
