"""Small programs whose printed results are torch's (tests/golden/make_tensor.py wrote them)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

import flambeau

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE.parent / "golden" / "tensor.json").read_text())


def _topics() -> dict[str, list[str]]:
    topics: dict[str, list[str]] = {}
    for line in (HERE / "expressions.txt").read_text().splitlines():
        if line.startswith("["):
            programs = topics[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            programs.append(line)
    return topics


def _outcome(program: str) -> str:
    *statements, last = program.split("; ")
    scope = {"torch": flambeau}
    try:
        for statement in statements:
            exec(statement, scope)
        return repr(eval(last, scope))
    except Exception as error:
        return f"raises {type(error).__name__}"


@pytest.mark.parametrize("topic", _topics())
def test_results_print_as_torchs(topic: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = [
            f"{program}\n--- torch\n{GOLDEN[program]}\n--- flambeau\n{found}"
            for program in _topics()[topic]
            if (found := _outcome(program)) != GOLDEN[program]
        ]
    assert not wrong, "\n\n".join(wrong)
