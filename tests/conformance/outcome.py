"""What a check says: passed, failed or excluded, with the reason; and its time limit."""

from __future__ import annotations

import contextlib
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType

TRACE = False  # print the traceback of every failed check


class Mismatch(Exception):
    """flambeau's result differs from torch's."""


class Missing(Exception):
    """flambeau has no counterpart of a torch name."""


class Excluded(Exception):
    """This entry is not considered; the text says why."""


class TimedOut(BaseException):
    """A check took longer than its limit (BaseException: no code under test may swallow it)."""


@dataclass
class Outcome:
    """One database entry: each of its checks, by name, with None for passed or the failure."""

    group: str
    entry: str
    checks: dict[str, str | None] = field(default_factory=dict)
    excluded: str | None = None
    samples: int = 0
    seconds: float = 0.0
    refused: int = 0  # samples that torch itself raises on
    set_aside: int = 0  # samples left out: sparse, quantised, more than 64 dimensions

    @property
    def key(self) -> str:
        return f"{self.group}/{self.entry}"

    @property
    def reason(self) -> str | None:
        """The first failure among the checks that decide, or None."""
        return next((f"{name}: {text}" for name, text in self.checks.items() if text), None)

    @property
    def passed(self) -> bool:
        return self.excluded is None and bool(self.checks) and self.reason is None

    @property
    def status(self) -> str:
        if self.excluded is not None:
            return "excluded"
        return "passed" if self.passed else "failed"


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimedOut inside the block when it runs longer than `seconds`."""

    def expire(number: int, frame: FrameType | None) -> None:
        raise TimedOut(f"longer than {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def describe(error: BaseException) -> str:
    """One line that says what went wrong, short enough for a table."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    if isinstance(error, (Mismatch, Missing, TimedOut)):
        name = name.lower()
    return f"{name}: {text}"[:200] if text else name


def run_check(outcome: Outcome, label: str, check: Callable[[], None], seconds: float) -> float:
    """Run one check into `outcome`, at most `seconds` long; returns the seconds that it took."""
    started = time.perf_counter()
    try:
        with time_limit(max(seconds, 0.1)):
            check()
        outcome.checks[label] = None
    except Excluded as error:
        outcome.excluded = str(error)
    except (TimedOut, Exception) as error:
        outcome.checks[label] = describe(error)
        if TRACE:
            traceback.print_exc()
    took = time.perf_counter() - started
    outcome.seconds += took
    return took
