"""The tables as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .cases import Case

WIDTH = 46


def machine(found: dict[str, Any]) -> str:
    """One line on the machine."""
    versions = ", ".join(f"{n} {v or 'not installed'}" for n, v in found["versions"].items())
    return (
        f"{found['processor']}, {found['cores']} cores, load {found['load']}; "
        f"Python {found['python']}, {versions}"
    )


def heading(rivals: Iterable[str]) -> str:
    """The columns' names: each rival with its ratio to flambeau."""
    columns = "".join(f"{name:>10}{'ratio':>8}" for name in rivals if name != "flambeau")
    return f"{'':<{WIDTH}}{'flambeau':>10}{columns}  to reach"


def goal(case: Case, row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The figure to reach, and whether it is reached."""
    seconds = row["seconds"]
    ours = seconds.get("flambeau")
    words = []
    for rival, least in case.least.items():
        if ours and rival in seconds:
            met = "yes" if seconds[rival] >= least * ours else "NO"
            words.append(f"{rival} {least:g}x {met}")
    if case.most and ours:
        other, most = case.most
        base = next((r["seconds"].get("flambeau") for r in rows if r["case"] == other), None)
        if base:
            met = "yes" if ours <= most * base else "NO"
            words.append(f"{ours / base:.2f} of at most {most:g} without {met}")
    return ", ".join(words)


def line(case: Case, row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """One case, and a line below it for each rival that could not run it."""
    seconds = row["seconds"]
    ours = seconds.get("flambeau")
    text = f"{case.name:<{WIDTH}}" + (f"{1e6 * ours:>10.1f}" if ours else f"{'-':>10}")
    for rival in row["rivals"]:
        if rival == "flambeau":
            continue
        theirs = seconds.get(rival)
        ratio = f"{theirs / ours:>7.2f}x" if ours and theirs else f"{'':>8}"
        text += (f"{1e6 * theirs:>10.1f}" if theirs else f"{'-':>10}") + ratio
    text += "  " + goal(case, row, rows)
    for rival, why in row["skipped"].items():
        text += f"\n    {rival}: {why}"
    return text.rstrip()
