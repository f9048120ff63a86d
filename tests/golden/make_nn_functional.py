"""What PyTorch gives for the cases of nn.functional: run me with torch 2.13.

python -m tests.golden.make_nn_functional
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

GOLDEN = Path(__file__).with_name("nn_functional.json")


def main() -> None:
    import torch

    from tests.nn.functional.cases import CASES, record

    warnings.simplefilter("ignore")
    lines = ",\n".join(
        f"{json.dumps(case.label)}: {json.dumps(record(torch, case))}" for case in CASES
    )
    GOLDEN.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
