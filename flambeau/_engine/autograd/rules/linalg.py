"""Gradients of matrix products and decompositions."""

from __future__ import annotations

from typing import Any

from ..table import gradient
from .shared import P, conj


def transposed(x: Any) -> Any:
    """The last two dimensions exchanged, and conjugated when complex."""
    n = x._array.ndim
    return conj(P.permute(x, dims=(*range(n - 2), n - 1, n - 2)))


# the engine sums broadcast batch dimensions back
gradient(
    "matmul",
    lambda g, b: P.matmul(g, transposed(b)),
    lambda g, a: P.matmul(transposed(a), g),
)
