"""Where buffers lie in a program's scratch memory: as long as one is in use, no other is there."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from .plan import ARENA, Buffer

ALIGNMENT = 64  # a cache line, and the widest vector


def place_arena(buffers: Sequence[Buffer], uses: dict[int, tuple[int, int]]) -> int:
    """Give arena buffers their offsets; returns the arena's size in bytes.

    Args:
        buffers: all of the plan's.
        uses: the first and the last step that uses each buffer, by its number.

    Best fit: what is no longer used is free again, and free neighbours are joined.
    """
    begins: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for number, (first, last) in uses.items():
        if buffers[number].kind == ARENA:
            begins.setdefault(first, []).append(number)
            ends.setdefault(last, []).append(number)
    free = _Free()
    for step in sorted({*begins, *ends}):
        for number in sorted(begins.get(step, ()), key=lambda n: (-buffers[n].nbytes, n)):
            buffers[number].offset = free.take(_rounded(buffers[number].nbytes))
        for number in ends.get(step, ()):
            free.give(buffers[number].offset, _rounded(buffers[number].nbytes))
    return free.top


def _rounded(nbytes: int) -> int:
    return max(ALIGNMENT, -(-nbytes // ALIGNMENT) * ALIGNMENT)


class _Free:
    """Free stretches of the arena below `top`, in order and with something between any two."""

    def __init__(self) -> None:
        self.top = 0
        self.starts: list[int] = []
        self.sizes: list[int] = []

    def take(self, size: int) -> int:
        best = -1
        for place, held in enumerate(self.sizes):
            if held >= size and (best < 0 or held < self.sizes[best]):
                best = place
        if best < 0:
            start = self.top
            if self.starts and self.starts[-1] + self.sizes[-1] == self.top:
                start = self.starts.pop()
                self.sizes.pop()
            self.top = start + size
            return start
        start = self.starts[best]
        self.starts[best] += size
        self.sizes[best] -= size
        if not self.sizes[best]:
            del self.starts[best], self.sizes[best]
        return start

    def give(self, start: int, size: int) -> None:
        place = bisect.bisect(self.starts, start)
        self.starts.insert(place, start)
        self.sizes.insert(place, size)
        for left in (place, place - 1):
            right = left + 1
            if left < 0 or right >= len(self.starts):
                continue
            if self.starts[left] + self.sizes[left] == self.starts[right]:
                self.sizes[left] += self.sizes.pop(right)
                del self.starts[right]
