"""Write tests/golden/tensor.json: what torch gives for tests/tensor/expressions.txt.

python -m tests.golden.make_tensor        (needs torch)
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch

from tests.tensor.expressions import outcome, topics


def main() -> None:
    """Evaluate every program."""
    warnings.simplefilter("ignore")
    found = {program: outcome(torch, program) for group in topics().values() for program in group}
    (Path(__file__).parent / "tensor.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
