"""Approximate decompositions of large matrices of low rank.

Source: N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness" (2009),
algorithms 4.4 and 5.1.
"""

from __future__ import annotations

from typing import Any

from .._engine.autograd.tensor import Tensor
from .declare import op
from .linalg import adjoint, qr, svd
from .products import matmul
from .promote import dtype_of
from .random import randn
from .reductions import mean

__all__ = ["pca_lowrank", "svd_lowrank"]


def _range_of(A: Tensor, q: int, niter: int) -> Tensor:
    """Orthonormal columns that nearly span A's, by powers of A on random vectors."""
    count = A._array.shape[-1]
    start = randn(count, q, dtype=dtype_of(A), device=A._device)
    turned = adjoint(A)
    found = qr(matmul(A, start))[0]
    for _ in range(niter):
        found = qr(matmul(turned, found))[0]
        found = qr(matmul(A, found))[0]
    return found


@op()
def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """U, S, V with A - M nearly U diag(S) V^H, of rank q.

    Args:
        niter: subspace iterations; more of them are more accurate.
        M: subtracted from A, if given.
    """
    x = A if M is None else A - M  # type: ignore[operator]
    wide = x._array.shape[-2] < x._array.shape[-1]
    if wide:
        x = adjoint(x)
    basis = _range_of(x, 6 if q is None else q, 2 if niter is None else niter)
    u, s, vh = svd(matmul(adjoint(basis), x), False)
    u, v = matmul(basis, u), adjoint(vh)
    return (v, s, u) if wide else (u, s, v)


@op()
def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of the rows of A: U, S and the directions V, of rank q.

    Raises:
        ValueError: q is negative or above A's smaller size, or niter is negative.
    """
    m, n = A._array.shape[-2:]
    rank = min(6, m, n) if q is None else q
    if not 0 <= rank <= min(m, n):
        raise ValueError(
            f"q(={rank}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    x: Any = A - mean(A, -2, True) if center else A  # type: ignore[operator]
    return svd_lowrank(x, rank, niter)
