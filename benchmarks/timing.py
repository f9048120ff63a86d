"""Fair timing on a shared machine: the candidates take turns, and the median round counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def interleaved(
    candidates: dict[str, Callable[[], object]],
    rounds: int = 31,
    budget: float = 0.01,
    rest: float = 0.0,
) -> dict[str, float]:
    """Median seconds of one call of each candidate.

    Each round runs every candidate in turn, as often as fits `budget` seconds, so that a busy
    moment of the machine hits all of them alike. With threads, let each turn begin with so many
    seconds of rest and a call that does not count: the threads of the candidate before look for
    work for a while, and would do so on a core that this one needs.
    """
    repeats = {name: _repeats(call, budget) for name, call in candidates.items()}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            count = repeats[name]
            if rest:
                time.sleep(rest)
                call()
            started = time.perf_counter()
            for _ in range(count):
                call()
            seconds[name].append((time.perf_counter() - started) / count)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _repeats(call: Callable[[], object], budget: float) -> int:
    for _ in range(3):
        call()
    started = time.perf_counter()
    call()
    return max(1, int(budget / max(time.perf_counter() - started, 1e-7)))
