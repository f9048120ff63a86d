"""What the tracer tells: counters for `explain`, and lines for FLAMBEAU_DEBUG."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import Any

from ..base import config

_lock = threading.Lock()
counters: Counter[str] = Counter()
exits: Counter[tuple[str, str]] = Counter()
failures: Counter[tuple[str, str]] = Counter()
endings: list[Any] = []


def tell(level: int, text: str) -> None:
    """A line for those who set FLAMBEAU_DEBUG to `level` or more."""
    if level <= config.DEBUG:
        print(f"flambeau: {text}", file=sys.stderr)


def recorded(recording: Any) -> None:
    """A segment has been recorded."""
    with _lock:
        counters["recorded"] += 1
        for _, ending in recording.endings:
            endings.append(ending)
    tell(1, f"recorded a segment of {len(recording.events)} events: {_span(recording)}")
    if config.DEBUG >= 2:
        for number, node in enumerate(recording.events):
            tell(2, f"  {number}: {node.descriptor.name} {node.args} -> {node.result}")


def abandoned(recording: Any) -> None:
    """A recording has failed."""
    reason = recording.recorder.failure or "unknown"
    with _lock:
        counters["abandoned"] += 1
        failures[_span(recording), reason] += 1
    tell(1, f"not compiled: {_span(recording)}: {reason}")


def left(run: Any, reason: str) -> None:
    """A replay has been left by the side exit."""
    with _lock:
        counters["side exits"] += 1
        exits[_span(run), reason] += 1
    tell(1, f"side exit after {len(run.cursor.path())} events ({_span(run)}): {reason}")


def broken(ending: Any, error: Exception) -> None:
    """A program could not be compiled."""
    with _lock:
        counters["compiler errors"] += 1
        failures[ending.name, f"{type(error).__name__}: {error}"] += 1
    tell(1, f"the compiler failed on {ending.name}: {type(error).__name__}: {error}")


def _span(run: Any) -> str:
    events = run.events if hasattr(run, "events") else run.cursor.path()
    return f"{events[0].descriptor.name}..{events[-1].descriptor.name}" if events else "(nothing)"
