"""The dtype of every pair of operands is PyTorch's: golden values from torch 2.13."""

from __future__ import annotations

import json
from pathlib import Path

import flambeau

from .promotion import table

EXPECTED = json.loads((Path(__file__).parents[1] / "golden" / "promotion.json").read_text())


def test_all_pairs():
    found = table(flambeau)
    assert found.keys() == EXPECTED.keys()
    differences = {
        key: f"{row} expected {EXPECTED[key]}"
        for key, row in found.items()
        if not all(map(_agree, row.split(), EXPECTED[key].split()))
    }
    assert differences.keys() == {"pow bool number"}  # True ** True is an error here


def _agree(found: str, expected: str) -> bool:
    # float16 and a complex number: complex32, which NumPy does not have, or no kernel in torch
    return found == expected or (found == "complex64" and expected in ("complex32", "RuntimeError"))
