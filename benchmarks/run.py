"""flambeau beside PyTorch, torch.compile and JAX: `make bench`, or `python -m benchmarks.run`.

The rivals run the same loops, each in a process of its own, and take turns: a busy moment of the
machine hits all of them alike. Figures are medians over the rounds. A rival that is not installed
or fails is left out with a line that says why.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from . import machine, processes, report
from .cases import CASES, Case
from .rival import Gone, Rival

NAMES = ("flambeau", "torch", "compile", "jax")
LONGEST = 240.0  # seconds that a rival may take to warm up


def _suits(case: Case, rival: str) -> bool:
    return (rival != "jax" or case.jax is not None) and (rival != "compile" or case.compiled)


class Table:
    """The rivals at one number of threads, and what was measured."""

    def __init__(self, options: argparse.Namespace, threads: int):
        self.options, self.threads = options, threads
        self.rivals: dict[str, Rival] = {}
        self.rows: list[dict[str, Any]] = []
        for name in options.rivals:
            try:
                self.rivals[name] = Rival(name, threads)
            except Gone as gone:
                print(f"{name} is left out: {gone}")

    def _drop(self, name: str, gone: Gone, skipped: dict[str, str]) -> None:
        """A rival whose process is gone starts anew for the next case."""
        skipped[name] = str(gone)
        self.rivals.pop(name).close()
        try:
            self.rivals[name] = Rival(name, self.threads)
        except Gone as again:
            print(f"{name} is left out from here on: {again}")

    def measure(self, case: Case) -> dict[str, Any]:
        """A row: seconds a step by rival, and why a rival has none."""
        skipped: dict[str, str] = {}
        counts: dict[str, int] = {}
        for name in [n for n in self.rivals if _suits(case, n)]:
            try:
                answer = self.rivals[name].ask(
                    LONGEST, do="prepare", name=case.name, budget=self.options.budget,
                    warm=self.options.warm,
                )  # fmt: skip
            except Gone as gone:
                self._drop(name, gone, skipped)
                continue
            if "error" in answer:
                skipped[name] = answer["error"]
            else:
                counts[name] = answer["count"]
        seconds: dict[str, list[float]] = {name: [] for name in counts}
        for _ in range(self.options.rounds):
            for name in list(counts):
                try:
                    answer = self.rivals[name].ask(60, do="time", count=counts[name])
                except Gone as gone:
                    self._drop(name, gone, skipped)
                    answer = {}
                if "seconds" in answer:
                    seconds[name].append(answer["seconds"])
                else:
                    skipped.setdefault(name, answer.get("error", ""))
                    del counts[name], seconds[name]
        for name in counts:
            self.rivals[name].ask(60, do="forget")
        row = {
            "case": case.name, "threads": self.threads, "rivals": list(self.rivals),
            "skipped": skipped,
            "seconds": {name: statistics.median(found) for name, found in seconds.items()},
            "spread": {name: [min(found), max(found)] for name, found in seconds.items()},
        }  # fmt: skip
        self.rows.append(row)
        return row

    def close(self) -> None:
        """End the rivals' processes."""
        for rival in self.rivals.values():
            rival.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="cases whose name contains one of: a,b,c")
    parser.add_argument(
        "--rivals", default=",".join(NAMES), help=f"{','.join(NAMES)}; eager: flambeau's own"
    )
    parser.add_argument("--threads", default="1,0", help="a table each; 0: the default (1,0)")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--budget", type=float, default=0.15, help="seconds a turn (0.15)")
    parser.add_argument("--warm", type=float, default=1.0, help="seconds of warming up (1)")
    parser.add_argument("--parts", default="machine,steps,processes")
    parser.add_argument("--json", type=Path, default=Path("runs/bench.json"))
    options = parser.parse_args()
    options.rivals = options.rivals.split(",")
    options.threads = [int(word) for word in options.threads.split(",")]
    options.only = [word for word in options.only.split(",") if word]
    return options


def _steps(options: argparse.Namespace) -> list[dict[str, Any]]:
    chosen = [c for c in CASES if not options.only or any(w in c.name for w in options.only)]
    rows = []
    for threads in options.threads:
        print(f"\nmicroseconds a step, {f'{threads} thread' if threads else 'default threads'}")
        table = Table(options, threads)
        print(report.heading(table.rivals), flush=True)
        try:
            for case in chosen:
                row = table.measure(case)
                print(report.line(case, row, table.rows), flush=True)
        finally:
            table.close()
        rows += table.rows
    return rows


def main() -> int:
    """Print the tables; the figures go to a JSON file too."""
    options = _arguments()
    found: dict[str, Any] = {"machine": machine.describe()}
    print(report.machine(found["machine"]))
    if "machine" in options.parts:
        found["gemm"] = machine.gemm()
    if "steps" in options.parts:
        found["steps"] = _steps(options)
    if "processes" in options.parts:
        found["processes"] = processes.measure(options.rivals, options.rounds)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1))
    print(f"\nfigures in {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
