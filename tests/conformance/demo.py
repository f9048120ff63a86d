"""The demo, run on torch and on flambeau from the same file: the loss of every step compared."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .outcome import Mismatch, Outcome, run_check

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "flambeau" / "_demo" / "__main__.py"
TOLERANCE = 1e-4
# The file itself is not touched: real torch is put under the name that it imports.
UNDER_TORCH = """
import runpy, sys
import torch, torch.nn, torch.utils.data
for name in ("", ".nn", ".utils", ".utils.data"):
    sys.modules["flambeau" + name] = sys.modules["torch" + name]
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def entries() -> Iterator[tuple[str, Any]]:
    """(name, arguments of the demo)."""
    yield "digits", []
    yield "digits, seed 1, 32 hidden", ["--seed", "1", "--hidden", "32", "--epochs", "12"]


def curves(command: list[str], arguments: list[str]) -> dict[str, Any]:
    """What the demo wrote to curves.json under one library."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*command, *arguments, "--quiet", "--out", folder]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise Mismatch(f"exit {done.returncode}: {done.stderr.strip()[-160:]}")
        return json.loads((Path(folder) / "curves.json").read_text())


def _check(arguments: list[str]) -> None:
    wanted = curves([sys.executable, "-c", UNDER_TORCH, str(SCRIPT)], arguments)
    found = curves([sys.executable, "-m", "flambeau._demo"], arguments)
    if len(wanted["step"]) != len(found["step"]):
        raise Mismatch(f"{len(wanted['step'])} steps, got {len(found['step'])}")
    distance = np.abs(np.subtract(wanted["step"], found["step"]))
    if not distance.max() <= TOLERANCE:
        first = int(np.argmax(distance > TOLERANCE))
        raise Mismatch(f"loss differs by {distance[first]:.2e} at step {first}")
    for name in ("test_accuracy", "best_epoch", "val_accuracy"):
        if wanted[name] != found[name]:
            raise Mismatch(f"{name} {wanted[name]}, got {found[name]}")


def check_entry(name: str, arguments: list[str], limit: int, seconds: float) -> list[Outcome]:
    """The outcome of one run of the demo in both libraries."""
    outcome = Outcome("demo", name)
    run_check(outcome, "loss curve", functools.partial(_check, arguments), 10 * seconds)
    return [outcome]
