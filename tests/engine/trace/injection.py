"""Side exits where a test wants them.

`exits(kind, segment, event)` makes a replay end early: that of the segment number `segment`
(counted from the moment of entering), after `event` of its events; what follows is eager. The ways
in which a replay can be left:

- "guard": the next event fits nothing that was recorded;
- "settle": something outside of ops happens before the next event;
- "fault": the program of the segment, or of the part of it that is being read, cannot run: here
  `event` counts the programs.

With `event` 0 the segment does not begin at all: what any exit must be equal to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from flambeau._engine.base import state
from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.tracer import Tracer

KINDS = ("guard", "settle", "fault")


class Injection:
    """What is to happen, and what has.

    Attributes:
        lengths: the number of events (for "fault": of programs) of each segment that has begun.
        fired: whether the exit has been taken.
    """

    def __init__(self, kind: str, segment: int, event: int):
        self.kind, self.segment, self.place = kind, segment, event
        self.lengths: list[int] = []
        self.fired = False
        self.run: Any = None
        self.event, self.compute, self.read = HUB.on_op, Tracer.compute, Tracer.read

    def due(self, run: Any) -> bool:
        """Whether the exit is to be taken now."""
        return (
            not self.fired
            and run is self.run
            and len(self.lengths) - 1 == self.segment
            and self.lengths[-1] == self.place
        )

    def begun(self, run: Any) -> None:
        """A replay goes on, perhaps another one than before."""
        if run is not None and run is not self.run:
            self.run = run
            self.lengths.append(0)

    def passed(self) -> None:
        """An event has fitted."""
        if self.kind != "fault":
            self.lengths[-1] += 1

    def meet(self, tracer: Tracer, *words: Any) -> Any:
        """Stands in for the hub's `on_op`."""
        run = tracer.run
        if run is None and self.place == 0 and len(self.lengths) == self.segment:
            self.fired = True
        if self.kind == "settle" and run is not None and self.due(run):
            tracer.settle("a test")
            self.fired = True
        if self.fired and tracer.run is None:
            return tracer.eager(*words)
        if self.kind == "guard" and run is not None and self.due(run):
            return self.miss(tracer, run, *words)
        cursor = None if run is None else run.cursor
        result = self.event(*words)
        self.begun(tracer.run)
        if run is None:
            if tracer.run is not None:
                self.passed()
        elif run.cursor is not cursor:
            self.passed()
        return result

    def miss(self, tracer: Tracer, run: Any, *words: Any) -> Any:
        """An event that fits nothing."""
        cursor = run.cursor
        children, cursor.children = cursor.children, []
        begin = Tracer.begin
        Tracer.begin = Tracer.eager  # type: ignore[method-assign]
        try:
            return self.event(*words)
        finally:
            Tracer.begin = begin  # type: ignore[method-assign]
            cursor.children = children
            self.fired = tracer.run is not run  # what is done at once leaves nothing

    def look(self, tracer: Tracer, run: Any) -> bool:
        """Stands in for `Tracer.read`."""
        found = self.read(tracer, run)
        if found:
            self.passed()
        return found

    def calculate(self, tracer: Tracer, run: Any, *words: Any) -> bool:
        """Stands in for `Tracer.compute`."""
        self.begun(run)
        if self.kind == "fault":
            self.lengths[-1] += 1
            if self.due(run):
                self.fired = True
                return False
        return self.compute(tracer, run, *words)


@contextlib.contextmanager
def exits(kind: str, segment: int, event: int) -> Iterator[Injection]:
    """Leave one replay; segment -1: none, only count."""
    injection = Injection(kind, segment, event)
    before = {name: getattr(Tracer, name) for name in ("read", "compute", "may_record")}
    on_op = HUB.on_op

    def dispatch(descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        tracer = HUB.tracer()
        if tracer.busy or tracer.off:
            return descriptor.execute(args, kwargs)
        with tracer.lock:
            return injection.meet(tracer, descriptor, args, kwargs)

    _dispatch_through(dispatch)
    Tracer.read = lambda *words: injection.look(*words)  # type: ignore[method-assign]
    Tracer.compute = lambda *words: injection.calculate(*words)  # type: ignore[method-assign]
    Tracer.may_record = lambda tracer: False  # type: ignore[method-assign]
    try:
        yield injection
    finally:
        _dispatch_through(on_op)
        for name, function in before.items():
            setattr(Tracer, name, function)


def _dispatch_through(function: Any) -> None:
    if state.on_op == HUB.on_op:
        state.on_op = function
    HUB.on_op = function
