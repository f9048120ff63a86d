"""Run PyTorch's test databases against flambeau and say what passes.

    python -m tests.conformance.run                         everything; writes docs/supported.md
    python -m tests.conformance.run --only op --filter 'linalg' --verbose
    python -m tests.conformance.run --failed                what failed last time
    python -m tests.conformance.run --only op --filter '^std$' --trace

A part of the run (any of --only, --filter, --failed) prints its table and remembers its results
in .conformance/results.json; only a whole run judges the minimums and writes the document.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from . import demo, modules, ops, optimizers, outcome, report, schedulers, seeds

# group of the outcome that decides -> its database
DATABASES = {
    "op": ops,
    "module": modules,
    "optimizer": optimizers,
    "scheduler": schedulers,
    "seed": seeds,
    "demo": demo,
}
SAMPLES = 30
SECONDS = 40.0


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.run", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--only", help="databases, separated by commas: " + ", ".join(DATABASES))
    parser.add_argument("--filter", help="a regular expression searched in the entries' names")
    parser.add_argument("--failed", action="store_true", help="only what failed last time")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="a check; 0 for all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="limit of one entry")
    parser.add_argument("--verbose", action="store_true", help="print every entry's failures")
    parser.add_argument("--trace", action="store_true", help="print the failures' tracebacks")
    parser.add_argument("--report", action="store_true", help="write the document from the cache")
    parser.add_argument("--update-baseline", action="store_true", help="record what passes now")
    parser.add_argument("--strict", action="store_true", help="a regression fails the run")
    return parser.parse_args(words)


def _selected(
    chosen: argparse.Namespace, known: report.Results
) -> Iterator[tuple[Callable[..., Any], str, Any]]:
    groups = chosen.only.split(",") if chosen.only else list(DATABASES)
    failed = {o.entry for o in known.values() if o.status == "failed"}
    for group in groups:
        database = DATABASES[group]
        for name, info in database.entries():
            if chosen.filter and not re.search(chosen.filter, name):
                continue
            if not chosen.failed or name in failed:
                yield database.check_entry, name, info


def _run(chosen: argparse.Namespace, known: report.Results) -> report.Results:
    results: report.Results = {}
    for check, name, info in _selected(chosen, known):
        for found in check(name, info, chosen.samples, chosen.seconds):
            results[found.key] = found
            if chosen.verbose or chosen.trace:
                _print(found)
    return results


def _print(found: outcome.Outcome) -> None:
    print(f"{found.status:<9}{found.key}", f" ({found.excluded})" if found.excluded else "")
    for label, problem in found.checks.items():
        if problem:
            print(f"           {label}: {problem}")
    sys.stdout.flush()


def _judge(results: report.Results, chosen: argparse.Namespace) -> int:
    """Print the regressions and shortfalls of a whole run; the exit status."""
    lost = report.regressions(results)
    print(f"\nregressions against the baseline: {len(lost)}")
    for found in lost:
        print(f"  {found.key}: {found.reason or found.excluded}")
    problems = report.shortfalls(results)
    for problem in problems:
        print(f"BELOW THE MINIMUM  {problem}")
    return 1 if problems or (lost and chosen.strict) else 0


def main(words: list[str] | None = None) -> int:
    """Run what the command line asks for."""
    chosen = _arguments(words)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    outcome.TRACE = chosen.trace
    known = report.load_cache()
    started = time.perf_counter()
    results = known if chosen.report else _run(chosen, known)
    whole = chosen.report or not (chosen.only or chosen.filter or chosen.failed)
    if not whole:
        report.save_cache({**report.load_cache(), **results})
    report.print_table(results)
    print(f"{time.perf_counter() - started:.0f} s, torch {torch.__version__}")
    if not whole:
        return 0
    if not chosen.report:
        report.save_cache(results)
    status = _judge(results, chosen)
    report.write_supported(results, torch.__version__.split("+")[0], chosen.samples)
    if chosen.update_baseline:
        report.write_baseline(results)
    return status


if __name__ == "__main__":
    sys.exit(main())
