"""Lines for those who set FLAMBEAU_DEBUG. Each level has the lines of those before it too.

- 1: segments recorded, left by the side exit, or not compiled, with the user's lines
- 2: each recorded event, with the patterns that guard it
- 3: the graph of each part that is compiled
- 4: the kernels that it becomes
- 5: each kernel's LLVM IR
- 6: the time of each run, and of its kernels
"""

from __future__ import annotations

import sys

from . import config

EVENTS, PATTERNS, GRAPHS, KERNELS, CODE, TIMES = range(1, 7)


def tells(level: int) -> bool:
    """Whether lines of this level are wanted."""
    return level <= config.DEBUG


def tell(level: int, text: str) -> None:
    """Write text to standard error, if it is wanted."""
    if level <= config.DEBUG:
        lines = text.splitlines() or [""]
        sys.stderr.write("".join(f"flambeau: {line}\n" for line in lines))
