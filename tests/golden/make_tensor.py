"""Write tests/golden/tensor.json: what torch gives for tests/tensor/expressions.txt.

python tests/golden/make_tensor.py        (needs torch)
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch

HERE = Path(__file__).parent


def outcome(program: str) -> str:
    """The repr of the last expression, or the type of the error."""
    *statements, last = program.split("; ")
    scope = {"torch": torch}
    try:
        for statement in statements:
            exec(statement, scope)
        return repr(eval(last, scope))
    except Exception as error:
        return f"raises {type(error).__name__}"


def main() -> None:
    """Evaluate every program."""
    warnings.simplefilter("ignore")
    lines = (HERE.parent / "tensor" / "expressions.txt").read_text().splitlines()
    programs = [line for line in lines if line and line[0] not in "#["]
    found = {program: outcome(program) for program in programs}
    (HERE / "tensor.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
