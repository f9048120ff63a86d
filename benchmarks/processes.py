"""What only a fresh process can tell: the first steps, and the memory of a whole script."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from .rival import ROOT, environment

FIRST_STEPS = """
import json, sys, time
import {library} as torch
import {library}.nn, {library}.optim
in_dim, hidden, num_classes, batch = json.loads(sys.argv[1])
torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(in_dim, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, num_classes)
)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
xb, yb = torch.rand(batch, in_dim), torch.randint(0, num_classes, (batch,))
started = time.perf_counter()
marks = []
for step in range(100):
    optimizer.zero_grad(set_to_none=True)
    loss = criterion(model(xb), yb)
    loss.backward()
    optimizer.step()
    if step in (2, 99):
        loss.item()
        marks.append(time.perf_counter() - started)
print(json.dumps(marks))
"""
# The demo under either library: its own file, with the other's name in the imports.
DEMO = """
import resource, sys
script = open("flambeau/_demo/__main__.py").read()
script = script.replace("import flambeau", "import {library}")
script = script.replace("from flambeau", "from {library}")
names = {{"__name__": "__main__", "__file__": "flambeau/_demo/__main__.py"}}
exec(compile(script, "flambeau/_demo/__main__.py", "exec"), names)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
SIZES = {"20-64-3, batch 32": [20, 64, 3, 32], "784-256-10, batch 128": [784, 256, 10, 128]}


def _python(code: str, arguments: list[str], cache: str) -> str:
    """The last line that a process prints.

    Raises:
        RuntimeError: it fails.
    """
    variables = environment(0) | {"FLAMBEAU_CACHE": f"{cache}/flambeau"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=variables,
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr.strip().split("\n")[-1][:200])
    return done.stdout.strip().split("\n")[-1]


def _first_steps(libraries: list[str], size: list[int], rounds: int) -> dict[str, list[float]]:
    """Median seconds of the first 3 and the first 100 steps, processes taking turns."""
    found: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as kept:
        for number in range(rounds):
            for library in libraries:
                with tempfile.TemporaryDirectory() as empty:
                    caches = {library: empty}
                    if library == "flambeau":
                        caches = {"flambeau": empty, "flambeau, cached": kept}
                    for name, cache in caches.items():
                        code = FIRST_STEPS.format(library=library)
                        marks = json.loads(_python(code, [json.dumps(size)], cache))
                        if number or name != "flambeau, cached":  # that one fills the cache
                            found.setdefault(name, []).append(marks)
    return {
        name: [statistics.median(column) for column in zip(*marks)] for name, marks in found.items()
    }


def _memory(library: str, rounds: int) -> float:
    """Median peak resident MB of the demo."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            words = ["--quiet", "--epochs", "20", "--out", folder]
            peaks.append(float(_python(DEMO.format(library=library), words, folder)))
    return statistics.median(peaks)


def measure(rivals: list[str], rounds: int) -> dict[str, Any]:
    """Print and return the first steps' time and the demo's peak memory."""
    libraries = [name for name in rivals if name in ("flambeau", "torch")]
    rounds = max(3, min(rounds, 7))
    found: dict[str, Any] = {"first_steps": {}, "memory": {}}
    print("\nfirst steps in a fresh process, milliseconds, import excluded (to reach: 3x torch)")
    for size, numbers in SIZES.items():
        try:
            times = _first_steps(libraries, numbers, rounds)
        except RuntimeError as error:
            print(f"{size}: {error}")
            continue
        found["first_steps"][size] = times
        theirs = times.get("torch")
        for name, marks in times.items():
            ratio = f", {marks[0] / theirs[0]:.2f}x torch" if theirs and name != "torch" else ""
            print(
                f"{size:<24}{name:<18} 3 steps {1e3 * marks[0]:>8.1f}{ratio}, "
                f"100 steps {1e3 * marks[1]:.1f}", flush=True,
            )  # fmt: skip
    print("\npeak resident memory of the demo, MB (to reach: below torch's)")
    for library in libraries:
        try:
            found["memory"][library] = _memory(library, 3)
            print(f"{library:<24}{found['memory'][library]:.0f}", flush=True)
        except RuntimeError as error:
            print(f"{library}: {error}")
    return found
