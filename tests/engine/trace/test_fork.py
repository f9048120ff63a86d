"""Processes that are forked after something was compiled: DataLoader workers, and `os.fork`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.modes import MODES

LIMIT = 60  # seconds
PRELUDE = """
import json, os, sys, warnings
import flambeau
from flambeau import nn
from tests.modes import mode
warnings.simplefilter("ignore")
flambeau.set_num_threads(2)
flambeau.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 400), nn.ReLU(), nn.Linear(400, 3))
optimizer = flambeau.optim.SGD(model.parameters(), lr=0.05)

def step(x, y):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss
"""
WORKERS = """
class Rows(flambeau.utils.data.Dataset):
    def __len__(self):
        return 256
    def __getitem__(self, i):
        x = flambeau.arange(64.0)
        for _ in range(3):
            x = (x * 0.5 + i).sin()
        return x, i % 3

losses = []
with mode(sys.argv[1]):
    for workers in (0, 2, 2):
        loader = flambeau.utils.data.DataLoader(Rows(), batch_size=64, num_workers=workers)
        for _ in range(3):
            for x, y in loader:
                losses.append(step(x, y).item())
print(json.dumps(losses))
"""
FORK = """
x, y = flambeau.rand(128, 64), flambeau.randint(0, 3, (128,))
with mode(sys.argv[1]):
    for _ in range(8):
        last = step(x, y)  # in flight when the process forks
    ends, starts = os.pipe()
    child = os.fork()
    losses = [last.item()] + [step(x, y).item() for _ in range(8)]
    if child == 0:
        os.write(starts, json.dumps(losses).encode())
        os._exit(0)
    os.close(starts)
    theirs = json.loads(os.fdopen(ends).read())
    assert os.waitpid(child, 0)[1] == 0
    assert theirs == losses, (theirs, losses)
print(json.dumps(losses))
"""


def _losses(code: str, jit: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, jit], capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [float(word) for word in done.stdout.strip().strip("[]").split(",")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("code", [WORKERS, FORK], ids=["workers", "fork"])
def test_training_goes_on_in_both_processes(code):
    eager = _losses(code, "off")
    for jit in MODES[1:]:
        assert _losses(code, jit) == pytest.approx(eager, rel=1e-3, abs=1e-5)
