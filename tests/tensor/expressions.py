"""Small programs, by topic, and what they print with a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def topics() -> dict[str, list[str]]:
    """The programs of expressions.txt."""
    found: dict[str, list[str]] = {}
    for line in (Path(__file__).parent / "expressions.txt").read_text().splitlines():
        if line.startswith("["):
            programs = found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            programs.append(line)
    return found


def outcome(torch: Any, program: str) -> str:
    """The repr of the last expression, or the type of the error."""
    *statements, last = program.split("; ")
    scope = {"torch": torch}
    try:
        for statement in statements:
            exec(statement, scope)
        return repr(eval(last, scope))
    except Exception as error:
        return f"raises {type(error).__name__}"
