"""Memory stays flat over many steps, and falls with checkpointing.

Here 2,000 steps; FLAMBEAU_TEST_STEPS=100000 for the long version (minutes).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.modes import MODES

from .long_run import READS

STEPS = int(os.environ.get("FLAMBEAU_TEST_STEPS", "2000"))
LIMIT = max(60, STEPS // 100)  # seconds
# A kept loss keeps the nodes of its graph, though not what they saved (PyTorch: 7 kB).
KILOBYTES = {"nothing": 0.1, "each": 0.1, "summed": 0.1, "kept": 8.0, "kept detached": 1.6}
OBJECTS = {"nothing": 0.01, "each": 0.01, "summed": 0.01, "kept": 40.0, "kept detached": 6.0}


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize("read", READS)
def test_memory_is_flat(read, jit):
    words = ["-m", "tests.engine.trace.long_run", "--mode", jit, "--steps", str(STEPS)]
    done = subprocess.run(
        [sys.executable, *words, "--read", read],
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    )
    found = json.loads(done.stdout)
    assert found["finite"]
    noise = 400 / STEPS  # the allocator takes some hundred kilobytes at a time
    assert found["kilobytes"] < KILOBYTES[read] + noise, found
    assert found["objects"] < OBJECTS[read] + 50 / STEPS, found


DEEP = """
import resource, sys
import flambeau
from flambeau import nn
from flambeau.utils.checkpoint import checkpoint
from tests.modes import mode
width, rows, used = 256, 2048, sys.argv[2] == "checkpoint"
blocks = [nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width), nn.Sigmoid())
          for _ in range(10)]
x = flambeau.rand(rows, width)
with mode(sys.argv[1]):
    for _ in range(5):
        h = x.clone().requires_grad_()
        for block in blocks:
            h = checkpoint(block, h, use_reentrant=False) if used else block(h)
        h.sum().backward()
        for block in blocks:
            block.zero_grad()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, float(h.sum()))
"""


@pytest.mark.parametrize("jit", MODES)
def test_checkpointing_saves_memory(jit):
    peaks = {}
    for name in ("plain", "checkpoint"):
        done = subprocess.run(
            [sys.executable, "-c", DEEP, jit, name],
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT,
        )
        peaks[name], total = map(float, done.stdout.split())
        assert abs(total - 2048 * 256 / 2) < 2048 * 256 / 4
    # 40 activations of 2 MB without, 10 with and one block's four
    assert peaks["checkpoint"] < peaks["plain"] - 25, peaks
