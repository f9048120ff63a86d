"""Gradients of matrix products and decompositions.

Sources: M. Giles, "An extended collection of matrix derivative results" (2008); for complex
decompositions C. Hubig et al., "Backward differentiation of complex matrix decompositions"; for
QR S. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..table import gradient, joint_gradient, no_gradient
from ..tensor import Tensor
from .shared import P, conj, elements, filled, literal


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
gradient("cholesky", lambda g, out: _cholesky(g, out))
gradient(
    "solve",
    lambda g, a, out: -P.matmul(P.solve(transposed(a), g), transposed(out)),
    lambda g, a: P.solve(transposed(a), g),
)
gradient(
    "triangular_solve",
    lambda g, a, out, upper, unit: _triangular_matrix(g, a, out, upper, unit),
    lambda g, a, upper, unit: _back_substituted(g, a, upper, unit),
)


def _masked(x: Any, mask: np.ndarray) -> Any:
    """x where the mask is true, zero elsewhere."""
    return P.where(literal(mask), x, 0)


def _triangle(x: Any, upper: bool, offset: int = 0) -> Any:
    rows, columns = x._array.shape[-2:]
    lower = np.tri(rows, columns, offset, dtype=bool)
    return _masked(x, np.triu(np.ones((rows, columns), bool), offset) if upper else lower)


def _diagonal_matrix(d: Any) -> Any:
    """Vectors laid out as diagonal matrices."""
    n = d._array.shape[-1]
    column = P.slice(d, index=(*((0, m, 1) for m in d._array.shape), None))
    return column * P.convert(literal(np.eye(n, dtype=bool)), dtype=d._array.dtype)


def _row(v: Any) -> Any:
    """Vectors as rows, to scale columns."""
    return P.slice(v, index=(*((0, m, 1) for m in v._array.shape[:-1]), None))


def _column(v: Any) -> Any:
    """Vectors as columns, to scale rows."""
    return P.slice(v, index=(*((0, m, 1) for m in v._array.shape), None))


def _diagonal_of(x: Any) -> Any:
    n = x._array.ndim
    return P.diagonal(x, offset=0, dim1=n - 2, dim2=n - 1)


def _to(x: Any, like: Any) -> Any:
    return x if x._array.dtype == like._array.dtype else P.convert(x, dtype=like._array.dtype)


def _back_substituted(g: Any, a: Any, upper: bool, unit: bool) -> Any:
    return P.triangular_solve(transposed(a), g, upper=not upper, unit=unit)


def _triangular_matrix(g: Any, a: Any, out: Any, upper: bool, unit: bool) -> Any:
    full = -P.matmul(_back_substituted(g, a, upper, unit), transposed(out))
    return _triangle(full, upper, (1 if upper else -1) if unit else 0)


def _cholesky(g: Any, low: Any) -> Any:
    inner = _triangle(P.matmul(transposed(low), g), upper=False)
    half = inner - _diagonal_matrix(_diagonal_of(inner)) * 0.5
    left = P.triangular_solve(transposed(low), half, upper=True, unit=False)
    full = transposed(P.triangular_solve(transposed(low), transposed(left), upper=True, unit=False))
    return (full + transposed(full)) * 0.5


def _qr(gs: Any, outs: Any, a_shape: Any, mode: str) -> tuple:
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
            "Please use linalg.qr(A, mode='reduced') if you are going to differentiate through "
            "linalg.qr."
        )
    (gq, gr), (q, r) = gs, outs
    m, n = a_shape[-2:]
    if mode == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
        )
    if m >= n:
        return (_qr_tall(gq, gr, q, r),)
    # wide: A = [X | Y], R = [U | V] with X = QU square and Y = QV
    lead = tuple((0, k, 1) for k in a_shape[:-1])
    u = P.slice(r, index=(*lead[:-1], (0, m, 1), (0, m, 1)))
    gv = P.slice(gr, index=(*lead[:-1], (0, m, 1), (m, n, 1)))
    gu = P.slice(gr, index=(*lead[:-1], (0, m, 1), (0, m, 1)))
    v = P.slice(r, index=(*lead[:-1], (0, m, 1), (m, n, 1)))
    y = P.matmul(q, v)
    left = _qr_tall(gq + P.matmul(y, transposed(gv)), gu, q, u)
    return (P.cat(left, P.matmul(q, gv), dim=len(a_shape) - 1),)


def _qr_tall(gq: Any, gr: Any, q: Any, r: Any) -> Any:
    m = P.matmul(r, transposed(gr)) - P.matmul(transposed(gq), q)
    low = _triangle(m, upper=False, offset=-1)
    diagonal = _diagonal_of(m)
    if diagonal._array.dtype.kind == "c":
        diagonal = _to(P.real_part(diagonal), m)
    symmetric = low + transposed(low) + _diagonal_matrix(diagonal)
    right = gq + P.matmul(q, symmetric)
    return transposed(P.triangular_solve(r, transposed(right), upper=True, unit=False))


def _gaps(values: Any) -> Any:
    """E[i, j] = values[j] - values[i], with ones on the diagonal."""
    n = values._array.shape[-1]
    gap = _row(values) - _column(values)
    return P.where(literal(np.eye(n, dtype=bool)), 1, gap)


def _off_diagonal(x: Any) -> Any:
    return _masked(x, ~np.eye(x._array.shape[-1], dtype=bool))


def _zeros(x: Any) -> Any:
    return filled(x, x._array.shape, 0)


def _eigh(partial_gs: Any, outs: Any) -> tuple:
    (gw, gv), (w, v) = partial_gs, outs
    middle = _diagonal_matrix(_to(_zeros(w) if gw is None else gw, v))
    if gv is not None:  # values alone have a gradient also where some are equal
        inner = P.matmul(transposed(v), gv)
        middle = middle + _off_diagonal(inner) / _to(_gaps(w), v)
    return (P.matmul(P.matmul(v, middle), transposed(v)),)


def _eig(gs: Any, outs: Any, a_dtype: Any) -> tuple:
    (gw, gv), (w, v) = gs, outs
    vh = transposed(v)
    inner = P.matmul(vh, gv)
    scale = _to(P.real_part(_diagonal_of(inner)), v)
    inner = inner - P.matmul(vh, v) * _row(scale)
    middle = _off_diagonal(inner / P.conj(_gaps(w))) + _diagonal_matrix(gw)
    return (P.matmul(P.solve(vh, middle), vh),)


def _svd(partial_gs: Any, outs: Any, full: bool, a_shape: Any) -> tuple:
    gu, gs_, gvh = partial_gs
    u, s, vh = outs
    m, n = a_shape[-2:]
    k = min(m, n)
    only_values = gu is None and gvh is None  # these have a gradient also where some are equal
    gu, gs_, gvh = (_zeros(x) if g is None else g for g, x in zip(partial_gs, outs, strict=True))
    if full and m != n:
        lead = tuple((0, size, 1) for size in u._array.shape[:-2])
        columns = (*lead, (0, m, 1), (0, k, 1))
        rows = (*lead, (0, k, 1), (0, n, 1))
        u, gu = P.slice(u, index=columns), P.slice(gu, index=columns)
        vh, gvh = P.slice(vh, index=rows), P.slice(gvh, index=rows)
    if only_values:
        return (P.matmul(u * _row(_to(gs_, u)), vh),)
    uh, v = transposed(u), transposed(vh)
    gv = transposed(gvh)
    wide = _to(s, u)
    gap = _gaps(wide * wide)
    skew_u, skew_v = (x - transposed(x) for x in (P.matmul(uh, gu), P.matmul(vh, gv)))
    middle = (_off_diagonal(skew_u) / gap) * _row(wide) + _column(wide) * (
        _off_diagonal(skew_v) / gap
    )
    middle = middle + _diagonal_matrix(_to(gs_, u))
    if u._array.dtype.kind == "c":
        middle = middle + _diagonal_matrix(_diagonal_of(skew_u) / (wide * 2))
    found = P.matmul(P.matmul(u, middle), vh)
    if m > k:
        outside = gu - P.matmul(u, P.matmul(uh, gu))
        found = found + P.matmul(outside / _row(wide), vh)
    if n > k:
        outside = gvh - P.matmul(P.matmul(gvh, v), vh)
        found = found + P.matmul(u, outside / _column(wide))
    return (found,)


def _slogdet(gs: Any, outs: Any, a: Any) -> tuple:
    (g_sign, g_log), (sign, _) = gs, outs
    scale = _to(g_log, a)
    if a._array.dtype.kind == "c":
        turn = P.imag_part(P.conj(sign) * g_sign)
        scale = P.make_complex(g_log, turn)
    return (_column(_column(scale)) * _inverse_of_transpose(a),)


def _inverse_of_transpose(a: Any) -> Any:
    n = a._array.shape[-1]
    identity = np.broadcast_to(np.eye(n, dtype=a._array.dtype), a._array.shape)
    return P.solve(transposed(a), literal(identity))


def _det(g: Any, a: Any, out: Any) -> Any:
    """g * cofactors; by the SVD where a matrix is singular and has no inverse."""
    if (np.linalg.matrix_rank(elements(a)) == a._array.shape[-1]).all():
        return _column(_column(g * conj(out))) * _inverse_of_transpose(a)
    u, s, vh = P.svd(a, full=True)
    others = _products_of_others(s)
    phase = conj(P.det(u) * P.det(vh))
    middle = _diagonal_matrix(_to(others, a))
    cofactors = P.matmul(P.matmul(u, middle), vh)
    return _column(_column(g * phase)) * cofactors


def _products_of_others(s: Tensor) -> Any:
    n = s._array.shape[-1]
    eye = literal(np.eye(n, dtype=bool))
    grid = P.where(eye, 1, _row(s))
    return P.prod(grid, dims=(grid._array.ndim - 1,), keepdim=False)


def _lu_factor(gs: Any, outs: Any, a_shape: Any) -> tuple:
    """A = P L U: the square part in the corner, and the rows below or the columns beside it.

    Rows below are L2 = A2 U^-1 and columns beside U2 = L^-1 A2: each gives A2 its gradient, and
    adds to that of the square part's U or L.
    """
    g, lu, pivots = gs[0], outs[0], outs[1]
    m, n = a_shape[-2:]
    k = min(m, n)
    corner, g_corner = _block(lu, (0, k), (0, k)), _block(g, (0, k), (0, k))
    low = _triangle(corner, upper=False, offset=-1) + literal(np.eye(k, dtype=lu._array.dtype))
    high = _triangle(corner, upper=True)
    g_low = _triangle(g_corner, upper=False, offset=-1)
    g_high = _triangle(g_corner, upper=True)
    rest = None
    if m > k:
        below = transposed(_block(g, (k, m), (0, k)))
        rest = transposed(P.triangular_solve(high, below, upper=True, unit=False))
        g_high = g_high - P.matmul(transposed(_block(lu, (k, m), (0, k))), rest)
    elif n > k:
        beside = _block(g, (0, k), (k, n))
        rest = P.triangular_solve(transposed(low), beside, upper=True, unit=True)
        g_low = g_low - P.matmul(rest, transposed(_block(lu, (0, k), (k, n))))
    inner = _triangle(P.matmul(transposed(low), g_low), upper=False, offset=-1) + _triangle(
        P.matmul(g_high, transposed(high)), upper=True
    )
    left = P.triangular_solve(transposed(low), inner, upper=True, unit=True)
    full = transposed(P.triangular_solve(high, transposed(left), upper=True, unit=False))
    if rest is not None:
        full = P.cat(full, rest, dim=len(a_shape) - (2 if m > k else 1))
    order = permutation(elements(pivots), m, lu._array.dtype)
    return (P.matmul(literal(order), full),)


def _block(x: Any, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
    lead = tuple((0, size, 1) for size in x._array.shape[:-2])
    return P.slice(x, index=(*lead, (*rows, 1), (*columns, 1)))


def permutation(pivots: np.ndarray, rows: int, dtype: np.dtype) -> np.ndarray:
    """The matrix P of A = P L U, from LAPACK's row exchanges."""
    batch = pivots.shape[:-1]
    count = int(np.prod(batch))
    order = np.tile(np.arange(rows), (count, 1))
    for row, exchange in zip(order, pivots.reshape(count, pivots.shape[-1]), strict=True):
        for i, j in enumerate(exchange - 1):
            row[[i, j]] = row[[j, i]]
    out = np.zeros((len(order), rows, rows), dtype)
    out[np.arange(len(order))[:, None], order, np.arange(rows)] = 1
    return out.reshape(*batch, rows, rows)


def _cholesky_factor(g: Any, a: Any, out: Any) -> Any:
    """Of X = (L L^H)^-1 B: -(Y X^H + X Y^H) L with Y the gradient of B."""
    y = P.cholesky_solve(g, a)
    product = P.matmul(y, transposed(out))
    return -P.matmul(product + transposed(product), a)


def _pinv(g: Any, a: Any, out: Any) -> Any:
    """G. Golub and V. Pereyra, "The differentiation of pseudo-inverses ..." (1973)."""
    inverse_h, g_h = transposed(out), transposed(g)
    beyond = g_h - P.matmul(a, P.matmul(out, g_h))
    before = g_h - P.matmul(P.matmul(g_h, out), a)
    return (
        P.matmul(beyond, P.matmul(out, inverse_h))
        + P.matmul(P.matmul(inverse_h, out), before)
        - P.matmul(P.matmul(inverse_h, g), inverse_h)
    )


gradient("cholesky_solve", lambda g, a: P.cholesky_solve(g, a), _cholesky_factor)
gradient("pinv", _pinv)
no_gradient("geqrf", "ldl_factor", "ldl_solve")
joint_gradient("qr", _qr)
joint_gradient("svd", _svd)
joint_gradient("eigh", _eigh)
joint_gradient("eig", _eig)
joint_gradient("slogdet", _slogdet)
joint_gradient("lu_factor", _lu_factor)
gradient("det", _det)
