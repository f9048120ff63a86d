"""Random loops in every mode of the JIT, compared with the eager run, and with torch if asked.

python -m tests.fuzz.jit_against_eager --count 3000 --seed 0 [--torch]

A program that differs is made shorter and printed as a script that can be run.
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random
from typing import Any

import flambeau
from tests.modes import MODES, mode

from .loops import KNOWN, LOOSE, Loop, difference, run, shorter
from .tensors import tensors
from .training import training

KINDS = ("training", "training", "smooth", "any")


def make(seed: int) -> Loop:
    """The loop with this number."""
    random = Random(seed)
    kind = KINDS[seed % len(KINDS)]
    if kind == "training":
        return training(random)
    with mode("off"):
        return tensors(random, flambeau, smooth=kind == "smooth")


def disagreement(loop: Loop, torch: Any = None) -> str:
    """The first mode that does not give what eager gives, and how; or ''."""
    with mode("off"):
        eager = run(loop, flambeau)
    for name in MODES[1:]:
        with mode(name):
            found = difference(eager, run(loop, flambeau), loop.tolerance)
        if found:
            return f"off and {name} differ at {found}"
    if torch is not None and loop.torch:
        theirs = run(loop, torch)
        told = repr(eager) + repr(theirs)
        found = difference(theirs, eager, loop.tolerance, frozenset(LOOSE))
        if found and not any(text in told for text in KNOWN):
            return f"torch and off differ at {found}"
    return ""


def shrink(loop: Loop, torch: Any, seconds: float = 30.0) -> tuple[Loop, str]:
    """A shorter loop on which the same two differ, and how."""
    found = disagreement(loop, torch)
    end = time.monotonic() + seconds
    changed = True
    while changed and time.monotonic() < end:
        changed = False
        for candidate in shorter(loop):
            again = disagreement(candidate, torch)
            if again.split(" differ")[0] == found.split(" differ")[0]:
                loop, found, changed = candidate, again, True
                break
    return loop, found


def main() -> int:
    """Check many programs and print those that differ."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--torch", action="store_true", help="compare eager with torch too")
    parser.add_argument("--print", action="store_true", help="print the programs, run nothing")
    parser.add_argument("--keep", action="store_true", help="do not shrink")
    arguments = parser.parse_args()
    torch = None
    if arguments.torch:
        import torch
    failures = 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        loop = make(seed)
        if arguments.print:
            print(loop.script())
            continue
        found = disagreement(loop, torch)
        if found:
            failures += 1
            print(f"--- seed {seed}: {found}", flush=True)
            if not arguments.keep:
                loop, found = shrink(loop, torch)
                print(f"# shortened: {found}")
            print(loop.script(), flush=True)
    print(f"{arguments.count} programs in {', '.join(MODES)}: {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
