"""Matrix products and decompositions."""

from __future__ import annotations

from ..base.shapes import broadcast
from .primitive import Aval, declare


def _matmul(a: Aval, b: Aval) -> Aval:
    batch = broadcast(a.shape[:-2], b.shape[:-2], op="matmul")
    return Aval((*batch, a.shape[-2], b.shape[-1]), a.dtype)


# both operands have at least two dimensions; the leading ones broadcast
declare("matmul", "a b", shape=_matmul)


def _solve(a: Aval, b: Aval, **params: object) -> Aval:
    batch = broadcast(a.shape[:-2], b.shape[:-2], op="solve")
    return Aval((*batch, *b.shape[-2:]), b.dtype)


# Decompositions of batches of matrices. Their results' dtypes and shapes are found by running
# the eager rule, also on the meta device.
declare("cholesky", "a", shape=lambda a: a)
declare("solve", "a b", shape=_solve)
declare("triangular_solve", "a b", "upper unit", shape=_solve)
# the X of L L^H X = b, for a lower triangular `a`
declare("cholesky_solve", "b a", shape=lambda b, a: _solve(a, b))
declare("qr", "a", "mode", outputs=2)
# reflections below the diagonal and R above it, and the reflections' scales
declare("geqrf", "a", outputs=2)
# Moore-Penrose inverse; singular values up to max(atol, rtol * the largest) count as zero
declare("pinv", "a", "atol rtol hermitian")
declare("svd", "a", "full", outputs=3)
declare("eigh", "a", "upper", outputs=2)
declare("eig", "a", outputs=2)
declare("slogdet", "a", outputs=2)
declare("det", "a", shape=lambda a: Aval(a.shape[:-2], a.dtype))
# as LAPACK's sytrf (hetrf) of the lower triangle, and sytrs
declare("ldl_factor", "a", "hermitian", outputs=3)
declare("ldl_solve", "factors pivots b", "hermitian")
# LU in one matrix, the row exchanges (from 1), and where the first zero pivot is (0: nowhere)
declare("lu_factor", "a", outputs=3)
