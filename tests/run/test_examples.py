"""The programs of examples/ run, and end with what they end with on PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
LAST_LINES = {
    "regression.py": "y = 3.02 x -1.02, mean squared error 0.0111",
    "seed.py": "epoch 4: loss 0.0190",
}


def test_every_example_is_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(LAST_LINES)


@pytest.mark.parametrize("name", LAST_LINES)
def test_an_example_ends_as_on_pytorch(name):
    done = subprocess.run(
        [sys.executable, "-m", "flambeau", "run", str(EXAMPLES / name)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == LAST_LINES[name]
    assert not done.stderr
