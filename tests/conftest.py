"""What every test starts from: a seeded generator, float32 as the default dtype, grad mode on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

import flambeau

# The modes in which the whole suite runs, one process each: FLAMBEAU_JIT=<mode> make test.
# "auto" and "force" join when there is something to compile with.
MODES = ("off",)
MODE = os.environ.get("FLAMBEAU_JIT", "off")

# No deadline: a loaded machine is no failure. The same examples on every run.
hypothesis.settings.register_profile("flambeau", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("flambeau")


def pytest_report_header() -> str:
    """Name the mode in the log."""
    return f"flambeau {flambeau.__version__}, FLAMBEAU_JIT={MODE}"


def pytest_configure() -> None:
    """Refuse a mode that does not exist rather than run another one under its name."""
    if MODE not in MODES:
        raise pytest.UsageError(f"FLAMBEAU_JIT={MODE}: the modes are {', '.join(MODES)}")


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """Seed the generator before a test; undo what it may have left set."""
    flambeau.manual_seed(0)
    yield
    flambeau.set_default_dtype(flambeau.float32)
    flambeau.set_grad_enabled(True)
