"""What one eager op, one training step and the import cost: `make bench-eager`.

Every figure is a median of interleaved rounds on one thread; torch is timed beside flambeau
where it is installed. The limits are those that the project has set itself.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["FLAMBEAU_JIT"] = "off"

import numpy as np

import flambeau

from .timing import interleaved

HAVE_TORCH = importlib.util.find_spec("torch") is not None
SMALL, LARGE = 10, 1_000_000
Row = tuple[str, str, float, float | None, str]  # name, unit, flambeau, other, limit


def _libraries() -> dict[str, Any]:
    found = {"flambeau": flambeau}
    if HAVE_TORCH:
        import torch

        torch.set_num_threads(1)
        found["torch"] = torch
    return found


def _ops(t: Any) -> dict[str, Callable[[], object]]:
    """Small elementwise ops, with and without a gradient to come."""
    a, b = t.rand(SMALL), t.rand(SMALL)
    p, q = t.rand(SMALL, requires_grad=True), t.rand(SMALL, requires_grad=True)
    return {
        "a * b, 10 elements": lambda: a * b,
        "a + 1, 10 elements": lambda: a + 1,
        "exp(a), 10 elements": lambda: t.exp(a),
        "p * q, 10 elements, grad": lambda: p * q,
        "exp(p), 10 elements, grad": lambda: t.exp(p),
        "(p * q).sum().backward()": lambda: (p * q).sum().backward(),
    }


def _training_step(t: Any) -> Callable[[], object]:
    """The seed's loop body on a 64-128-10 MLP, batch 32."""
    model = t.nn.Sequential(t.nn.Linear(64, 128), t.nn.ReLU(), t.nn.Linear(128, 10))
    criterion = t.nn.CrossEntropyLoss()
    optimizer = t.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    xb, yb = t.rand(32, 64), t.randint(10, (32,))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()

    return step


def _epoch(t: Any) -> Callable[[], object]:
    """One pass of a shuffled DataLoader over 1,280 rows, 40 batches."""
    data = t.utils.data.TensorDataset(t.rand(1280, 64), t.randint(10, (1280,)))
    loader = t.utils.data.DataLoader(data, batch_size=32, shuffle=True)
    return lambda: sum(1 for _ in loader)


LIMITS = {
    "a * b, 10 elements": "3 us",
    "a + 1, 10 elements": "3 us",
    "exp(a), 10 elements": "3 us",
    "p * q, 10 elements, grad": "2x torch",
    "exp(p), 10 elements, grad": "2x torch",
}


def _beside_torch(rows: list[Row]) -> None:
    libraries = _libraries()
    suites: dict[str, dict[str, Callable[[], object]]] = {}
    for library, t in libraries.items():
        for name, call in _ops(t).items():
            suites.setdefault(name, {})[library] = call
        suites.setdefault("training step, MLP 64-128-10", {})[library] = _training_step(t)
        suites.setdefault("DataLoader, 40 batches of 32", {})[library] = _epoch(t)
    for name, candidates in suites.items():
        found = {library: 1e6 * s for library, s in interleaved(candidates).items()}
        limit = LIMITS.get(name, "")
        rows.append((name, "us", found["flambeau"], found.get("torch"), limit))


def _beside_numpy(rows: list[Row]) -> None:
    x, y = np.random.RandomState(0).rand(2, LARGE).astype(np.float32)
    a, b = flambeau.from_numpy(x), flambeau.from_numpy(y)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "a * b": (lambda: a * b, lambda: x * y),
        "exp(a)": (lambda: flambeau.exp(a), lambda: np.exp(x)),
        "a + 1": (lambda: a + 1, lambda: x + 1),
    }
    for name, (ours, theirs) in pairs.items():
        found = interleaved({"flambeau": ours, "numpy": theirs}, rounds=21, budget=0.03)
        label = f"{name}, 1,000,000 elements (other: NumPy)"
        rows.append((label, "us", 1e6 * found["flambeau"], 1e6 * found["numpy"], "1.1x NumPy"))


def _import_cost(rows: list[Row]) -> None:
    """Seconds and peak memory of a fresh process that only imports the library."""
    code = (
        "import resource, time; s = time.perf_counter(); import {0}; "
        "print(time.perf_counter() - s, "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    found: dict[str, tuple[float, float]] = {}
    for library in ("flambeau", *(["torch"] if HAVE_TORCH else [])):
        runs = []
        for _ in range(7 if library == "flambeau" else 3):
            done = subprocess.run(
                [sys.executable, "-c", code.format(library)], capture_output=True, check=True
            )
            runs.append([float(word) for word in done.stdout.split()])
        found[library] = (
            statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs)
        )  # fmt: skip
    other = found.get("torch", (None, None))
    rows.append(("import", "s", found["flambeau"][0], other[0], "0.25 s"))
    rows.append(("memory after import", "MB", found["flambeau"][1], other[1], "60 MB"))


def main() -> None:
    """Print the table; the figures go to runs/bench-eager.json too."""
    rows: list[Row] = []
    _import_cost(rows)
    _beside_torch(rows)
    _beside_numpy(rows)
    print(f"{'':<42}{'flambeau':>12}{'torch/NumPy':>13}{'ratio':>8}  limit")
    for name, unit, ours, other, limit in rows:
        beside = f"{other:>10.2f} {unit:<2}" if other is not None else f"{'-':>13}"
        ratio = f"{ours / other:>7.2f}x" if other else f"{'-':>8}"
        print(f"{name:<42}{ours:>9.2f} {unit:<2}{beside}{ratio}  {limit}")
    path = Path("runs/bench-eager.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
