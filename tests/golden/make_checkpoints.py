"""Writes the checkpoints of tests/golden/checkpoints with PyTorch.

python -m tests.golden.make_checkpoints     (torch 2.13.0; rewrites the folder)
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from tests.serialization.contents import others, values

FOLDER = Path(__file__).parent / "checkpoints"


def lazy() -> dict:
    """What PyTorch stores before its conjugation or negation."""
    imaginary = torch.tensor([1 + 2j, 3 - 4j])
    return {"conjugated": imaginary.conj(), "negated": imaginary.clone().conj().imag}


def training() -> dict:
    """A model's and an optimizer's state after one step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model(torch.ones(5, 3)).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}


def main() -> None:
    """Write every file."""
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    torch.save(values(torch), FOLDER / "values.pt")
    torch.save(lazy(), FOLDER / "lazy.pt")
    torch.save(others(torch), FOLDER / "others.pt")
    torch.save(training(), FOLDER / "training.pt")
    torch.save(nn.Linear(2, 1), FOLDER / "module.pt")
    old = {k: v for k, v in values(torch).items() if k != "uint16"}
    torch.save(old, FOLDER / "before_1_6.pt", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save({"ones": torch.ones(3)}, FOLDER / "without_checksums.pt")


if __name__ == "__main__":
    main()
