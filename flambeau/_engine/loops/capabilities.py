"""What the code generators above this room can do, as far as lowering has to know it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..graph.ir import Node
from .special import supports


def _everything(name: str, operands: Sequence[str], result: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Questions that lowering asks.

    Attributes:
        elementwise: (primitive, operands' dtypes, result's dtype) -> whether there is code for it
            in bodies; half precision is never asked for, since it is converted.
        special: (node) -> whether there is a kernel of its own for it.
    """

    elementwise: Callable[[str, Sequence[str], str], bool] = _everything
    special: Callable[[Node], bool] = supports
