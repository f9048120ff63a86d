"""`flambeau.explain()`: what the compiler has done in this process, and what it has left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ._engine.base.telling import TIMES, tells
from ._engine.trace.hub import HUB
from ._engine.trace.log import LOG, Exit, Failure

__all__ = ["Explanation", "Kernel", "Profile", "Program", "Segment", "explain"]


@dataclass
class Kernel:
    """A step of a program: native code, or a call back to an eager rule.

    Attributes:
        kind: "gemm", "loop", a special kernel's name, or "callback".
        text: what it computes.
        event, line: the public call that it belongs to, and the user's line.
        flops, bytes: what one call computes and moves, as far as that can be told.
        calls, seconds: while `explain(run=...)` watched.
    """

    kind: str
    text: str
    event: str
    line: str
    flops: int
    bytes: int
    calls: int = 0
    seconds: float = 0.0

    @property
    def gflops(self) -> float:
        """10^9 operations a second."""
        return self.flops * self.calls / self.seconds / 1e9 if self.seconds else 0.0

    @property
    def bandwidth(self) -> float:
        """10^9 bytes a second."""
        return self.bytes * self.calls / self.seconds / 1e9 if self.seconds else 0.0


@dataclass
class Program:
    """Native code of a segment, or of its part up to where a result is read.

    Attributes:
        runs: since it was recorded.
        compilations: one more each time that other results were still alive than before.
    """

    name: str
    runs: int
    compilations: int
    kernels: list[Kernel]
    native: Any = field(repr=False, default=None)


@dataclass
class Segment:
    """Events that are replayed.

    Attributes:
        name: of its first and last event.
        events: (name, the user's `file:line`) of each.
        paused: events for which it is still left alone, because it was left too often.
        recording: seconds.
    """

    name: str
    events: list[tuple[str, str]]
    programs: list[Program]
    paused: int
    recording: float

    @property
    def runs(self) -> int:
        """How often its last program has run."""
        return self.programs[-1].runs if self.programs else 0


@dataclass
class Profile:
    """Where the time of `explain(run=...)` went.

    Attributes:
        seconds: all of it.
        kernels: inside compiled programs' kernels.
        data: in DataLoaders' `next`.
        python: the rest: the program's own Python, ops that run eagerly, guards, callbacks.
        peaks: (10^9 float operations a second, 10^9 bytes a second, threads) of this machine.
    """

    seconds: float
    kernels: float
    data: float
    peaks: Any

    @property
    def python(self) -> float:
        """What is neither kernels nor data."""
        return max(self.seconds - self.kernels - self.data, 0.0)


@dataclass
class Explanation:
    """What `explain` found; print it, or look at its attributes.

    Attributes:
        mode: the compiler's.
        segments: what was compiled.
        abandoned: recordings that failed, with the reason, and how often.
        left_eager: segments that are too little work to compile, likewise.
        exits: kinds of side exits (segment, events, guard, line), and how often each.
        compiling: see `_engine.runtime.costs`; None where nothing was compiled.
        recording: seconds of all recordings, with the work that was done meanwhile.
        profile: with `run` only.
    """

    mode: str
    segments: list[Segment]
    abandoned: dict[Failure, int]
    left_eager: dict[Failure, int]
    exits: dict[Exit, int]
    compiling: Any
    recording: float
    profile: Profile | None = None

    def __str__(self) -> str:
        from ._explain_text import text_of

        return text_of(self)

    __repr__ = __str__


def explain(run: Callable[[], Any] | None = None) -> Explanation:
    """What was compiled, what was not and why, and what it cost.

    Looking changes nothing: nothing is computed, compiled or settled by it. What it tells is
    counted when segments are recorded, left or compiled, so nothing is paid by those who never ask.

    Args:
        run: called once, while the kernels of what has been compiled so far are timed; give it
            some steps of a loop that has run a few times before. The machine's peaks are measured
            too, once a process.

    >>> flambeau.explain().mode in ("off", "auto", "force")
    True
    """
    if run is None:
        return _explanation()
    before = _explanation()
    programs = [program for segment in before.segments for program in segment.programs]
    with _timed(programs), _data_timed() as data:
        start = perf_counter()
        run()
        seconds = perf_counter() - start
        kernels = _read_times(programs)
    after = _explanation()
    _give_times(programs, after)
    peaks = None
    if programs:
        from ._engine.runtime.peaks import peaks as measured

        peaks = measured()
    after.profile = Profile(seconds, kernels, data[0], peaks)
    return after


def _explanation() -> Explanation:
    compiling: Any = None
    if HUB.mode != "off" or LOG.segments:
        from ._engine.runtime.costs import COSTS

        compiling = COSTS
    segments: dict[int, Segment] = {}
    for entry in list(LOG.segments):
        last = entry.last()
        if last is not None and last.final and id(last) not in segments:
            segments[id(last)] = _segment(last, entry.seconds)
    return Explanation(
        HUB.mode, list(segments.values()), dict(LOG.failures), dict(LOG.small),
        dict(LOG.exits.most_common()), compiling, LOG.recording_seconds,
    )  # fmt: skip


def _segment(last: Any, seconds: float) -> Segment:
    path = last.path()
    events = [(node.descriptor.name, node.line) for node in path]
    programs = [_program(node.ending, events) for node in path if node.ending is not None]
    found = [program for program in programs if program is not None]
    name = f"{events[0][0]}..{events[-1][0]}"
    return Segment(name, events, found, path[0].parent.pause, seconds)


def _program(ending: Any, events: list[tuple[str, str]]) -> Program | None:
    if ending.program is None:
        return None
    kernels = []
    for facts in ending.program.describe():
        event, line = events[facts.event] if facts.event < len(events) else ("", "")
        kernels.append(Kernel(facts.kind, facts.text, event, line, facts.flops, facts.bytes))
    return Program(ending.name, ending.runs, ending.compilations, kernels, ending.program)


# --- timing ---------------------------------------------------------------------------------------


@contextmanager
def _timed(programs: list[Program]) -> Iterator[None]:
    """Let programs add up the times of their kernels."""
    for program in programs:
        program.native.times[:] = 0
        program.native.profile(True)
    try:
        yield
    finally:
        for program in programs:
            program.native.profile(tells(TIMES))


def _read_times(programs: list[Program]) -> float:
    total = 0.0
    for program in programs:
        for kernel, nanoseconds in zip(program.kernels, program.native.times, strict=True):
            kernel.seconds = float(nanoseconds) / 1e9
            total += kernel.seconds
    return total


def _give_times(before: list[Program], after: Explanation) -> None:
    """Move the times to the explanation of afterwards."""
    known = {id(program.native): program for program in before}
    for segment in after.segments:
        for program in segment.programs:
            timed = known.get(id(program.native))
            if timed is None:
                continue
            for kernel, old in zip(program.kernels, timed.kernels, strict=True):
                kernel.calls, kernel.seconds = program.runs - timed.runs, old.seconds


@contextmanager
def _data_timed() -> Iterator[list[float]]:
    """The seconds that DataLoaders' iterators take, in a list of one."""
    from .utils.data._utils.iterators import _BaseDataLoaderIter

    seconds = [0.0]
    own = {kind: kind.__dict__["__next__"] for kind in _iterators(_BaseDataLoaderIter)}
    for kind, method in own.items():
        setattr(kind, "__next__", _adding(method, seconds))  # noqa: B010
    try:
        yield seconds
    finally:
        for kind, method in own.items():
            setattr(kind, "__next__", method)  # noqa: B010


def _iterators(kind: type) -> Iterator[type]:
    """The classes, this one and those below it, that have a `__next__` of their own."""
    if "__next__" in kind.__dict__:
        yield kind
    children: list[type] = kind.__subclasses__()
    for below in children:
        yield from _iterators(below)


def _adding(method: Callable[[Any], Any], seconds: list[float]) -> Callable[[Any], Any]:
    """A method that adds its time; time of such methods inside it is not counted twice."""

    def timed(self: Any) -> Any:
        start, before = perf_counter(), seconds[0]
        try:
            return method(self)
        finally:
            seconds[0] = before + perf_counter() - start

    return timed
