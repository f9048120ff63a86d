"""Many training steps in a process of their own, and what they do to its memory.

python -m tests.engine.trace.long_run --mode auto --steps 100000 --read kept
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flambeau
from flambeau import nn
from tests.modes import mode

READS = ("nothing", "each", "kept", "kept detached", "summed")


def resident() -> float:
    """Resident memory of this process now, in kilobytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


def steps(read: str) -> Callable[[int], Any]:
    """A training loop that looks at its losses in one of the ways of READS."""
    flambeau.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 3))
    optimizer = flambeau.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    x, y = flambeau.rand(32, 20), flambeau.randint(0, 3, (32,))
    kept: list[Any] = []
    total: Any = flambeau.zeros(())

    def run(count: int) -> Any:
        nonlocal total
        for _ in range(count):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            if read == "each":
                total = total + loss.item()
            elif read == "kept":
                kept.append(loss)
            elif read == "kept detached":
                kept.append(loss.detach())
            elif read == "summed":
                total = total + loss.detach()
        return model

    return run


def measure(count: int, read: str) -> dict[str, float]:
    """Kilobytes, objects and microseconds that a step costs, once the loop has settled."""
    run = steps(read)
    run(max(count // 5, 200))
    gc.collect()
    memory, objects, started = resident(), len(gc.get_objects()), time.perf_counter()
    model = run(count)
    seconds = time.perf_counter() - started
    gc.collect()
    grown, more = resident() - memory, len(gc.get_objects()) - objects
    finite = bool(model[0].weight.isfinite().all())
    return {
        "kilobytes": grown / count, "objects": more / count, "microseconds": 1e6 * seconds / count,
        "resident": resident(), "finite": finite,
    }  # fmt: skip


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mode", default="auto")
    parser.add_argument("--read", default="nothing", choices=READS)
    parser.add_argument("--steps", type=int, default=100_000)
    arguments = parser.parse_args()
    with mode(arguments.mode):
        print(json.dumps(measure(arguments.steps, arguments.read)))


if __name__ == "__main__":
    main()
