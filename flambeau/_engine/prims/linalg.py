"""Matrix products and decompositions."""

from __future__ import annotations

from ..base.shapes import broadcast
from .primitive import Aval, declare


def _matmul(a: Aval, b: Aval) -> Aval:
    batch = broadcast(a.shape[:-2], b.shape[:-2], op="matmul")
    return Aval((*batch, a.shape[-2], b.shape[-1]), a.dtype)


# both operands have at least two dimensions; the leading ones broadcast
declare("matmul", "a b", shape=_matmul)
