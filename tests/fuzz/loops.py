"""Random loops: programs as text, run with any module that claims to be torch, and compared.

A loop is what a JIT meets: the same lines again and again, with something that changes in the
middle. Everything that a user could see is kept: what the program logs, its errors, and the whole
state of its tensors, models and optimizers at the end.
"""

from __future__ import annotations

import copy
import gc
import io
import math
import re
import warnings
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from .programs import state

HEADER = """# FLAMBEAU_JIT=off, auto or force
import copy, gc, io
import numpy as np
import flambeau as torch
class Interrupt(BaseException): pass
kept = []
log, keep = print, kept.append
"""
GRAD_FN = re.compile(r"grad_fn=<\w+>")  # nodes have names of their own
NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]?\d+)?|-?inf|nan")
TOLERANCE = {"torch.float16": 1e-2, "torch.bfloat16": 6e-2, "torch.float64": 1e-7}


class Interrupt(BaseException):
    """What a program raises where a user would press Ctrl-C."""


@dataclass(frozen=True)
class Line:
    """A line of the loop's body, and the condition on `i` under which it runs ("": always)."""

    text: str
    when: str = ""


@dataclass(frozen=True)
class Loop:
    """A program.

    Attributes:
        each: errors are caught line by line, not step by step.
        tolerance: relative, for float32.
        torch: whether the real torch gives the same.
    """

    setup: tuple[str, ...]
    body: tuple[Line, ...]
    steps: int = 14
    each: bool = False
    tolerance: float = 2e-4
    torch: bool = True

    def source(self) -> str:
        """The program's text, without the header."""
        lines = ["torch.manual_seed(0)", "F = torch.nn.functional", *self.setup]
        lines.append(f"for i in range({self.steps}):")
        caught = ["except (Exception, Interrupt) as error:", "    log(error)"]
        blocks = [self.body] if not self.each else [(line,) for line in self.body]
        for block in blocks:
            lines.append("    try:")
            for line in block:
                text = line.text.split("\n")
                if line.when:
                    lines.append(f"        if {line.when}:")
                lines += [("            " if line.when else "        ") + part for part in text]
            if not block:
                lines.append("        pass")
            lines += ["    " + text for text in caught]
        return "\n".join(lines) + "\n"

    def script(self) -> str:
        """The program as one can run it."""
        return HEADER + self.source()


# a number in a line, but for parts of names, formats and strings
LITERAL = re.compile(r"(?<![\w.:'\"])\d+\.\d*(?![\w.'\"])")
SCHEDULES = [
    "({0} + 0.1 * i)", "({0} * 0.9 ** i)", "({0} / (1 + i))", "({0} if i < 7 else 1 - {0})",
    "[{0}, 1.0, 0.0, 0.5][i % 4]", "({0} if i % 5 else 1.0)", "np.float64({0} + 0.05 * i)",
    "({0} if i < 6 else i)", "(i + 1)", "({0} - 0.125 * (i // 4))", "[{0}, -0.0, i, 1][i // 4]",
    "(1e30 if i == 8 else {0} + i)", "(float('nan') if i == 11 else {0} - 0.01 * i)",
]  # fmt: skip


def varied(loop: Loop, random: Random, chance: float = 0.6) -> Loop:
    """The loop with numbers that are others from step to step."""

    def schedule(found: re.Match) -> str:
        if random.random() > chance:
            return found[0]
        return random.choice(SCHEDULES).format(found[0])

    body = tuple(replace(line, text=LITERAL.sub(schedule, line.text)) for line in loop.body)
    return replace(loop, body=body)


def run(loop: Loop, torch: Any) -> list[Any]:
    """Everything observable of a run."""
    seen: list[Any] = []
    kept: list[Any] = []
    names: dict[str, Any] = {
        "torch": torch, "copy": copy, "gc": gc, "io": io, "np": np, "Interrupt": Interrupt,
        "log": lambda *values: seen.append([observe(v) for v in values]), "keep": kept.append,
        "kept": kept,
    }  # fmt: skip
    given = set(names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(loop.source(), "<loop>", "exec"), names)
        except Exception as error:  # the setup's, which a shrunk program may have
            seen.append(observe(error))
        finally:
            torch.set_default_dtype(torch.float32)
        ends = {n: v for n, v in names.items() if n not in given and n not in ("F", "error")}
        seen.append({n: observe(v) for n, v in ends.items() if not n.startswith("__")})
        seen.append(observe(kept))
        seen.append(observe(torch.rand(2)))
    return seen


def observe(value: Any) -> Any:
    """A value as plain data."""
    if isinstance(value, type):
        return value.__name__
    if hasattr(value, "requires_grad_") and not hasattr(value, "parameters"):
        return state(value)
    if isinstance(value, BaseException):
        kind = "RuntimeError" if isinstance(value, RuntimeError) else type(value).__name__
        return {"error": kind, "message": str(value).replace("a view of a leaf", "a leaf")}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, str):
        value = GRAD_FN.sub("grad_fn", value)
        return [NUMBER.sub("#", value), [float(n) for n in NUMBER.findall(value)]]
    if isinstance(value, dict):
        return {str(key): observe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [observe(item) for item in value]
    if hasattr(value, "parameters") and hasattr(value, "state_dict"):
        grads = [observe(p.grad) for p in value.parameters()]
        return [observe(dict(value.state_dict())), grads]
    if hasattr(value, "param_groups"):
        found = value.state_dict()
        groups = [{k: g[k] for k in ("lr", "params")} for g in found["param_groups"]]
        return [observe(found["state"]), groups]
    if isinstance(value, (bool, int, float, complex, type(None))):
        return value
    return type(value).__name__


# what one of the two refuses, rightly, and the other does (see `against_torch`)
KNOWN = (
    "more than one element of the written-to tensor",
    "some elements of the input tensor and the written-to tensor refer to a single memory",
    "derivative for aten::",
)
# how tensors are kept, which no result depends on; and what the real torch is not asked
BOOKKEEPING = frozenset({"version", "is_view"})
LOOSE = BOOKKEEPING | {"stride", "offset", "message"}


def difference(
    a: Any, b: Any, tolerance: float, ignore: frozenset[str] = frozenset(), floor: float = 1e-7
) -> str:
    """Where two observations first differ, or ''; `floor`: a part of the largest number."""
    largest = max(1.0, *_magnitudes(a), *_magnitudes(b))
    return _difference(a, b, tolerance, floor * largest, ignore, "")


def near(a: Any, b: Any, tolerance: float, floor: float) -> bool:
    """Whether two numbers count as the same."""
    if a == b or (a != a and b != b):
        return True
    return abs(a - b) <= tolerance * max(abs(a), abs(b)) + floor + 0.1 * tolerance


def _magnitudes(value: Any) -> list[float]:
    if isinstance(value, float):
        return [abs(value)] if math.isfinite(value) else []
    if isinstance(value, complex):
        return [abs(value)] if math.isfinite(abs(value)) else []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [max(found)] if (found := [m for item in value for m in _magnitudes(item)]) else []
    return []


def _difference(
    a: Any, b: Any, tolerance: float, floor: float, ignore: frozenset[str], where: str
) -> str:
    if isinstance(a, dict) and isinstance(b, dict):
        if "error" in a or "error" in b:
            a, b = ({"error": x.get("error"), "message": x.get("message")} for x in (a, b))
        if a.keys() != b.keys():
            return f"{where}: {sorted(a.keys() ^ b.keys())} in one only"
        if "dtype" in a:
            tolerance = max(TOLERANCE.get(a["dtype"], tolerance), tolerance)
        pairs = [(f"{where}.{key}", a[key], b[key]) for key in a if key not in ignore]
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            told = f"{where}: {len(a)} and {len(b)} entries"
            for n, (x, y) in enumerate(zip(a, b)):
                if found := _difference(x, y, tolerance, floor, ignore, f"{where}[{n}]"):
                    return f"{told}, {found}"
            return told
        pairs = [(f"{where}[{n}]", x, y) for n, (x, y) in enumerate(zip(a, b))]
    elif isinstance(a, (float, complex)) and isinstance(b, (float, complex)):
        return "" if near(a, b, tolerance, floor) else f"{where}: {a} and {b}"
    else:
        return "" if type(a) is type(b) and a == b else f"{where}: {a!r} and {b!r}"[:600]
    for place, x, y in pairs:
        if found := _difference(x, y, tolerance, floor, ignore, place):
            return found
    return ""


def shorter(loop: Loop) -> list[Loop]:
    """The loop with something left out, in many ways."""
    found = []
    for n in reversed(range(len(loop.body))):
        found.append(replace(loop, body=loop.body[:n] + loop.body[n + 1 :]))
    for n in reversed(range(len(loop.setup))):
        found.append(replace(loop, setup=loop.setup[:n] + loop.setup[n + 1 :]))
    for n, line in enumerate(loop.body):
        if line.when:
            bare = (Line(line.text),)
            found.append(replace(loop, body=loop.body[:n] + bare + loop.body[n + 1 :]))
    if loop.steps > 1:
        found.append(replace(loop, steps=loop.steps - 1))
    return found
