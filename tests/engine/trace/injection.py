"""Side exits where a test wants them.

`exits(kind, segment, event)` makes a replay end early: that of the segment number `segment`
(counted from the moment of entering), after `event` of its events; what follows is eager. The ways
in which a replay can be left:

- "guard": the next event does not fit;
- "settle": something outside of ops happens before the next event;
- "fault": the segment, or the part of it that is being read, cannot be computed.

With `event` 0 the segment does not begin at all: what any exit must be equal to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.play import MISS
from flambeau._engine.trace.run import Run
from flambeau._engine.trace.tracer import Tracer

KINDS = ("guard", "settle", "fault")


class _Left(Exception):
    """The replay has been left: the event is to be met again, outside it."""


class Injection:
    """What is to happen, and what has.

    Attributes:
        lengths: the number of events passed in each segment that has begun.
        fired: whether the exit has been taken.
    """

    def __init__(self, kind: str, segment: int, event: int):
        self.kind, self.segment, self.event = kind, segment, event
        self.lengths: list[int] = []
        self.fired = False
        self.run: Any = None
        self.follow, self.begin = Run.follow, Tracer.begin
        self.compute, self.read, self.enter = Tracer.compute, Tracer.read, Tracer.event

    def due(self) -> bool:
        """Whether the exit is to be taken now; if so it counts as taken."""
        if self.fired or not self.lengths or len(self.lengths) - 1 != self.segment:
            return False
        self.fired = self.lengths[-1] == self.event
        return self.fired

    def passed(self, run: Any) -> None:
        """An event of a replay has fitted."""
        if run is not self.run:
            self.run = run
            self.lengths.append(0)
        self.lengths[-1] += 1

    def patches(self) -> dict[tuple[type, str], Any]:
        """The methods that stand in for the tracer's own."""
        injection = self

        def follow(run: Run, *words: Any) -> Any:
            if run is injection.run and injection.kind != "fault" and injection.due():
                if injection.kind == "guard":
                    return MISS
                run.tracer.settle("a test")
                raise _Left
            result = injection.follow(run, *words)
            if result is not MISS:
                injection.passed(run)
            return result

        def read(tracer: Tracer, run: Run) -> bool:
            found = injection.read(tracer, run)
            if found:
                injection.passed(run)
            return found

        def compute(tracer: Tracer, run: Run, *words: Any) -> bool:
            if run is injection.run and injection.kind == "fault" and injection.due():
                return False
            return injection.compute(tracer, run, *words)

        def begin(tracer: Tracer, *words: Any) -> Any:
            if injection.event == 0 and len(injection.lengths) == injection.segment:
                injection.fired = True
            if injection.fired:
                return tracer.eager(*words)
            return injection.begin(tracer, *words)

        def enter(tracer: Tracer, *words: Any) -> Any:
            try:
                return injection.enter(tracer, *words)
            except _Left:
                return injection.enter(tracer, *words)

        return {
            (Run, "follow"): follow, (Tracer, "read"): read, (Tracer, "compute"): compute,
            (Tracer, "begin"): begin, (Tracer, "event"): enter,
        }  # fmt: skip


@contextlib.contextmanager
def exits(kind: str, segment: int, event: int) -> Iterator[Injection]:
    """Leave one replay; segment -1: none, only count."""
    injection = Injection(kind, segment, event)
    patches = injection.patches()
    before = {key: getattr(*key) for key in patches}
    may_record, HUB.may_record = HUB.may_record, False  # the way taken is not recorded
    for (owner, name), function in patches.items():
        setattr(owner, name, function)
    try:
        yield injection
    finally:
        for (owner, name), function in before.items():
            setattr(owner, name, function)
        HUB.may_record = may_record
