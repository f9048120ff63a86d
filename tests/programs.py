"""Programs written for PyTorch, run on any module that claims to be it.

A program is a function of `torch` that returns numbers, strings, tensors, or nests of them.
`outcome` makes JSON of that, so that results of the real torch can be kept in a golden file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Program = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """Tensors and nests as JSON can hold them; floats rounded to nine digits."""
    if hasattr(value, "detach"):
        value = value.detach()
        if value.is_complex():
            return plain([value.real.tolist(), value.imag.tolist()])
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def attempt(call: Callable[[], Any], words: int = 6) -> Any:
    """A call's result, or its exception's type and first words."""
    try:
        return call()
    except Exception as error:
        return [type(error).__name__, " ".join(str(error).split()[:words])]


def outcome(torch: Any, program: Program) -> Any:
    """What a program gives, as JSON, from a fresh seed; an exception is a result too."""
    torch.manual_seed(0)
    return plain(attempt(lambda: program(torch), 10))


def same(found: Any, expected: Any, rel: float = 2e-5, abs_: float = 2e-6) -> bool:
    """Whether two outcomes agree, floats within a tolerance."""
    if isinstance(expected, float) and isinstance(found, (int, float)):
        return math.isclose(found, expected, rel_tol=rel, abs_tol=abs_)
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(
            same(f, e, rel, abs_) for f, e in zip(found, expected, strict=True)
        )
    if isinstance(expected, dict) and isinstance(found, dict):
        return found.keys() == expected.keys() and all(
            same(found[key], expected[key], rel, abs_) for key in expected
        )
    return found == expected
