"""Norms of vectors and matrices, distances, and what is built on singular values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor, wrap
from .._engine.base.dtypes import dtype, float32
from .._engine.base.shapes import wrap_dim, wrap_dims
from ..return_types import result_type
from .checks import elements
from .declare import op
from .linalg import check_matrix, eigh, inv, inv_ex, svd
from .pointwise import mul, pow as power
from .products import check_same_dtype, matmul
from .promote import as_dtype, dtype_of
from .reductions import amax, amin, reduced_dims, sum as sum_over
from .shaping import permute, reshape

__all__ = [
    "cond", "diagonal", "lstsq", "matrix_norm", "matrix_rank", "norm", "pinv", "tensorinv",
    "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip

_SPACE = "linalg"


def _modulus(x: Tensor) -> Tensor:
    return P.complex_abs(x) if x._array.dtype.kind == "c" else P.abs(x)


def _floating(name: str, x: Tensor, d: Any) -> Tensor:
    if x._array.dtype.kind in "iub":
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {dtype_of(x).word}"
        )
    return x if d is None else as_dtype(x, d)


@op(namespace=_SPACE, out=True)
def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """(sum |x|^ord)^(1/ord) over `dim`; ord may be inf, -inf and 0 (how many are nonzero)."""
    x = _floating("linalg.vector_norm", x, dtype)
    dims = reduced_dims(x, dim)
    size = _modulus(x)
    if (
        size._array.size == 0
        and (ord < 0 or ord == math.inf)
        and (not dims or any(size._array.shape[d] == 0 for d in dims))
    ):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the "
            "operation does not have an identity"
        )
    if ord == math.inf:
        return amax(size, dims, keepdim)
    if ord == -math.inf:
        return amin(size, dims, keepdim)
    if ord == 0:  # the sign has a gradient, of zero
        there = P.where(P.isnan(size), 1.0, P.sign(size))
        return P.sum(there, dims=dims, keepdim=keepdim)
    if ord == 1:
        return P.sum(size, dims=dims, keepdim=keepdim)
    return _root_of_powers(size, float(ord), dims, keepdim)


def _root_of_powers(size: Tensor, ord: float, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    """(sum size^ord)^(1 / ord), whose gradient at zero is zero.

    Half precision is summed in float32 and rounded once.
    """
    half = dtype_of(size) if size._array.dtype.itemsize == 2 else None
    x = size if half is None else as_dtype(size, float32)
    if x._plain or not x._requires_grad:
        total = P.sum(power(x, ord), dims=dims, keepdim=keepdim)
        found = power(total, 1.0 / ord)
    else:
        if ord < 2:
            zero = P.eq(x, 0)
            powers = power(P.where(zero, 1, x), ord)
            powers = P.where(zero, 0.0**ord if ord > 0 else math.inf, powers)
        else:
            powers = power(x, ord)
        total = P.sum(powers, dims=dims, keepdim=keepdim)
        none = P.eq(total, 0)
        found = P.where(none, 0, power(P.where(none, 1, total), 1.0 / ord))
    return found if half is None else as_dtype(found, half)


@op(namespace=_SPACE, out=True)
def matrix_norm(
    A: Tensor,
    ord: Any = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
) -> Tensor:
    """A norm of matrices: "fro", "nuc", 2, -2 (singular values), 1, -1 (columns), inf, -inf."""
    A = _floating("linalg.matrix_norm", A, dtype)
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}")
    rows, columns = wrap_dims(dim, A._array.ndim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord in ("nuc", 2, -2):
        order = [d for d in range(A._array.ndim) if d not in (rows, columns)]
        values = svd(permute(A, (*order, rows, columns)), False)[1]
        pick = {"nuc": sum_over, 2: _largest, -2: amin}[ord]
        found = pick(values, -1)
        return _kept(found, (rows, columns)) if keepdim else found
    if ord not in (1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    totals = vector_norm(A, 1, first, True)
    found = (_largest if ord > 0 else amin)(totals, second, True)
    if keepdim:
        return found
    kept = tuple(0 if d in (rows, columns) else (0, n, 1) for d, n in enumerate(found._array.shape))
    return P.slice(found, index=kept)


def _largest(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """The largest along `dim`; zero where there is none."""
    if x._array.shape[dim] == 0:
        return P.sum(x, dims=(wrap_dim(dim, x._array.ndim),), keepdim=keepdim)
    return amax(x, dim, keepdim)


def _kept(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    shape = list(x._array.shape)
    for d in sorted(dims):
        shape.insert(d, 1)
    return reshape(x, tuple(shape))


@op(namespace=_SPACE, out=True)
def norm(
    A: Tensor,
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
) -> Tensor:
    """`matrix_norm` or `vector_norm`, by `ord` and the number of dims."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    dims = (dim,) if isinstance(dim, int) else dim
    if (
        isinstance(ord, str)
        or (dims is not None and len(dims) == 2)
        or (dims is None and A._array.ndim == 2)
    ):
        if dims is None and A._array.ndim != 2:
            raise RuntimeError(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
                f"{A._array.ndim}D."
            )
        return matrix_norm(A, ord, dims or (0, 1), keepdim, dtype=dtype)
    if dims is None and A._array.ndim > 2:
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A._array.ndim}D."
        )
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)


@op(namespace=_SPACE, out=True)
def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number: the norm of A times that of its inverse."""
    if p in (None, 2, -2):
        values = svd(A, False)[1]
        big, small = amax(values, -1), amin(values, -1)
        return P.div(small, big) if p == -2 else P.div(big, small)
    inverse, info = inv_ex(A)
    found = mul(matrix_norm(A, p), matrix_norm(inverse, p))
    return P.where(P.ne(info, 0), math.inf, found)


def _tolerances(A: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """Absolute and relative bounds below which a singular value counts as zero."""
    absolute, rtol = (elements(x) if isinstance(x, Tensor) else x for x in (atol, rtol))
    if absolute is None:
        absolute = 0.0
    if rtol is not None:
        return absolute, rtol
    relative = np.finfo(A._array.dtype).eps * max(A._array.shape[-2:])
    return absolute, np.where(np.asarray(absolute) > 0, 0.0, relative)


@op(namespace=_SPACE, out=True, reads_values=True)
def matrix_rank(
    A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """How many singular values are above max(atol, rtol * the largest)."""
    check_matrix("linalg.matrix_rank", A, square=False)
    if tol is not None:
        atol, rtol = tol, 0.0
    values = P.abs(eigh(A)[0]) if hermitian else svd(A, False)[1]
    absolute, relative = _tolerances(A, atol, rtol)
    found = elements(values)
    limits = np.maximum(absolute, relative * found.max(-1, initial=0))
    return wrap(np.asarray((found > np.asarray(limits)[..., None]).sum(-1)))


@op(namespace=_SPACE, out=True)
def pinv(
    A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """The Moore-Penrose inverse, from the singular values above a cutoff."""
    check_matrix("linalg.pinv", A, square=False)
    absolute, relative = _tolerances(A, atol, rcond if rcond is not None else rtol)
    return P.pinv(A, atol=absolute, rtol=relative, hermitian=bool(hermitian))


@op(namespace=_SPACE, out=True, reads_values=True)
def lstsq(A: Tensor, B: Tensor, rcond: Any = None, *, driver: str | None = None) -> Any:
    """The X that minimises |A X - B|, with residuals, rank and singular values of A.

    Raises:
        RuntimeError: an unknown driver, or shapes or dtypes that do not fit.
    """
    check_matrix("torch.linalg.lstsq", A, square=False)
    driver = driver or "gelsy"  # as PyTorch on the CPU
    if driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    check_same_dtype("torch.linalg.lstsq", A, B)
    m, n = A._array.shape[-2:]
    vector = B._array.ndim == A._array.ndim - 1
    if B._array.ndim < 1 or B._array.shape[-1 if vector else -2] != m:
        raise RuntimeError(
            f"torch.linalg.lstsq: input.size(-2) should match other.size(-2), got "
            f"{list(A._array.shape)} and {list(B._array.shape)}"
        )
    right = P.slice(B, index=(*((0, k, 1) for k in B._array.shape), None)) if vector else B
    found = matmul(pinv(A, rtol=rcond), right)
    ranks = matrix_rank(A.detach(), rtol=rcond)  # type: ignore[attr-defined]
    gap = P.sub(matmul(A, found), right)
    residuals = P.sum(P.square(_modulus(gap)), dims=(gap._array.ndim - 2,), keepdim=False)
    if not (m > n and driver != "gelsy" and (elements(ranks) == n).all()):
        residuals = P.slice(reshape(residuals, (-1,)), index=((0, 0, 1),))
    rank = wrap(np.empty(0, np.int64)) if driver == "gels" else ranks
    values = svd(A.detach(), False)[1]  # type: ignore[attr-defined]
    if driver not in ("gelsd", "gelss"):
        values = wrap(np.empty(0, values._array.dtype))
    if vector:
        found = P.slice(found, index=(*((0, k, 1) for k in found._array.shape[:-1]), 0))
    return result_type("linalg_lstsq")((found, residuals, rank, values))


@op(namespace=_SPACE, out=True)
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Sums of conj(x) * y over one dimension."""
    conjugated = P.conj(x) if x._array.dtype.kind == "c" else x
    product = mul(conjugated, y)
    return sum_over(product, wrap_dim(dim, product._array.ndim), dtype=dtype_of(product))


@op(namespace=_SPACE)
def vander(x: Tensor, N: int | None = None) -> Tensor:
    """Vandermonde matrices: rows 1, x, x^2 ... of N entries."""
    if N is not None and N <= 0:
        raise RuntimeError("N must be greater than 1.")
    count = x._array.shape[-1] if N is None else N
    if x._array.dtype.kind in "iub":
        x = P.convert(x, dtype=np.dtype(np.int64))
    if x._array.ndim == 0:
        x = P.view(x, shape=(1,))
    column = P.slice(x, index=(*((0, n, 1) for n in x._array.shape), None))
    rest = P.expand(column, shape=(*x._array.shape, count - 1)) if count > 1 else None
    ones = P.full(shape=(*x._array.shape, 1), value=1, dtype=x._array.dtype)
    if rest is None:
        return ones
    return P.cat(ones, P.cumprod(rest, dim=x._array.ndim), dim=x._array.ndim)


@op(namespace=_SPACE)
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A diagonal of the last two dimensions (by default): a view."""
    first, second = (wrap_dim(d, A._array.ndim) for d in (dim1, dim2))
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return P.diagonal(A, offset=offset, dim1=first, dim2=second)


@op(namespace=_SPACE, out=True, refuses=True)
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a map from its last dimensions to its first `ind`."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    shape = A._array.shape
    rows, columns = math.prod(shape[:ind]), math.prod(shape[ind:])
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    return reshape(inv(reshape(A, (rows, columns))), (*shape[ind:], *shape[:ind]))


@op(namespace=_SPACE, out=True, refuses=True)
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """The X of tensordot(A, X, X.ndim) = B."""
    from .linalg import solve

    if dims is not None:
        moved = wrap_dims(dims, A._array.ndim)
        A = permute(A, (*(d for d in range(A._array.ndim) if d not in moved), *moved))
    tail = A._array.shape[B._array.ndim :]
    count = math.prod(tail)
    if count != B._array.size:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {count} != {B._array.size}"
        )
    return reshape(solve(reshape(A, (-1, count)), reshape(B, (-1,))), tail)
