"""NumPy rules for matrix products and decompositions."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import rule, rules

rules(matmul=in_float32(np.matmul))


@rule("cholesky")
def _cholesky(a):
    return np.linalg.cholesky(a)


@rule("solve")
def _solve(a, b):
    return np.linalg.solve(a, b)


@rule("triangular_solve")
def _triangular_solve(a, b, *, upper, unit):
    """Substitution row by row, all right-hand sides and matrices of the batch at once."""
    n = a.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    for i in reversed(range(n)) if upper else range(n):
        known = slice(i + 1, n) if upper else slice(0, i)
        row = a[..., i : i + 1, known]
        x[..., i, :] -= np.matmul(row, x[..., known, :])[..., 0, :]
        if not unit:
            x[..., i, :] /= a[..., i, i][..., None]
    return x


@rule("cholesky_solve")
def _cholesky_solve(b, a):
    low = np.tril(a)
    y = _triangular_solve(low, b, upper=False, unit=False)
    return _triangular_solve(low.conj().swapaxes(-1, -2), y, upper=True, unit=False)


@rule("geqrf")
def _geqrf(a):
    turned, tau = np.linalg.qr(a, "raw")
    return turned.swapaxes(-1, -2).astype(a.dtype), tau.astype(a.dtype)


@rule("pinv")
def _pinv(a, *, atol, rtol, hermitian):
    if hermitian:
        values, u = np.linalg.eigh(a)
        vh = u.conj().swapaxes(-1, -2)
    else:
        u, values, vh = np.linalg.svd(a, full_matrices=False)
    size = np.abs(values)
    limit = np.maximum(atol, rtol * size.max(-1, initial=0))
    large = size > np.asarray(limit)[..., None]
    inverse = np.where(large, 1 / np.where(large, values, 1), 0)
    found = vh.conj().swapaxes(-1, -2) * inverse[..., None, :] @ u.conj().swapaxes(-1, -2)
    return found.astype(a.dtype)


@rule("qr")
def _qr(a, *, mode):
    if mode == "r":
        return np.empty((0,), a.dtype), np.linalg.qr(a, "r")
    q, r = np.linalg.qr(a, mode)
    return q, r


@rule("svd")
def _svd(a, *, full):
    u, s, vh = np.linalg.svd(a, full_matrices=full)
    return u, s, vh


@rule("eigh")
def _eigh(a, *, upper):
    w, v = np.linalg.eigh(a, "U" if upper else "L")
    return w, v


@rule("eig")
def _eig(a):
    w, v = np.linalg.eig(a)
    whole = np.complex128 if a.dtype in (np.float64, np.complex128) else np.complex64
    return w.astype(whole), v.astype(whole)


@rule("slogdet")
def _slogdet(a):
    sign, log = np.linalg.slogdet(a)
    return np.asarray(sign, a.dtype), np.asarray(log)


@rule("det")
def _det(a):
    return np.asarray(np.linalg.det(a), a.dtype)


@rule("lu_factor")
def _lu_factor(a):
    """Gaussian elimination with partial pivoting, a column at a time over the whole batch."""
    lu = np.array(a)
    m, n = lu.shape[-2:]
    k = min(m, n)
    flat = lu.reshape(int(np.prod(a.shape[:-2])), m, n)
    pivots = np.zeros((len(flat), k), np.int32)
    info = np.zeros(len(flat), np.int32)
    every = np.arange(len(flat))
    for j in range(k):
        size = np.abs(flat[:, j:, j])
        if np.iscomplexobj(flat):  # LAPACK compares |re| + |im|
            size = np.abs(flat[:, j:, j].real) + np.abs(flat[:, j:, j].imag)
        best = size.argmax(1) + j
        pivots[:, j] = best + 1
        swapped = flat[every, best].copy()
        flat[every, best] = flat[:, j]
        flat[:, j] = swapped
        pivot = flat[:, j, j]
        info = np.where((pivot == 0) & (info == 0), j + 1, info)
        safe = np.where(pivot == 0, 1, pivot)
        flat[:, j + 1 :, j] /= safe[:, None]
        flat[:, j + 1 :, j + 1 :] -= flat[:, j + 1 :, j : j + 1] * flat[:, j : j + 1, j + 1 :]
    batch = a.shape[:-2]
    return flat.reshape(a.shape), pivots.reshape(*batch, k), info.astype(np.int32).reshape(batch)


def _lapack(a, routine, hermitian):
    """A LAPACK routine for symmetric indefinite matrices, from SciPy."""
    try:
        from scipy.linalg import lapack
    except ImportError:
        raise NotImplementedError(
            "linalg.ldl_factor and linalg.ldl_solve use SciPy's LAPACK: install scipy"
        ) from None
    letter = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}[a.dtype.name]
    family = "he" if hermitian and a.dtype.kind == "c" else "sy"
    return getattr(lapack, letter + family + routine)


@rule("ldl_factor")
def _ldl_factor(a, *, hermitian):
    factor = _lapack(a, "trf", hermitian)
    out = np.zeros_like(a)
    pivots = np.zeros(a.shape[:-1], np.int32)
    info = np.zeros(a.shape[:-2], np.int32)
    for index in np.ndindex(info.shape) if a.size else ():
        found, pivots[index], info[index] = factor(a[index], lower=1)
        out[index] = np.tril(found)
    return out, pivots, info


@rule("ldl_solve")
def _ldl_solve(factors, pivots, b, *, hermitian):
    solve = _lapack(b, "trs", hermitian)
    batch = np.broadcast_shapes(factors.shape[:-2], b.shape[:-2])
    out = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    factors = np.broadcast_to(factors, (*batch, *factors.shape[-2:]))
    pivots = np.broadcast_to(pivots, (*batch, pivots.shape[-1]))
    for index in np.ndindex(batch) if out.size else ():
        out[index], _ = solve(factors[index], pivots[index], out[index], lower=1)
    return out
