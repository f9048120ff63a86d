"""torch's own older linear algebra: norms, distances, statistics, and names without `linalg.`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor, wrap
from .._engine.base.dtypes import dtype
from .._engine.base.shapes import wrap_dim
from ..return_types import result_type
from . import linalg, lu as factors, norms
from .checks import refuse
from .declare import op
from .pointwise import mul, pow as power, sub
from .products import check_same_dtype, matmul
from .promote import dtype_of, floating_input, to_common
from .reductions import mean, sum as sum_over
from .shaping import reshape, transpose

__all__ = [
    "cdist", "cholesky", "cholesky_inverse", "cholesky_solve", "corrcoef", "cov", "cross", "det",
    "dist", "inverse", "logdet", "lu", "lu_solve", "lu_unpack", "matrix_exp", "matrix_power",
    "norm", "pinverse", "qr", "renorm", "slogdet", "svd", "trace", "triangular_solve", "vander",
    "frobenius_norm", "norm_except_dim", "nuclear_norm",
]  # fmt: skip


def _renamed(name: str, function: Any, **traits: Any) -> Any:
    """The same op under its older, top-level name, and as a method; `traits` as `op` takes them."""

    def older(input: Tensor, *args: Any, **options: Any) -> Any:
        return function(input, *args, **options)

    older.__name__ = older.__qualname__ = name
    older.__doc__ = function.__doc__
    return op(method=True, out=True, **traits)(older)


det = _renamed("det", linalg.det)
inverse = _renamed("inverse", linalg.inv, refuses=True)
matrix_power = _renamed("matrix_power", linalg.matrix_power, refuses=True)
matrix_exp = _renamed("matrix_exp", linalg.matrix_exp, reads_values=True)


@op(method=True)
def slogdet(input: Tensor) -> Any:
    """The sign (or phase) of the determinant and the logarithm of its size."""
    return result_type("slogdet")(linalg.slogdet(input))


@op(method=True)
def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant, NaN where that is negative."""
    sign, log = linalg.slogdet(input)
    if sign._array.dtype.kind == "c":
        return P.add(P.log(sign), P.convert(log, dtype=sign._array.dtype))
    return P.where(P.lt(sign, 0), math.nan, log)


@op(method=True)
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The Moore-Penrose inverse."""
    return norms.pinv(input, rcond)


@op(method=True, out=True, refuses=True)
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The lower triangular L of input = L L^H (or the upper one of U^H U)."""
    return linalg.cholesky(input, upper=upper)


@op(method=True, out=True)
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The X of A X = input, from A's Cholesky factor."""
    for x in (input, L):
        if x._array.ndim < 2:
            raise RuntimeError(
                f"b should have at least 2 dimensions, but has {x._array.ndim} dimensions instead"
            )
    check_same_dtype("cholesky_solve", input, L)
    return P.cholesky_solve(input, linalg.adjoint(L) if upper else L)


@op(method=True, out=True)
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of a matrix, from its Cholesky factor."""
    linalg.check_matrix("cholesky_inverse", L)
    eye = P.expand(linalg.identity_like(L), shape=L._array.shape)
    return cholesky_solve(eye, L, upper)


@op(method=True, out=True)
def qr(input: Tensor, some: bool = True) -> Any:
    """input = Q R; `some=False` gives a square Q."""
    return result_type("qr")(linalg.qr(input, "reduced" if some else "complete"))


@op(method=True, out=True)
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """input = U diag(S) V^H; note that V, not its adjoint, is returned."""
    u, s, vh = linalg.svd(input, not some)
    if not compute_uv:
        m, n = input._array.shape[-2:]
        batch = input._array.shape[:-2]
        d = input._array.dtype
        zero = [P.full(shape=(*batch, k, k), value=0, dtype=d) for k in (m, n)]
        return result_type("svd")((zero[0], s, zero[1]))
    return result_type("svd")((u, s, linalg.adjoint(vh)))


@op(method=True, out=True)
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """L and U in one matrix, the row exchanges, and (`get_infos`) where the first zero pivot is."""
    found = factors.lu_factor_ex(A, pivot=pivot, check_errors=not get_infos)
    return found if get_infos else result_type("linalg_lu_factor")(found[:2])


@op(out=True, reads_values=True)
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """P, L and U from what `lu_factor` gives."""
    order, low, high = factors.unpacked(LU_data, LU_pivots)
    empty = P.full(shape=(0,), value=0, dtype=LU_data._array.dtype)
    if not unpack_data:
        low = high = empty
    return result_type("lu_unpack")((order if unpack_pivots else empty, low, high))


@op(method=True, out=True, reads_values=True)
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """The X of A X = b, from A's LU factors."""
    return factors.lu_solve(LU_data, LU_pivots, b)


@op(method=True, out=True)
def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """The X of A X = b for a triangular A, and A."""
    left, side = (_turned(A), not upper) if transpose else (A, upper)
    found = linalg.solve_triangular(left, b, upper=side, unitriangular=unitriangular)
    return result_type("triangular_solve")((found, A))


def _turned(A: Tensor) -> Tensor:
    return transpose(A, -2, -1)


@op(method=True)
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""
    if input._array.ndim != 2:
        raise RuntimeError("trace: expected a matrix")
    return sum_over(P.diagonal(input, offset=0, dim1=0, dim2=1))


@op(method=True, out=True)
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
) -> Tensor:
    """The p-norm over `dim` (all by default); "fro" is the Euclidean one, "nuc" the nuclear."""
    if p == "nuc":
        dims = tuple(range(input._array.ndim)) if dim is None else dim
        return norms.matrix_norm(input, "nuc", dims, keepdim, dtype=dtype)
    order = 2 if p in ("fro", None) else p
    return norms.vector_norm(input, order, dim, keepdim, dtype=dtype)


@op(method=True)
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other."""
    return norms.vector_norm(sub(input, other), p)


@op(method=True, inplace=True, out=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Each slice along `dim` scaled down to a p-norm of at most `maxnorm`."""
    if input._array.ndim < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input._array.ndim} dimensions"
        )
    at = wrap_dim(dim, input._array.ndim)
    others = tuple(d for d in range(input._array.ndim) if d != at)
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    size = norms.vector_norm(input, p, others, True)
    scale = P.where(P.gt(size, maxnorm), P.div(maxnorm, P.add(size, 1e-7)), 1)
    return mul(input, scale)


@op(name="cross", namespace="linalg", out=True)
def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of three-vectors along `dim`."""
    a, b = to_common("linalg.cross", input, other)
    if a._array.ndim != b._array.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    at = wrap_dim(dim, a._array.ndim)
    if a._array.shape[at] != 3 or b._array.shape[at] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got "
            f"{a._array.shape[at]} and {b._array.shape[at]}"
        )
    turned = [_rolled(x, at, k) for x in (a, b) for k in (1, 2)]
    return P.sub(P.mul(turned[0], turned[3]), P.mul(turned[1], turned[2]))


def _rolled(x: Tensor, dim: int, start: int) -> Tensor:
    """Entries start, start + 1, ... along `dim`, going round."""
    lead = tuple((0, n, 1) for n in x._array.shape[:dim])
    tail = P.slice(x, index=(*lead, (start, 3, 1)))
    return P.cat(tail, P.slice(x, index=(*lead, (0, start, 1))), dim=dim)


@op(method=True, out=True)
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of three-vectors: along `dim`, or the first dimension of size 3."""
    if dim is None:
        found = [d for d, n in enumerate(input._array.shape) if n == 3]
        if not found:
            raise RuntimeError("no dimension of size 3 in input")
        dim = found[0]
    return linalg_cross(input, other, dim=dim)


@op()
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """p-norm distances between all rows of x1 and all rows of x2, in batches.

    Raises:
        RuntimeError: the rows differ in length, or p is negative.
    """
    a, b = x1._array.shape, x2._array.shape
    if len(a) < 2 or len(b) < 2:
        raise RuntimeError(
            f"cdist only supports at least 2D tensors, X1 got: {len(a)}D, X2 got: {len(b)}D"
        )
    if a[-1] != b[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {a[-1]} X2: {b[-1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    left = P.slice(x1, index=(*((0, n, 1) for n in a[:-1]), None))
    right = P.slice(x2, index=(*((0, n, 1) for n in b[:-2]), None))
    return norms.vector_norm(sub(left, right), p, -1)


def _check_weights(count: int, fweights: Any, aweights: Any) -> None:
    """Raises RuntimeError for weights of observations that are of no use."""
    for weights, name, kinds, wanted in (
        (fweights, "fweights", "iu", "integral"),
        (aweights, "aweights", "f", "floating point"),
    ):
        if weights is None:
            continue
        if weights._array.ndim > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
                f"{weights._array.ndim} dimensions"
            )
        if weights._array.dtype.kind not in kinds:
            raise RuntimeError(
                f"cov(): expected {name} to have {wanted} dtype but got {name} with "
                f"{dtype_of(weights).word} dtype"
            )
        if weights._array.size != count:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {weights._array.size} != {count}"
            )
        text = f"cov(): {name} cannot be negative"
        refuse(P.lt(weights, 0), lambda text=text: RuntimeError(text))  # type: ignore[misc]


@op(method=True)
def cov(
    input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None
) -> Tensor:
    """The covariance matrix of variables in rows, observations in columns.

    Args:
        fweights: how often each observation occurred (integers).
        aweights: how much each observation counts.
    """
    if input._array.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an "
            f"input with {input._array.ndim} dimensions"
        )
    x = floating_input(input)
    x = reshape(x, (1, -1)) if x._array.ndim < 2 else x
    _check_weights(x._array.shape[1], fweights, aweights)
    weights = None
    if fweights is not None:
        weights = fweights
    if aweights is not None:
        weights = aweights if weights is None else mul(fweights, aweights)
    if weights is None:
        total: Any = x._array.shape[1]
        average = mean(x, 1, True)
    else:
        total = sum_over(weights)
        average = sum_over(mul(x, weights), 1, True) / total
    if weights is None or aweights is None or correction == 0:
        norm_factor = total - correction
    else:
        norm_factor = total - correction * sum_over(mul(weights, aweights)) / total
    factor = norm_factor.clamp(min=0) if isinstance(norm_factor, Tensor) else max(norm_factor, 0)  # type: ignore
    gap = sub(x, average)
    weighted = gap if weights is None else mul(gap, weights)
    found = matmul(weighted, linalg.adjoint(gap)) / factor  # type: ignore[operator]
    return reshape(found, ()) if found._array.size == 1 else found


@op(method=True)
def corrcoef(input: Tensor) -> Tensor:
    """The correlation matrix of variables in rows, observations in columns."""
    if input._array.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an "
            f"input with {input._array.ndim} dimensions"
        )
    found = cov(input)
    if found._array.ndim == 0:
        return found / found  # type: ignore[operator]
    variance = P.diagonal(found, offset=0, dim1=0, dim2=1)
    spread = power(P.real_part(variance) if variance._array.dtype.kind == "c" else variance, 0.5)
    column = P.slice(spread, index=((0, spread._array.size, 1), None))
    return found / column / spread  # type: ignore[operator]


@op(out=True)
def frobenius_norm(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The Euclidean norm of all elements over `dim`."""
    return norms.vector_norm(input, 2, dim or None, keepdim)


@op(out=True)
def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False) -> Tensor:
    """The sum of the singular values of matrices."""
    return norms.matrix_norm(input, "nuc", dim, keepdim)


@op()
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The p-norm of each slice along `dim`, of all elements for dim -1; dimensions are kept."""
    if dim == -1:
        return norms.vector_norm(v, pow)
    return norms.vector_norm(v, pow, tuple(d for d in range(v._array.ndim) if d != dim), True)


@op()
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """A Vandermonde matrix of a vector: columns x^(N-1) ... x, 1, or the other way round.

    Raises:
        RuntimeError: x has not one dimension, or N is negative.
    """
    if x._array.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x._array.size if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    found = norms.vander(x, count) if count else wrap(np.empty((x._array.size, 0), x._array.dtype))
    return found if increasing else P.flip(found, dims=(1,))
