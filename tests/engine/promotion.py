"""Which dtype comes out of which operands: a table that any torch can fill in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DTYPES = (
    "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
).split()
NUMBERS = {"bool": True, "int": 3, "float": 1.5, "complex": 1 + 2j}
REDUCTIONS = "sum prod mean cumsum exp abs neg square floor sigmoid argmax any all std"
OPS = "add mul div true_divide eq remainder pow where maximum add_ mul_ div_ copy_ cat".split()


def _call(torch: Any, op: str, a: Any, b: Any) -> Any:
    if op == "where":
        return torch.where(torch.tensor([True]), a, b)
    if op == "cat":
        return torch.cat([a, b])
    if op.endswith("_"):
        return getattr(a.clone(), op)(b)
    return getattr(torch, op)(a, b)


def _outcome(torch: Any, call: Callable[[], Any]) -> str:
    try:
        return str(call().dtype).removeprefix("torch.")
    except RuntimeError:  # NotImplementedError is one
        return "RuntimeError"
    except TypeError:
        return "TypeError"


def table(torch: Any) -> dict[str, list[str]]:
    """For each op and kind of second operand, one row of results a first operand's dtype."""
    found = {}
    tensors = {name: torch.ones(1, dtype=getattr(torch, name)) for name in DTYPES}
    for op in OPS:
        for name, a in tensors.items():
            for kind, others in {
                "tensor": tensors.values(),
                "0-dim": [] if op == "cat" else [t[0] for t in tensors.values()],
                "number": [] if op in ("maximum", "cat") else NUMBERS.values(),
            }.items():
                row = [
                    _outcome(torch, lambda a=a, b=b, op=op: _call(torch, op, a, b)) for b in others
                ]
                if row:
                    found[f"{op} {name} {kind}"] = " ".join(row)
    for name in DTYPES:
        a = tensors[name]
        for op in REDUCTIONS.split():
            call = lambda op=op, a=a: getattr(a, op)(0) if op == "cumsum" else getattr(a, op)()
            found[f"{op} {name}"] = _outcome(torch, call)
    return found
