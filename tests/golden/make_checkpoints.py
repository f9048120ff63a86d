"""Writes the checkpoints of tests/golden/checkpoints with PyTorch.

python tests/golden/make_checkpoints.py     (torch 2.13.0; rewrites the folder)
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).parent / "checkpoints"


def values() -> dict:
    """Tensors of every kind. The values are repeated in tests/serialization/contents.py."""
    base = torch.arange(12.0).reshape(3, 4)
    return {
        "base": base,
        "transposed": base.t(),
        "row": base[1],
        "steps": base[:, ::2],
        "expanded": torch.tensor(3.0).expand(2, 3),
        "scalar": torch.tensor(True),
        "empty": torch.empty(0, 3),
        "float16": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "bfloat16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "float64": torch.tensor([1.5, -2.0], dtype=torch.float64),
        "complex64": torch.tensor([1 + 2j, 3 - 4j]),
        "int8": torch.tensor([-1, 2], dtype=torch.int8),
        "int64": torch.tensor([-1, 2]),
        "uint8": torch.tensor([255, 2], dtype=torch.uint8),
        "uint16": torch.tensor([65535, 2], dtype=torch.uint16),
        "parameter": nn.Parameter(torch.tensor([0.5])),
        "grad": torch.tensor([0.5], requires_grad=True),
    }


def lazy() -> dict:
    """What PyTorch stores before its conjugation or negation."""
    imaginary = torch.tensor([1 + 2j, 3 - 4j])
    return {"conjugated": imaginary.conj(), "negated": imaginary.clone().conj().imag}


def others() -> dict:
    """What else a checkpoint holds."""
    return {
        "size": torch.Size([1, 2]),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "layout": torch.strided,
        "set": {1, 2},
        "bytes": b"\x00\xff",
        "numbers": [1, -5, 1 << 70, 1.5, 1j, None, True],
        "nested": {"tuple": (1, "é", [])},
    }


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
    torch.save(values(), FOLDER / "values.pt")
    torch.save(lazy(), FOLDER / "lazy.pt")
    torch.save(others(), FOLDER / "others.pt")
    torch.save(training(), FOLDER / "training.pt")
    torch.save(nn.Linear(2, 1), FOLDER / "module.pt")
    old = {k: v for k, v in values().items() if k != "uint16"}
    torch.save(old, FOLDER / "before_1_6.pt", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save({"ones": torch.ones(3)}, FOLDER / "without_checksums.pt")


if __name__ == "__main__":
    main()
