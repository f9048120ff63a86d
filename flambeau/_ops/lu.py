"""LU and LDL factorisations, and solvers that start from factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.rules.linalg import permutation
from .._engine.autograd.tensor import Tensor
from ..return_types import result_type
from .checks import elements, refuse
from .declare import op
from .linalg import LinAlgError, adjoint, check_matrix, last_dims, singular, solve_triangular
from .products import check_same_dtype, matmul
from .promote import literal
from .shaping import transpose

__all__ = [
    "ldl_factor", "ldl_factor_ex", "ldl_solve", "lu", "lu_factor", "lu_factor_ex", "lu_solve",
]  # fmt: skip

_SPACE = "linalg"


def _check_pivot(name: str, pivot: bool) -> None:
    if not pivot:
        raise RuntimeError(f"{name}: LU without pivoting is not implemented on the CPU")


@op(namespace=_SPACE, out=True)
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """L and U in one matrix, the row exchanges, and where the first zero pivot is."""
    check_matrix("linalg.lu_factor_ex", A, square=False)
    _check_pivot("linalg.lu_factor_ex", pivot)
    factors, pivots, info = P.lu_factor(A)
    if check_errors:
        text = "torch.linalg.lu_factor_ex: U has a zero on its diagonal"
        refuse(P.ne(info, 0), lambda: LinAlgError(text))
    return result_type("linalg_lu_factor_ex")((factors, pivots, info))


@op(namespace=_SPACE, out=True)
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """L and U in one matrix, and the row exchanges (counted from 1, as LAPACK does)."""
    factors, pivots, info = lu_factor_ex(A, pivot=pivot)
    if A._array.shape[-1] == A._array.shape[-2]:
        text = (
            "U[{at},{at}] is zero and using it on lu_solve would result in a division by zero. If "
            "you still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
            "linalg.lu_factor_ex(A, pivot)"
        )
        refuse(P.ne(info, 0), lambda: singular("torch.linalg.lu_factor", text, info._array))
    return result_type("linalg_lu_factor")((factors, pivots))


def unpacked(factors: Tensor, pivots: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """P, L and U of A = P L U."""
    m, n = factors._array.shape[-2:]
    k = min(m, n)
    rows, columns = np.indices((m, n))
    low = P.where(literal(rows > columns), factors, 0)
    low = P.where(literal(rows == columns), 1, low)
    high = P.where(literal(rows <= columns), factors, 0)
    order = literal(permutation(elements(pivots), m, factors._array.dtype))
    return order, last_dims(low, columns=(0, k)), last_dims(high, rows=(0, k))


@op(namespace=_SPACE, out=True, reads_values=True)
def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """A = P L U with a permutation, a unit lower and an upper triangular matrix."""
    factors, pivots, _ = lu_factor_ex(A, pivot=pivot)
    return result_type("linalg_lu")(unpacked(factors, pivots))


@op(namespace=_SPACE, out=True, reads_values=True)
def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """The X of A X = B (or X A = B, or with A^H), from A's LU factors."""
    if not left:
        turned = lu_solve(LU, pivots, _adjoint(B), left=True, adjoint=not adjoint)
        return _adjoint(turned)
    order, low, high = unpacked(LU, pivots)
    if adjoint:
        y = solve_triangular(_adjoint(high), B, upper=False)
        y = solve_triangular(_adjoint(low), y, upper=True, unitriangular=True)
        return matmul(order, y)
    y = matmul(transpose(order, -2, -1), B)
    y = solve_triangular(low, y, upper=False, unitriangular=True)
    return solve_triangular(high, y, upper=True)


_adjoint = adjoint


@op(namespace=_SPACE, out=True)
def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """A = L D L^T (L^H) with D of blocks of one and two; and where D is zero. Needs SciPy."""
    check_matrix("linalg.ldl_factor_ex", A)
    factors, pivots, info = P.ldl_factor(A, hermitian=bool(hermitian))
    if check_errors:
        text = "torch.linalg.ldl_factor_ex: D has a zero on its diagonal"
        refuse(P.ne(info, 0), lambda: LinAlgError(text))
    return result_type("linalg_ldl_factor_ex")((factors, pivots, info))


@op(namespace=_SPACE, out=True)
def ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """L and D in one matrix, and the exchanges, as LAPACK's sytrf lays them out. Needs SciPy."""
    factors, pivots, _ = ldl_factor_ex(A, hermitian=hermitian, check_errors=True)
    return result_type("linalg_ldl_factor")((factors, pivots))


@op(namespace=_SPACE, out=True)
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """The X of A X = B, from `ldl_factor` of A. Needs SciPy."""
    check_matrix("linalg.ldl_solve", LD)
    check_same_dtype("linalg.ldl_solve", LD, B)
    if B._array.ndim < 2 or B._array.shape[-2] != LD._array.shape[-1]:
        raise RuntimeError(
            f"linalg.ldl_solve: Incompatible shapes of A {list(LD._array.shape)} and B "
            f"{list(B._array.shape)}"
        )
    return P.ldl_solve(LD, pivots, B, hermitian=bool(hermitian))
