"""What PyTorch gives in the module scenarios: run me with torch 2.13 to write the golden file.

python -m tests.golden.make_nn_modules
"""

from __future__ import annotations

import json
from pathlib import Path

GOLDEN = Path(__file__).with_name("nn_modules.json")


def main() -> None:
    import torch

    # importing these fills SCENARIOS
    from tests.nn.modules import containers, hooks, layers, numbers  # noqa: F401
    from tests.nn.modules.scenarios import SCENARIOS, record
    from tests.nn.utils import scenarios as _utils  # noqa: F401

    found = {name: record(torch, run) for name, run in SCENARIOS.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
    GOLDEN.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
