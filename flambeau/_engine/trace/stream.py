"""Whether the stream of events repeats itself, where no step and no read says that a loop is there.

A loop that evaluates, or that updates parameters by hand, has neither. Its events come again and
again in the same order: that order is one period, and it begins where the repetition began.
"""

from __future__ import annotations

LONGEST_PERIOD = 1024  # events
# events that must have come again before a period is believed: several alike layers are no loop
ENOUGH = {"auto": 32, "force": 16}
SIGHTS = {"auto": 2, "force": 1}  # and how often all of the period must have


class Stream:
    """The events since the last boundary, each as a number that equal ones have in common."""

    def __init__(self) -> None:
        self._count_anew()

    def clear(self) -> None:
        """A segment begins or ends here for another reason: count anew."""
        if self.signs:  # in a replay there are none: this is on the path of every read
            self._count_anew()

    def _count_anew(self) -> None:
        self.signs: list[int] = []
        self.closing: list[bool] = []
        self.latest: dict[int, int] = {}
        self._lose()

    def _lose(self) -> None:
        """There is no period."""
        self.period = self.matched = self.start = self.moved = 0

    def note(self, sign: int, closing: bool) -> None:
        """An event: `closing` where no history is open after it, as after a backward."""
        if len(self.signs) >= 4 * LONGEST_PERIOD:
            self.clear()
        signs, at = self.signs, len(self.signs)
        signs.append(sign)
        self.closing.append(closing)
        if self.period and signs[at - self.period] == sign:
            self.matched += 1
        else:
            self._lose()
            before = self.latest.get(sign)
            if before is not None and at - before <= LONGEST_PERIOD:
                self._suppose(before, at)
        self.latest[sign] = at

    def _suppose(self, before: int, at: int) -> None:
        """Perhaps the events from `before` on come again from `at` on, and those before them."""
        signs, length = self.signs, 1
        while length <= before and signs[before - length] == signs[at - length]:
            length += 1
        self.period, self.matched, self.start = at - before, length, before - length + 1

    def comes_round(self, mode: str) -> bool:
        """Whether the event noted last is the first of a period that is believed."""
        period, at = self.period, len(self.signs) - 1
        if not period or self.matched <= max(ENOUGH[mode], SIGHTS[mode] * period):
            return False
        if (at - self.start) % period:
            return False
        return any(self.closing[at - period : at])

    def later(self) -> None:
        """Nothing can begin at this event: the next one is tried as the first of the period."""
        self.start += 1
        self.moved += 1
        if self.moved > self.period:  # nor at any other
            self.clear()
