"""FLAMBEAU_DEBUG: each level says more than the one before it, on standard error."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

pytest.importorskip("llvmlite")

SCRIPT = """
import flambeau
flambeau.manual_seed(0)
model = flambeau.nn.Linear(30, 40)
optimizer = flambeau.optim.SGD(model.parameters(), lr=1e-3)
x = flambeau.rand(16, 30)
for _ in range(8):
    loss = model(x).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model(x).exp()
print(loss.item())
"""
# what each level says first
SIGNS = [
    "flambeau: recorded a segment of",
    "flambeau:   0: Linear(*$2) -> %0: float32[16, 40]",
    "flambeau: graph of Linear..",
    "flambeau: kernels of Linear..",
    "flambeau: define",
    " us  gemm 16x40 over 30",
]


@cache
def run(level: int) -> tuple[str, str]:
    environment = {**os.environ, "FLAMBEAU_DEBUG": str(level), "FLAMBEAU_JIT": "auto"}
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=100
    )
    assert found.returncode == 0, found.stderr
    return found.stdout, found.stderr


@pytest.mark.parametrize("level", range(7))
def test_each_level_includes_the_lower_ones(level):
    output, told = run(level)
    assert [sign in told for sign in SIGNS] == [n < level for n in range(6)]
    assert output == run(0)[0]


def test_lines_of_users():
    _, told = run(1)
    assert "from <string>:8" in told
    assert "side exit after 1 event" in told and "at <string>:12" in told
