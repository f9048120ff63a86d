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
import sys
import flambeau
from flambeau.utils.checkpoint import checkpoint
from tests.modes import mode
used = sys.argv[2] == "checkpoint"

def block(h):
    for _ in range(3):
        h = (h.tanh() * 1.1).sigmoid().exp()
    return h

def peak():
    # not getrusage, whose figure begins with that of the process this one was forked from
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if "VmHWM" in line) / 1024

def train(rows):
    for _ in range(6):
        h = x = flambeau.rand(rows, 256).requires_grad_()
        for _ in range(6):
            h = checkpoint(block, h, use_reentrant=False) if used else block(h)
        h.sum().backward()
        assert x.grad.isfinite().all()

with mode(sys.argv[1]):
    train(8)  # what the compiler itself takes comes before
    before = peak()
    for _ in range(5):
        train(512)  # and what recordings hold
    with open("/proc/self/clear_refs", "w") as marks:
        marks.write("5")  # the peak is counted anew
    train(512)
print(peak() - before)
"""


# Compiled, a segment that checkpoints keeps more than that: open, see the notes of the issue.
@pytest.mark.parametrize("jit", ["off"])
def test_checkpointing_saves_memory(jit):
    peaks = {}
    for name in ("plain", "checkpoint"):
        done = subprocess.run(
            [sys.executable, "-c", DEEP, jit, name],
            capture_output=True, text=True, check=True, timeout=LIMIT,
            env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},  # freed memory goes back
        )  # fmt: skip
        peaks[name] = float(done.stdout)
    # 54 activations of 0.5 MB without; 6 with, and those of one block
    assert peaks["checkpoint"] < 0.7 * peaks["plain"], peaks
