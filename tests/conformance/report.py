"""The table on the terminal, docs/supported.md, the baseline of what passed before."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from .outcome import Outcome
from .tables import (
    LOOSENED,
    LOOSENED_MODULES,
    LOOSENED_STATES,
    MINIMUM_MODULES,
    MINIMUM_OPS,
    TIES,
    UNDEFINED_VALUES,
    UNPORTABLE_RANDOM,
)

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = ROOT / "docs" / "supported.md"
BASELINE = Path(__file__).with_name("baseline.json")
CACHE = ROOT / ".conformance" / "results.json"

TITLES = {
    "op": "op_db: forward and gradient",
    "op in-place": "op_db: in-place variants",
    "op out=": "op_db: out=",
    "op errors": "op_db: error inputs",
    "module": "module_db: train and eval",
    "module errors": "module_db: error inputs",
    "optimizer": "optim_db",
    "scheduler": "learning-rate schedulers",
    "seed": "same seed, same numbers",
    "demo": "the demo beside torch",
}
Results = dict[str, Outcome]


def load_cache() -> Results:
    """The outcomes of earlier runs in this checkout."""
    if not CACHE.exists():
        return {}
    return {key: Outcome(**value) for key, value in json.loads(CACHE.read_text()).items()}


def save_cache(results: Results) -> None:
    """Keep the outcomes for `--failed` and `--report` (written whole or not at all)."""
    CACHE.parent.mkdir(exist_ok=True)
    text = json.dumps({key: dataclasses.asdict(value) for key, value in results.items()}, indent=0)
    part = CACHE.with_suffix(f".{os.getpid()}")
    part.write_text(text)
    part.replace(CACHE)


def counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many passed, failed, were considered and excluded."""
    statuses = [outcome.status for outcome in outcomes]
    result = {name: statuses.count(name) for name in ("passed", "failed", "excluded")}
    result["considered"] = result["passed"] + result["failed"]
    return result


def of_group(results: Results, group: str) -> list[Outcome]:
    """The outcomes of one group, in the order of the database."""
    return [outcome for outcome in results.values() if outcome.group == group]


def summary(results: Results) -> list[tuple[str, dict[str, int]]]:
    """(group, counts) of each group that has outcomes."""
    groups = [group for group in TITLES if of_group(results, group)]
    return [(group, counts(of_group(results, group))) for group in groups]


def print_table(results: Results) -> None:
    """The one table of the run."""
    columns = ("passed", "failed", "considered", "excluded")
    print(f"{'group':<30}" + "".join(f"{name:>12}" for name in columns) + f"{'share':>9}")
    for group, count in summary(results):
        share = f"{count['passed'] / count['considered']:.1%}" if count["considered"] else "-"
        figures = "".join(f"{count[name]:>12}" for name in columns)
        print(f"{TITLES[group]:<30}{figures}{share:>9}")


def shortfalls(results: Results) -> list[str]:
    """What is below the demanded minimum, in words; empty when all is well."""
    problems = []
    tallies = dict(summary(results))
    zero = {"passed": 0, "failed": 0, "considered": 0, "excluded": 0}
    ops = tallies.get("op", zero)
    if ops["passed"] < MINIMUM_OPS * max(1, ops["considered"]):
        problems.append(f"op_db: {ops['passed']} of {ops['considered']}, below {MINIMUM_OPS:.0%}")
    modules = tallies.get("module", zero)
    if modules["passed"] < MINIMUM_MODULES:
        problems.append(f"module_db: {modules['passed']} modules, below {MINIMUM_MODULES}")
    for group in ("optimizer", "scheduler", "demo"):
        count = tallies.get(group, zero)
        if count["failed"] or not count["passed"]:
            names = [o.entry for o in of_group(results, group) if o.status == "failed"]
            problems.append(f"{TITLES[group]}: failed {', '.join(names) or 'to run'}")
    return problems


def regressions(results: Results) -> list[Outcome]:
    """What the committed baseline has as passed and this run has not."""
    if not BASELINE.exists():
        return []
    passed = json.loads(BASELINE.read_text())["passed"]
    return [results[k] for k in passed if k in results and not results[k].passed]


def write_baseline(results: Results) -> None:
    """Record what passes now."""
    passed = sorted(key for key, outcome in results.items() if outcome.passed)
    BASELINE.write_text(json.dumps({"passed": passed}, indent=0) + "\n")


def _reasons(title: str, table: Mapping[str, object]) -> list[str]:
    lines = [f"### {title}", ""]
    for name, value in table.items():
        text = f"x{value[0]:g}: {value[1]}" if isinstance(value, tuple) else value
        lines.append(f"- `{name}`: {text}")
    return [*lines, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _entry_row(outcome: Outcome, results: Results) -> str:
    checks = ", ".join(f"{n} {'no' if bad else 'yes'}" for n, bad in outcome.checks.items())
    extras = []
    for group in ("op in-place", "op out=", "op errors", "module errors"):
        extra = results.get(f"{group}/{outcome.entry}")
        if extra is not None and group.split()[0] == outcome.group:
            extras.append(f"{group.split()[1]} {'yes' if extra.passed else 'no'}")
    shown = ", ".join(filter(None, [checks, *extras]))
    reason = outcome.excluded or outcome.reason or ""
    return f"| `{outcome.entry}` | {outcome.status} | {shown} | {_cell(reason)} |"


def write_supported(results: Results, torch_version: str, samples: int) -> None:
    """docs/supported.md: every entry with its status and its first failure."""
    lines = [
        "# What of PyTorch's API works",
        "",
        "Written by `make conformance`; do not edit. PyTorch's own test databases were run",
        f"against flambeau beside torch {torch_version}, in one process on a CPU, with at most",
        f"{samples} samples an entry and dtype, spread evenly over those that torch generates.",
        "An op_db entry passes when every check passes that torch supports for it: float32",
        "forward and gradient, int64, bool and complex64 forward (values, dtype, shape).",
        "In-place variants, `out=` and error inputs (same exception type) are counted apart.",
        "Strides of results are not compared, nor is whether an unused input of an op gets",
        "no gradient or a gradient of zeros.",
        "",
        "| group | passed | failed | considered | excluded |",
        "|---|---:|---:|---:|---:|",
    ]
    for group, count in summary(results):
        figures = " | ".join(
            str(count[name]) for name in ("passed", "failed", "considered", "excluded")
        )
        lines.append(f"| {TITLES[group]} | {figures} |")
    tally = {
        name: sum(getattr(outcome, name) for outcome in results.values())
        for name in ("samples", "refused", "set_aside")
    }
    lines += [
        "",
        f"Of {tally['samples']} samples of op_db, {tally['set_aside']} were set aside (sparse,",
        f"quantised, or over 64 dimensions), and torch itself raises on {tally['refused']}.",
    ]
    lines += ["", "## Judgements", ""]
    lines += _reasons("Only structure, dtype and shape compared", UNDEFINED_VALUES)
    lines += _reasons("The same, where torch runs on an Intel CPU", UNPORTABLE_RANDOM)
    ties = dict.fromkeys(TIES, "which of several equal elements comes first is not defined")
    lines += _reasons("Indices compared by the values that they pick", ties)
    loosened = {**LOOSENED, **LOOSENED_MODULES, **LOOSENED_STATES}
    lines += _reasons("Tolerance widened, and taken relative to the whole result", loosened)
    for group in TITLES:
        outcomes = of_group(results, group)
        if not outcomes or group in ("op in-place", "op out=", "op errors", "module errors"):
            continue
        lines += [f"## {TITLES[group]}", "", "| entry | status | checks | why not |"]
        lines += ["|---|---|---|---|"]
        lines += [_entry_row(outcome, results) for outcome in outcomes]
        lines.append("")
    for group in ("op in-place", "op out=", "op errors", "module errors"):
        failed = [o for o in of_group(results, group) if o.status == "failed"]
        if failed:
            lines += [f"## {TITLES[group]}: what fails", "", "| entry | why |", "|---|---|"]
            lines += [f"| `{o.entry}` | {_cell(o.reason or '')} |" for o in failed]
            lines.append("")
    SUPPORTED.parent.mkdir(exist_ok=True)
    SUPPORTED.write_text("\n".join(lines).rstrip() + "\n")
