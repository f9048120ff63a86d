"""Writes optim.json with torch: `python tests/golden/make_optim.py`."""

from __future__ import annotations

import json
from pathlib import Path

import optim_cases as cases
import torch


def main() -> None:
    golden: dict = {"torch": torch.__version__, "optimizers": {}, "schedules": {}}
    for case in cases.OPTIMIZERS:
        name, options = case
        for dtype in ("float64", "float32", "complex128"):
            if dtype.startswith("complex") and name in cases.NO_COMPLEX:
                continue
            optimizer = cases.run_optimizer(torch, name, options, dtype)
            key = f"{cases.case_name(case)}/{dtype}"
            golden["optimizers"][key] = cases.summary(torch, optimizer)
    golden["lbfgs"] = [cases.run_lbfgs(torch, options) for options in cases.LBFGS]
    for name in cases.SCHEDULERS:
        golden["schedules"][name] = cases.run_schedule(torch, torch.optim.lr_scheduler, name)
    text = json.dumps(golden, indent=None, separators=(",", ":")).replace('},"', '},\n"')
    Path(__file__).with_name("optim.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
