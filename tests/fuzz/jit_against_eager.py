"""Random loops in every mode of the JIT, compared with the eager run, and with torch if asked.

python -m tests.fuzz.jit_against_eager --count 3000 --seed 0 [--torch]

A program that differs is made shorter and printed as a script that can be run. One that differs
by rounding only, which the program makes large (see `conditioning.py`), is counted apart.

What --torch still finds: hooks that raise in backward show the order in which leaves get their
gradients. It is PyTorch's for linear layers and convolutions (its accumulating nodes come before
all others as soon as they are complete, those of one step in the order of its operands). For
normalisation, and under autocast, flambeau comes to the bias before the weight, for attention to
the values first, for LSTMs to the biases first; and of four or more leaves of one step (cat, stack)
PyTorch's heap calls the third before the second. And a view of a tensor that got its history later
by an indexed write: PyTorch takes it for a leaf that must not be written to.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import flambeau
from flambeau._engine.trace.hub import HUB
from tests.modes import MODES, mode

from .conditioning import rounding_only
from .loops import BOOKKEEPING, KNOWN, LOOSE, Loop, difference, run, shorter, varied
from .scenes import scene
from .tensors import tensors
from .training import training

Check = Callable[[Loop], str]
KINDS = ("training", "opaque", "scene", "smooth", "any", "scene")


def make(seed: int, kind: str = "") -> Loop:
    """The loop with this number; its kind goes by the number too if it is not given."""
    random = Random(seed)
    kind = kind or KINDS[seed % len(KINDS)]
    if kind == "scene":
        return scene(random)
    if kind in ("training", "opaque"):
        return training(random, kind == "opaque")
    with mode("off"):
        return tensors(random, flambeau, smooth=kind == "smooth")


def program(seed: int) -> Loop:
    """That loop, or (six in twelve) that loop with numbers that vary."""
    loop = make(seed)
    return varied(loop, Random(seed)) if seed // len(KINDS) % 2 else loop


def disagreement(
    loop: Loop,
    torch: Any = None,
    alone: bool = False,
    ignore: frozenset[str] = BOOKKEEPING,
    turns: int = 2,
    modes: Sequence[str] = MODES[1:],
    excused: list[str] | None = None,
) -> str:
    """The first mode that does not give what eager gives, and how; or ''.

    Args:
        torch: the real one, to be compared too.
        alone: forget what has been compiled before.
        ignore: fields that may differ.
        turns: runs in each mode; the second one is replayed from its first step on.
        modes: those that are compared with eager mode.
        excused: gets the differences that are rounding only, which do not count.
    """

    def eagerly(loop: Loop) -> list[Any]:
        with mode("off"):
            return run(loop, flambeau)

    def counts(found: str, loop: Loop, theirs: Any, again: Callable[[Loop], Any]) -> bool:
        if not rounding_only(loop, eager, theirs, eagerly, again):
            return True
        if excused is not None:
            excused.append(found)
        return False

    eager = eagerly(loop)
    for name in modes:

        def compiled(loop: Loop, name: str = name) -> list[Any]:
            with mode(name):
                return run(loop, flambeau)

        if alone:
            HUB.clear()
        for turn in range(1, turns + 1):
            other = compiled(loop)
            found = difference(eager, other, loop.tolerance, ignore)
            if found and counts(found, loop, other, compiled):
                return f"off and {name} (run {turn}) differ at {found}"
    if torch is not None and loop.torch:
        theirs = run(loop, torch)
        told = repr(eager) + repr(theirs)
        found = difference(theirs, eager, loop.tolerance, LOOSE)
        if any(text in told for text in KNOWN):
            found = ""
        if found and counts(found, loop, theirs, lambda loop: run(loop, torch)):
            return f"torch and off differ at {found}"
    return ""


def shrink(loop: Loop, found: str, check: Check, seconds: float = 30.0) -> tuple[Loop, str]:
    """A shorter loop on which the same two differ, and how."""
    end = time.monotonic() + seconds
    changed = True
    while changed and time.monotonic() < end:
        changed = False
        for candidate in shorter(loop):
            again = check(candidate)
            if again and again.split(" (")[0] == found.split(" (")[0]:
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
    parser.add_argument("--together", action="store_true", help="keep what others compiled")
    parser.add_argument("--strict", action="store_true", help="compare versions and such too")
    arguments = parser.parse_args()
    torch = None
    if arguments.torch:
        import torch
    ignore = frozenset() if arguments.strict else BOOKKEEPING

    excused: list[str] = []

    def check(loop: Loop, alone: bool = True) -> str:
        return disagreement(loop, torch, alone, ignore, excused=excused)

    HUB.strict = True
    failures, ill = 0, []
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        loop = program(seed)
        if arguments.print:
            print(loop.script())
            continue
        excused.clear()
        found = check(loop, not arguments.together)
        if excused:
            ill.append(seed)
            print(f"--- seed {seed}, rounding only: {excused[0][:200]}", flush=True)
        if found:
            failures += 1
            print(f"--- seed {seed}: {found}", flush=True)
            if not arguments.keep and check(loop):
                loop, found = shrink(loop, found, check)
                print(f"# shortened: {found}")
            print(loop.script(), flush=True)
    print(f"ill-conditioned: {len(ill)} {ill or ''}")
    print(f"{arguments.count} programs in {', '.join(MODES)}: {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
