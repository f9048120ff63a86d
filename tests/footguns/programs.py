"""Programs that tracing systems get wrong, by their numbers in the list that they come from.

Above 30: programs that the list does not have. Each is a function of `torch` and of `read`, the way
in which it looks at what it computes (see `common.reader`).
"""

from __future__ import annotations

from . import changes, exposed, flow, found, functions, histories, hooks, memory, tapes
from .common import PROGRAMS, READERS, reader

LISTED = range(1, 31)

__all__ = [
    "LISTED", "PROGRAMS", "READERS", "changes", "exposed", "flow", "found", "functions",
    "histories", "hooks", "memory", "reader", "tapes",
]  # fmt: skip
