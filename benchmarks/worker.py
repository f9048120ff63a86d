"""One rival in a process of its own, told over stdin what to run: `python -m benchmarks.worker`.

A line of JSON comes in, a line of JSON goes out. Between two lines the process waits, so that
the rivals take turns on the machine.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from .cases import BY_NAME
from .loops import Run


def _same(function: Any) -> Any:
    return function


def _flambeau(threads: int) -> tuple[str, Callable[[Any], Run]]:
    import flambeau

    if threads:
        flambeau.set_num_threads(threads)
    return flambeau.__version__, lambda case: case.torch(flambeau, _same)


def _eager(threads: int) -> tuple[str, Callable[[Any], Run]]:
    found = _flambeau(threads)
    import flambeau

    flambeau.jit.set_mode("off")
    return found


def _torch(threads: int) -> tuple[str, Callable[[Any], Run]]:
    import torch

    if threads:
        torch.set_num_threads(threads)
    return torch.__version__, lambda case: case.torch(torch, _same)


def _compile(threads: int) -> tuple[str, Callable[[Any], Run]]:
    version, _ = _torch(threads)
    import torch

    return version, lambda case: case.torch(torch, torch.compile)


def _jax(threads: int) -> tuple[str, Callable[[Any], Run]]:
    if threads:  # XLA asks the system how many processors it may use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import jax

    return jax.__version__, lambda case: case.jax()


RIVALS = {
    "flambeau": _flambeau, "eager": _eager, "torch": _torch, "compile": _compile, "jax": _jax,
}  # fmt: skip


class Worker:
    """The answers to what the driver asks."""

    def __init__(self, rival: str, threads: int):
        self.version, self.builder = RIVALS[rival](threads)
        self.run: Run | None = None

    def prepare(self, name: str, budget: float, warm: float) -> dict[str, Any]:
        """Build a case, run it for `warm` seconds, and find how many steps fit `budget`."""
        run = self.run = self.builder(BY_NAME[name])
        started = time.perf_counter()
        run(4)
        first = time.perf_counter() - started
        count, seconds = 8, 0.0
        while time.perf_counter() - started < warm + first or seconds < budget / 4:
            before = time.perf_counter()
            done = run(count)
            seconds = time.perf_counter() - before
            count = max(4, min(4 * count, int(budget * done / seconds)))
        return {"count": count}

    def time(self, count: int) -> dict[str, Any]:
        """Seconds a step."""
        assert self.run is not None
        started = time.perf_counter()
        done = self.run(count)
        return {"seconds": (time.perf_counter() - started) / done}

    def forget(self) -> dict[str, Any]:
        """Let go of the case."""
        self.run = None
        gc.collect()
        return {}


def main() -> None:
    """Answer until stdin ends."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints does not get between the lines
    rival, threads = sys.argv[1], int(sys.argv[2])
    try:
        worker = Worker(rival, threads)
    except Exception as error:  # not installed, or broken: the driver says so
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=channel)
        return
    print(json.dumps({"version": worker.version}), file=channel)
    for line in sys.stdin:
        request = json.loads(line)
        call = getattr(worker, request.pop("do"))
        try:
            answer = call(**request)
        except Exception as error:  # one case that a rival cannot run is one line in the table
            answer = {"error": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
        print(json.dumps(answer), file=channel)


if __name__ == "__main__":
    main()
