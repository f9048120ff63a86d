"""Write promotion.json: what PyTorch promotes every pair of dtypes to, by rank and number.

    python tests/golden/make_promotion.py      (needs torch 2.13.0)

Keys are "first,second": a dtype of a tensor with one dimension ("float32"), without ("float32.0"),
or a Python number ("int", "float", "bool", "complex"). Pairs that PyTorch refuses, or promotes to
complex32, which flambeau has not, are left out.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import torch

DTYPES = (
    "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
).split()
NUMBERS = {"bool": True, "int": 3, "float": 2.5, "complex": 1j}


def operands() -> dict[str, object]:
    found: dict[str, object] = {}
    for name in DTYPES:
        found[name] = torch.ones(2, dtype=getattr(torch, name))
        found[name + ".0"] = torch.ones((), dtype=getattr(torch, name))
    return found


def main() -> None:
    tensors = operands()
    table: dict[str, str] = {}
    for (a, x), (b, y) in itertools.product(tensors.items(), tensors.items()):
        table[f"{a},{b}"] = str(torch.result_type(x, y))
    for (a, x), (b, y) in itertools.product(tensors.items(), NUMBERS.items()):
        table[f"{a},number {b}"] = str(torch.result_type(x, y))
    table = {key: name for key, name in table.items() if name != "torch.complex32"}
    path = Path(__file__).with_name("promotion.json")
    path.write_text(json.dumps(table, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
