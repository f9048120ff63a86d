"""Memory stays flat over many steps, and falls with checkpointing.

Here 2,000 steps; FLAMBEAU_TEST_STEPS=100000 for the long version (minutes).
"""

from __future__ import annotations

import functools
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
from flambeau._engine.trace.hub import HUB
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
    for _ in range(2):
        h = x = flambeau.rand(rows, 256).requires_grad_()
        for _ in range(6):
            h = checkpoint(block, h, use_reentrant=False) if used else block(h)
        h.sum().backward()
        assert x.grad.isfinite().all()

with mode(sys.argv[1]):
    for _ in range(3):
        train(2048)  # what the compiler itself takes comes before
    HUB.clear()
    with open("/proc/self/clear_refs", "w") as marks:
        marks.write("5")  # the peak is counted anew
    before = peak()
    for _ in range(3):
        train(2048)
print(peak() - before)
"""


@functools.cache
def peak(jit: str, name: str) -> float:
    """The most megabytes that a deep chain takes, while it is recorded and when it is replayed."""
    done = subprocess.run(
        [sys.executable, "-c", DEEP, jit, name],
        capture_output=True, text=True, check=True, timeout=LIMIT,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},  # freed memory goes back
    )  # fmt: skip
    return float(done.stdout)


@pytest.mark.parametrize("jit", MODES)
def test_checkpointing_saves_memory(jit):
    # 54 activations of 2 MB without; 6 with, and those of one block
    assert peak(jit, "checkpoint") < 0.6 * peak("off", "plain")


@pytest.mark.parametrize("name", ["plain", "checkpoint"])
@pytest.mark.parametrize("jit", MODES[1:])
def test_recording_takes_no_more_memory_than_eager(jit, name):
    # the workspace of one block's program is 16 MB; to keep what is recorded would be 78 more
    assert peak(jit, name) < 1.2 * peak("off", name) + 20
