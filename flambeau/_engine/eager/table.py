"""The table of eager rules and the NumPy error state they run under."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..prims import PRIMITIVES

RULES: dict[str, Callable[..., Any]] = {}


def rule(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function runs primitive `name` on arrays."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        rules(**{name: function})
        return function

    return register


def rules(**functions: Callable[..., Any]) -> None:
    """Add rules: `rules(add=np.add, mul=np.multiply)`."""
    for name, function in functions.items():
        if name not in PRIMITIVES:
            raise KeyError(f"eager rule for an undeclared primitive: {name}")
        if name in RULES:
            raise ValueError(f"two eager rules for primitive {name}")
        RULES[name] = function
