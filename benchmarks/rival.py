"""A rival's process, from the driver's side."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Gone(Exception):
    """The rival cannot go on: not installed, crashed, or too slow."""


def environment(threads: int) -> dict[str, str]:
    """The environment of a process with so many threads; 0: what the libraries choose."""
    variables = dict(os.environ) | {"FLAMBEAU_JIT": "auto"}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # every installed library has its bytecode
    for name in THREAD_VARIABLES:
        variables.pop(name, None)
        if threads:
            variables[name] = str(threads)
    return variables


class Rival:
    """A `benchmarks.worker` process.

    Raises:
        Gone: it does not start.
    """

    def __init__(self, name: str, threads: int):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, str(threads)],
            cwd=ROOT, env=environment(threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, bufsize=1,
        )  # fmt: skip
        self.version = self._answer(120)["version"]

    def ask(self, limit: float, **request: Any) -> dict[str, Any]:
        """The answer to a request, or {"error": ...}.

        Raises:
            Gone: it takes longer than `limit` seconds, or has crashed.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
        except BrokenPipeError:
            raise Gone(f"exit status {self.process.wait()}") from None
        return self._answer(limit, refuse=False)

    def _answer(self, limit: float, refuse: bool = True) -> dict[str, Any]:
        stream = self.process.stdout
        assert stream is not None
        if not select.select([stream], [], [], limit)[0]:
            self.close()
            raise Gone(f"no answer in {limit:.0f} s")
        line = stream.readline()
        if not line:
            raise Gone(f"exit status {self.process.wait()}")
        answer = json.loads(line)
        if refuse and "error" in answer:
            raise Gone(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
