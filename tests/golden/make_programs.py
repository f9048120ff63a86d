"""What PyTorch gives for the programs of tests/autograd and tests/footguns.

python -m tests.golden.make_programs
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

FOLDER = Path(__file__).parent


def write(name: str, programs: dict) -> None:
    """Run every program on torch and keep what it gives."""
    import torch

    from tests.programs import outcome

    lines = ",\n".join(
        f"{json.dumps(key)}: {json.dumps(outcome(torch, run))}" for key, run in programs.items()
    )
    (FOLDER / name).write_text(f"{{\n{lines}\n}}\n")


def main() -> None:
    from tests.autograd import programs as autograd
    from tests.footguns.programs import PROGRAMS, reader

    warnings.simplefilter("ignore")
    write("autograd.json", autograd.PROGRAMS)
    read = reader(every=1)
    footguns = {name: lambda torch, run=run: run(torch, read) for name, run in PROGRAMS.items()}
    write("footguns.json", footguns)


if __name__ == "__main__":
    main()
