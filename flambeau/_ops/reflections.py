"""QR by Householder reflections I - tau v v^H, whose vectors lie below a matrix's diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from ..return_types import result_type
from .declare import op
from .linalg import adjoint, check_matrix, last_dims
from .products import matmul
from .promote import literal

__all__ = ["geqrf", "householder_product", "orgqr", "ormqr"]


def _applied(x: Tensor, A: Tensor, tau: Tensor, *, first: bool, inverse: bool) -> Tensor:
    """Reflections applied to x from the left, the `first` one or the last one first."""
    rows = np.arange(A._array.shape[-2])[:, None]
    lead = tuple((0, k, 1) for k in tau._array.shape[:-1])
    order = range(tau._array.shape[-1])
    for i in order if first else reversed(order):
        v = P.where(literal(rows > i), last_dims(A, columns=(i, i + 1)), 0)
        v = P.where(literal(rows == i), 1, v)
        scale = P.slice(tau, index=(*lead, (i, i + 1, 1), None))
        if inverse and tau._array.dtype.kind == "c":
            scale = P.conj(scale)
        x = x - scale * matmul(v, matmul(adjoint(v), x))  # type: ignore[operator]
    return x


def _check_reflections(name: str, A: Tensor, tau: Tensor) -> None:
    if A._array.ndim < 2:
        raise RuntimeError(f"torch.{name}: input must have at least 2 dimensions.")
    check_matrix(name, A, square=False)
    if A._array.shape[-1] < tau._array.shape[-1]:
        raise RuntimeError(
            f"torch.{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )


@op(namespace="linalg", out=True)
def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first columns of the product of the reflections.

    Raises:
        RuntimeError: A has more columns than rows, or fewer columns than there are reflections.
    """
    _check_reflections("linalg.householder_product", A, tau)
    m, n = A._array.shape[-2:]
    if m < n:
        raise RuntimeError("torch.linalg.householder_product: input.shape[-2] must be greater "
                           "than or equal to input.shape[-1]")  # fmt: skip
    # keeps A on the tape where there are no reflections
    nowhere = P.full(shape=(), value=False, dtype=np.dtype(bool))
    eye = P.where(nowhere, A, literal(np.eye(m, n, dtype=A._array.dtype), A))
    return _applied(eye, A, tau, first=False, inverse=False)


@op(method=True, out=True)
def orgqr(input: Tensor, input2: Tensor) -> Tensor:
    """`linalg.householder_product` under its older name."""
    return householder_product(input, input2)


@op(method=True, out=True)
def geqrf(input: Tensor) -> Any:
    """QR as LAPACK lays it out: R above, the reflections' vectors below the diagonal; and tau."""
    check_matrix("geqrf", input, square=False)
    return result_type("geqrf")(P.geqrf(input))


@op(method=True, out=True)
def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    """Q other (or other Q), Q the square product of the reflections; or with Q^H.

    Raises:
        RuntimeError: shapes do not fit.
    """
    if input._array.ndim < 2:
        raise RuntimeError("torch.ormqr: input must have at least 2 dimensions.")
    side = -2 if left else -1
    if tau._array.shape[-1] != min(other._array.shape[side], input._array.shape[-1]):
        raise RuntimeError(
            f"torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])"
        )
    _check_reflections("ormqr", input, tau)
    if input._array.shape[-2] != other._array.shape[side]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]")
    if left:
        return _applied(other, input, tau, first=transpose, inverse=transpose)
    turned = _applied(adjoint(other), input, tau, first=not transpose, inverse=not transpose)
    return adjoint(turned)
