"""Write numeric.json: what PyTorch gives for each line of numeric_cases.py.

python tests/golden/make_numeric.py      (needs torch 2.13.0)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from numeric_cases import DIFFERENTIATED, FORWARD, inputs


def stored(t: Any) -> Any:
    """A tensor as its dtype and nested lists, complex numbers as pairs; tuples item by item."""
    if isinstance(t, (tuple, list)):
        return [stored(x) for x in t]
    t = t.detach()
    values = torch.view_as_real(t.resolve_conj()) if t.is_complex() else t
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    return [str(t.dtype), [float(f"{x:.12g}") if isinstance(x, float) else x
                           for x in values.reshape(-1).tolist()], list(t.shape)]  # fmt: skip


def differentiated(line: str, names: list[str]) -> dict[str, Any]:
    known = inputs(torch)
    leaves = [known[name].requires_grad_() for name in names]
    result = eval(line, known)
    weights = torch.cos(torch.arange(result.numel(), dtype=result.dtype)).reshape(result.shape)
    grads = torch.autograd.grad((result * weights).sum(), leaves)
    return {"result": stored(result), "grads": [stored(g) for g in grads]}


def main() -> None:
    table: dict[str, Any] = {
        line: {"result": stored(eval(line, inputs(torch)))} for line in FORWARD
    }
    table |= {line: differentiated(line, names.split()) for line, names in DIFFERENTIATED}
    path = Path(__file__).with_name("numeric.json")
    rows = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
