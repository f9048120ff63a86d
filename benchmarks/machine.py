"""The machine that the figures are from, and the multiplication of matrices alone on it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from .rival import ROOT, environment

PACKAGES = ("numpy", "llvmlite", "torch", "jax")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe() -> dict[str, Any]:
    """Processor, cores, versions, and how busy the machine is with other things."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def gemm() -> str:
    """What `benchmarks.gemm` prints, in a process of its own."""
    if importlib.util.find_spec("benchmarks.gemm") is None:
        print("no benchmarks/gemm.py")
        return ""
    print("\nmultiplication of matrices alone (python -m benchmarks.gemm)", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gemm"], cwd=ROOT, env=environment(0),
        capture_output=True, text=True,
    )  # fmt: skip
    text = done.stdout if done.returncode == 0 else done.stderr.strip()[-400:]
    print(text.rstrip())
    return text
