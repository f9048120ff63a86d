"""Random programs run line by line on torch and on flambeau, and compared.

python -m tests.fuzz.against_torch --count 3000 --seed 0

About two programs in a hundred still differ, in ways that are known:
- operands that overlap in part: flambeau reads the old values, torch reads what it has written;
- "modified by an inplace operation" where flambeau did not need what was modified (norm, take,
  gather, `x.op_(x)`), or a second backward through steps that it kept nothing of;
- a view made under no_grad of a tensor that requires grad: torch drops its gradient, flambeau
  gives it a `.grad`;
- a result of bool or integer dtype that torch marks as requiring grad after a write;
- the sign of a zero remainder, and which of nan and inf a complex division by zero gives.
"""

from __future__ import annotations

import argparse
import cmath
import math
import sys
from random import Random
from typing import Any

from .programs import Machine, next_line, state

TOLERANCE = {"float16": 2e-2, "bfloat16": 8e-2, "float64": 1e-7, "complex128": 1e-7}

STOP = "stop"  # the programs may differ from here on, rightly
# what torch refuses and flambeau computes, and the reverse: known differences
STRICTER = (
    "some elements of the input tensor and the written-to tensor refer to a single memory",
    "value cannot be converted to type uint8_t without overflow",
    "not implemented for",
    "complex",
    "stride 1",
)
OURS_STRICTER = ("more than one element of the written-to tensor", "not implemented for")


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Whether nested lists of numbers agree."""
    if isinstance(a, list):
        return (
            isinstance(b, list)
            and len(a) == len(b)
            and all(close(x, y, tolerance) for x, y in zip(a, b))
        )
    if isinstance(a, complex):
        finite = cmath.isfinite(a) and cmath.isfinite(b)
        return not finite or (close(a.real, b.real, tolerance) and close(a.imag, b.imag, tolerance))
    if isinstance(a, float) and isinstance(b, float):
        if not math.isfinite(a) or not math.isfinite(b):
            return (math.isnan(a) and math.isnan(b)) or a == b or max(abs(a), abs(b)) > 1e4
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) or min(abs(a), abs(b)) > 1e6
    return a == b


def difference(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """The first field that differs, or ''."""
    for key, value in theirs.items():
        if key == "values":
            tolerance = TOLERANCE.get(theirs["dtype"].removeprefix("torch."), 1e-4)
            if not close(value, ours[key], tolerance):
                return f"values: torch {value}, flambeau {ours[key]}"
        elif key == "grad" and value and ours[key]:
            found = difference({k: v for k, v in value.items() if k != "version"}, ours[key])
            if found:
                return "grad " + found
        elif value != ours[key]:
            return f"{key}: torch {value}, flambeau {ours[key]}"
    return ""


def layout_only(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether they differ in the order of dimensions in memory only: a known freedom."""
    return theirs["stride"] != ours["stride"] and not difference(
        {k: v for k, v in theirs.items() if k not in ("stride", "offset")}, ours
    )


def differ(reference: Machine, machine: Machine, line: str) -> str:
    """Run a line on both; how the results differ, or ''."""
    theirs, ours = reference.run(line), machine.run(line)
    failed = bool(theirs)
    if theirs != ours:
        if any(text in str(reference.error) for text in STRICTER):
            return STOP
        if any(text in str(machine.error) for text in OURS_STRICTER):
            return STOP

        def told(kind: str, m: Machine) -> str:
            return f"{kind}: {m.error}"[:300] if kind else "no error"

        return f"error: torch {told(theirs, reference)} | flambeau {told(ours, machine)}"
    a, b = reference.tensors, machine.tensors
    if a.keys() != b.keys():
        return f"names: {a.keys() ^ b.keys()}"
    for name in a:
        theirs, ours = state(a[name]), state(b[name])
        for machine_, found_ in ((reference, theirs), (machine, ours)):
            if isinstance(found_["version"], int):
                found_["version"] -= machine_.born[name]
        if "RuntimeError" in theirs.values() or layout_only(theirs, ours):
            del reference.names[name], machine.names[name]
            continue
        found = difference(theirs, ours)
        if found and failed:  # torch may have written a part before it raised
            return STOP
        if found:
            return f"{name} {found}"
    return ""


def replay(lines: list[str]) -> str:
    """How the two differ on a given program."""
    import torch

    import flambeau

    reference, machine = Machine(torch), Machine(flambeau)
    for line in lines:
        found = differ(reference, machine, line)
        if found:
            return found.replace(STOP, "")
    return ""


def kind(found: str) -> str:
    """What sort of difference, for shrinking."""
    words = found.replace("grad ", "grad_").split()
    return " ".join(words[:1] if words[0] == "error:" else words[1:2])


def shrink(lines: list[str], found: str) -> tuple[list[str], str]:
    """Leave out lines while the same sort of difference stays."""
    changed = True
    while changed:
        changed = False
        for position in reversed(range(len(lines) - 1)):
            shorter = lines[:position] + lines[position + 1 :]
            again = replay(shorter)
            if again and kind(again) == kind(found) and "NameError" not in again:
                lines, found, changed = shorter, again, True
    return lines, found


def check(seed: int, length: int) -> tuple[list[str], str] | None:
    """One random program; a shortest program that differs, and how."""
    import torch

    import flambeau

    random = Random(seed)
    reference, machine = Machine(torch), Machine(flambeau)
    lines: list[str] = []
    for number in range(length):
        lines.append(next_line(random, reference, number))
        found = differ(reference, machine, lines[-1])
        if found == STOP:
            return None
        if found:
            return shrink(lines, found)
    return None


def main() -> int:
    """Check many programs and print those that differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--length", type=int, default=25)
    arguments = parser.parse_args()
    failures = 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        found = check(seed, arguments.length)
        if found:
            failures += 1
            lines, how = found
            print(f"--- seed {seed}: {how}")
            print("\n".join("    " + line for line in lines), flush=True)
    print(f"{arguments.count} programs, {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
