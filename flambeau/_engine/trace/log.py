"""What the tracer has done: facts for `explain`, and lines for FLAMBEAU_DEBUG.

Only recordings, side exits and failures come here; a replay that goes through costs nothing.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from ..base.callers import user_line
from ..base.telling import EVENTS, PATTERNS, tell, tells
from .mistakes import reason_of
from .pattern import Asking, Companion, Input, Mapping, Result, Sequence, Varies

MOST = 1000  # kinds of exits and failures that are told apart


class Exit(NamedTuple):
    """A kind of side exit.

    Attributes:
        segment: its name, `events` of which had been promised.
        line: the user's, where it happened.
    """

    segment: str
    events: int
    reason: str
    line: str


class Failure(NamedTuple):
    """A kind of segment that was not compiled.

    Attributes:
        segment: its name, as far as it was recorded; empty if that is not at all.
        line: where it begins; `at`, where it was given up, if that was on the way.
    """

    segment: str
    reason: str
    line: str
    at: str = ""


class Segment(NamedTuple):
    """A recorded segment.

    Attributes:
        last: its last event in the tree, or None where the tree has gone with its thread.
        seconds: of its recording.
    """

    last: Callable[[], Any]
    seconds: float


OTHERS = {Exit: Exit("(others)", 0, "", ""), Failure: Failure("(others)", "", "")}


class Log:
    """What has happened in this process, all threads together.

    Attributes:
        counts: of segments "recorded" and recordings "abandoned", of "side exits" and "compiler
            errors".
        small: segments left eager because they are too little work.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget it."""
        self.counts: Counter[str] = Counter()
        self.segments: list[Segment] = []
        self.exits: Counter[Exit] = Counter()
        self.failures: Counter[Failure] = Counter()
        self.small: Counter[Failure] = Counter()
        self.recording_seconds = 0.0

    def count(self, name: str, counter: Counter[Any], kind: Any) -> None:
        """One more of a kind; beyond MOST kinds, new ones are told apart no more."""
        with self.lock:
            self.counts[name] += 1
            if kind not in counter and len(counter) >= MOST:
                kind = OTHERS[type(kind)]
            counter[kind] += 1

    def add(self, last: Any, seconds: float) -> None:
        """A segment that ends at `last` has been recorded, perhaps not for the first time."""
        with self.lock:
            self.counts["recorded"] += 1
            self.recording_seconds += seconds
            known = [segment for segment in self.segments if segment.last() is not None]
            if all(segment.last() is not last for segment in known):
                known.append(Segment(weakref.ref(last), seconds))
            self.segments = known


LOG = Log()


def recorded(recording: Any) -> None:
    """A segment has been recorded, and is in the tree."""
    events: list[Any] = []
    node = recording.root
    for event in recording.events:
        node = node.child_like(event)
        events.append(node)
    LOG.add(node, recording.seconds())
    text = f"recorded a segment of {len(events)} events: {_span(events)} from {events[0].line}"
    tell(EVENTS, text)
    if tells(PATTERNS):
        for number, node in enumerate(events):
            tell(PATTERNS, f"  {number}: {event_text(node)}  # {node.line}")


def left_eager(recording: Any) -> None:
    """A segment is too little work to compile."""
    events = recording.events
    text = f"{len(events)} events on few elements"
    LOG.count("left eager", LOG.small, Failure(_span(events), text, events[0].line))
    tell(EVENTS, f"left eager: {_span(events)} from {events[0].line}: {text}")


def abandoned(recording: Any) -> None:
    """A recording has failed."""
    events = recording.events
    at = user_line()
    line = events[0].line if events else at
    reason = recording.recorder.failure or "unknown"
    with LOG.lock:
        LOG.recording_seconds += recording.seconds()
    LOG.count("abandoned", LOG.failures, Failure(_span(events), reason, line, at))
    tell(EVENTS, f"not compiled: {_span(events)} from {line}, given up at {at}: {reason}")


def left(run: Any, reason: str) -> None:
    """A replay has been left by the side exit."""
    path = run.cursor.path()
    line = user_line()
    LOG.count("side exits", LOG.exits, Exit(_span(path), len(path), reason, line))
    tell(EVENTS, f"side exit after {len(path)} events of {_span(path)}, at {line}: {reason}")


def mistaken(what: str, error: Exception) -> None:
    """The compiler has failed at something, which is done eagerly.

    Raises:
        error: see `reason_of`.
    """
    reason = reason_of(error)
    LOG.count("compiler errors", LOG.failures, Failure(what, reason, user_line()))
    tell(EVENTS, f"not compiled: {what}: {reason}")


def event_text(node: Any) -> str:
    """An event with its patterns: `%` numbers results, `$` inputs, `*$` those seen first.

    `@` numbers what goes along and is no tensor.
    """
    if node.step is not None:
        inside = ["..."]
    else:
        inside = [_text(item) for item in node.args.items]
        inside += [f"{key}={_text(item)}" for key, item in node.kwargs.items]
    metas = node.metas.values()
    shapes = ", ".join(f"{meta.dtype.name}{list(meta.shape)}" for meta in metas)
    result = f" -> {_text(node.result)}" + (f": {shapes}" if shapes else "")
    return f"{node.descriptor.name}({', '.join(inside)}){result}"


def _text(pattern: Any) -> str:
    if isinstance(pattern, Result):
        return f"%{pattern.slot}"
    if isinstance(pattern, Input):
        return f"{'*' * pattern.new}${pattern.number}"
    if isinstance(pattern, Varies):
        return "<number>"
    if isinstance(pattern, Companion):
        return f"{'*' * pattern.new}@{pattern.number}"
    if isinstance(pattern, Asking):
        return f"@{pattern.number} about ({', '.join(map(_text, pattern.given))})"
    if isinstance(pattern, Sequence):
        return f"({', '.join(map(_text, pattern.items))})"
    if isinstance(pattern, Mapping):
        return f"{{{', '.join(f'{key!r}: {_text(item)}' for key, item in pattern.items)}}}"
    return repr(pattern.value)


def _span(events: list[Any]) -> str:
    names = [event.descriptor.name for event in events]
    return "..".join(names if len(names) < 2 else (names[0], names[-1]))
