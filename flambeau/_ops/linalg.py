"""torch.linalg: decompositions, solvers, inverses and determinants of batches of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor, wrap
from ..return_types import result_type
from .checks import elements, refuse
from .declare import op
from .pointwise import mul
from .products import check_same_dtype, matmul
from .promote import dtype_of, literal
from .shaping import reshape, transpose

__all__ = [
    "LinAlgError", "adjoint", "check_matrix", "cholesky", "cholesky_ex", "det", "eig", "eigh",
    "eigvals", "eigvalsh", "identity_like", "inv", "inv_ex", "last_dims", "matrix_exp",
    "matrix_power", "multi_dot", "qr", "slogdet", "solve", "solve_ex", "solve_triangular", "svd",
    "svdvals",
]  # fmt: skip

_SPACE = "linalg"


class LinAlgError(RuntimeError):
    """A decomposition or a solution does not exist (torch.linalg.LinAlgError)."""


def check_matrix(name: str, a: Tensor, *, square: bool = True) -> None:
    """Raises RuntimeError unless `a` is a batch of (square) floating or complex matrices."""
    if a._array.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if square and a._array.shape[-1] != a._array.shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are "
            f"{a._array.shape[-2]} by {a._array.shape[-1]} matrices"
        )
    if a._array.dtype.kind not in "fc" or a._array.dtype.itemsize == 2:
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {dtype_of(a).word}"
        )


def adjoint(x: Tensor) -> Tensor:
    """The last two dimensions exchanged, and conjugated."""
    turned = transpose(x, -2, -1)
    return P.conj(turned) if x._array.dtype.kind == "c" else turned


def identity_like(a: Tensor) -> Tensor:
    """The identity matrix of a square matrix's size and dtype."""
    return literal(np.eye(a._array.shape[-1], dtype=a._array.dtype), a)


def last_dims(x: Tensor, *, rows: Any = None, columns: Any = None) -> Tensor:
    """A view of some rows and columns of matrices."""
    shape = x._array.shape
    lead = tuple((0, n, 1) for n in shape[:-2])
    pick = [
        (0, n, 1) if part is None else (*part, 1)
        for part, n in zip((rows, columns), shape[-2:], strict=True)
    ]
    return P.slice(x, index=(*lead, *pick))


def singular(name: str, what: str, info: np.ndarray) -> LinAlgError:
    """PyTorch's error: which matrix of a batch, and where `{at}` in it, made LAPACK give up."""
    flat = info.reshape(-1)
    found = np.flatnonzero(flat)
    element = int(found[0]) if found.size else 0
    where = f"(Batch element {element}): " if info.ndim else ""
    at = int(flat[element]) if flat.size else 0
    return LinAlgError(f"{name}: {where}{what.format(at=at)}")


@op(namespace=_SPACE, out=True, refuses=True)
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L of A = L L^H (or the upper one of A = U^H U).

    Raises:
        LinAlgError: A is not positive definite.
    """
    check_matrix("linalg.cholesky", A)
    try:
        low = P.cholesky(A)
    except np.linalg.LinAlgError:
        raise singular(
            "linalg.cholesky",
            "The factorization could not be completed because the input is not positive-definite "
            "(the leading minor of order {at} is not positive-definite).",
            _cholesky_one_by_one(A)[1],
        ) from None
    return adjoint(low) if upper else low


@op(namespace=_SPACE, out=True)
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """`cholesky` and an int32 tensor that is nonzero where it failed."""
    check_matrix("linalg.cholesky_ex", A)
    info = P.full(shape=A._array.shape[:-2], value=0, dtype=np.dtype(np.int32))
    try:
        low = P.cholesky(A)
    except np.linalg.LinAlgError:
        if check_errors:
            raise LinAlgError("linalg.cholesky_ex: the input is not positive-definite") from None
        low, where = _cholesky_one_by_one(A)
        info = wrap(where)
    return result_type("linalg_cholesky_ex")((adjoint(low) if upper else low, info))


def _cholesky_one_by_one(A: Tensor) -> tuple[Tensor, np.ndarray]:
    """Where a matrix of the batch fails, its info is the order of the failing minor."""
    out = np.zeros_like(A._array)
    info = np.zeros(A._array.shape[:-2], np.int32)
    for index in np.ndindex(info.shape):
        for order in range(1, A._array.shape[-1] + 1):
            try:
                out[index][:order, :order] = np.linalg.cholesky(A._array[index][:order, :order])
            except np.linalg.LinAlgError:
                info[index] = order
                break
    return wrap(out), info


@op(namespace=_SPACE, out=True)
def qr(A: Tensor, mode: str = "reduced") -> Any:
    """A = Q R with orthonormal Q and upper triangular R; mode "reduced", "complete" or "r"."""
    check_matrix("linalg.qr", A, square=False)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    return result_type("linalg_qr")(P.qr(A, mode=mode))


@op(namespace=_SPACE, out=True)
def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """A = U diag(S) Vh with orthonormal U and Vh and descending S >= 0."""
    check_matrix("linalg.svd", A, square=False)
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on "
            "CUDA inputs with cuSOLVER backend."
        )
    return result_type("linalg_svd")(P.svd(A, full=bool(full_matrices)))


@op(namespace=_SPACE, out=True)
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending."""
    return svd(A, False, driver=driver)[1]


@op(namespace=_SPACE, out=True)
def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """Eigenvalues, ascending, and eigenvectors of a Hermitian matrix, of which one half is read."""
    check_matrix("linalg.eigh", A)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return result_type("linalg_eigh")(P.eigh(A, upper=UPLO.upper() == "U"))


@op(namespace=_SPACE, out=True)
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of a Hermitian matrix, ascending."""
    return eigh(A, UPLO)[0]


@op(namespace=_SPACE, out=True)
def eig(A: Tensor) -> Any:
    """The complex eigenvalues and eigenvectors of a square matrix."""
    check_matrix("linalg.eig", A)
    _check_finite("linalg.eig", A)
    return result_type("linalg_eig")(P.eig(_as_complex(A)))


def _check_finite(name: str, A: Tensor) -> None:
    text = f"torch.{name}: input tensor should not contain infs or NaNs."
    refuse(P.logical_not(P.isfinite(A)), lambda: RuntimeError(text))


def _as_complex(A: Tensor) -> Tensor:
    """Real matrices stay real for LAPACK unless a gradient will need them complex."""
    if A._array.dtype.kind == "c" or not A._requires_grad:
        return A
    return P.convert(A, dtype=dtype_of(A).to_complex().numpy)


@op(namespace=_SPACE, out=True)
def eigvals(A: Tensor) -> Tensor:
    """The complex eigenvalues of a square matrix."""
    check_matrix("linalg.eigvals", A)
    _check_finite("linalg.eigvals", A)
    return P.eig(_as_complex(A))[0]


def _is_vector(A: Tensor, B: Tensor) -> bool:
    """Whether `solve` takes B as a batch of vectors."""
    return B._array.ndim == 1 or (
        A._array.ndim - 1 == B._array.ndim and B._array.shape == A._array.shape[:-1]
    )


@op(namespace=_SPACE, out=True, refuses=True)
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X of A X = B (or of X A = B), for batches of matrices or vectors.

    Raises:
        LinAlgError: A is singular.
    """
    check_matrix("linalg.solve", A)
    check_same_dtype("linalg.solve", A, B)
    vector = left and _is_vector(A, B)
    right = P.slice(B, index=(*((0, n, 1) for n in B._array.shape), None)) if vector else B
    rows = right._array.shape[-2 if left else -1]
    if rows != A._array.shape[-1]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({A._array.shape[-2]}x{A._array.shape[-1]} and "
            f"{right._array.shape[-2]}x{right._array.shape[-1]})"
        )
    try:
        if left:
            found = P.solve(A, right)
        else:
            turned = P.solve(transpose(A, -2, -1), transpose(right, -2, -1))
            found = transpose(turned, -2, -1)
    except np.linalg.LinAlgError:
        raise singular(
            "torch.linalg.solve",
            "The solver failed because the input matrix is singular.",
            _zero_pivots(A),
        ) from None
    return P.slice(found, index=_first_column(found)) if vector else found


def _first_column(x: Tensor) -> tuple:
    return (*((0, n, 1) for n in x._array.shape[:-1]), 0)


@op(namespace=_SPACE, out=True, reads_values=True)
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """`solve` and an int32 tensor that is nonzero where A is singular."""
    where = _zero_pivots(A)
    info = wrap(where)
    if where.any() and not check_errors:
        shape = np.broadcast_shapes(A._array.shape[:-2], B._array.shape[:-2])
        blank = np.full((*shape, *B._array.shape[-2:]), np.nan, B._array.dtype)
        return result_type("linalg_solve_ex")((wrap(blank), info))
    return result_type("linalg_solve_ex")((solve(A, B, left=left), info))


@op(namespace=_SPACE, out=True)
def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """The X of A X = B (or X A = B), reading one triangle of A."""
    check_matrix("linalg.solve_triangular", A)
    check_same_dtype("linalg.solve_triangular", A, B)
    if not left:
        turned = solve_triangular(
            transpose(A, -2, -1),
            transpose(B, -2, -1),
            upper=not upper,
            unitriangular=unitriangular,
        )
        return transpose(turned, -2, -1)
    return P.triangular_solve(A, B, upper=bool(upper), unit=bool(unitriangular))


@op(namespace=_SPACE, out=True, refuses=True)
def inv(A: Tensor) -> Tensor:
    """The inverse of a square matrix.

    Raises:
        LinAlgError: it is singular.
    """
    check_matrix("linalg.inv", A)
    try:
        return _inverse(A)
    except np.linalg.LinAlgError:
        raise singular(
            "linalg.inv",
            "The diagonal element {at} is zero, the inversion could not be completed because the "
            "input matrix is singular.",
            _zero_pivots(A),
        ) from None


def _zero_pivots(A: Tensor) -> np.ndarray:
    """Where the first zero pivot of each matrix is, counted from 1; 0 for nowhere."""
    return elements(P.lu_factor(A.detach())[2])  # type: ignore[attr-defined]


def _inverse(A: Tensor) -> Tensor:
    return P.solve(A, P.expand(identity_like(A), shape=A._array.shape))


@op(namespace=_SPACE, out=True, reads_values=True)
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """`inv` and an int32 tensor that is nonzero where A is singular."""
    check_matrix("linalg.inv_ex", A)
    where = _zero_pivots(A)
    info = wrap(where)
    if where.any() and not check_errors:
        return result_type("linalg_inv_ex")((A, info))
    return result_type("linalg_inv_ex")((inv(A), info))


@op(namespace=_SPACE, out=True)
def det(A: Tensor) -> Tensor:
    """The determinant of a square matrix."""
    check_matrix("linalg.det", A)
    return P.det(A)


@op(namespace=_SPACE, out=True)
def slogdet(A: Tensor) -> Any:
    """The sign (or phase) of the determinant and the logarithm of its size."""
    check_matrix("linalg.slogdet", A)
    return result_type("linalg_slogdet")(P.slogdet(A))


@op(namespace=_SPACE, out=True, refuses=True)
def matrix_power(A: Tensor, n: int) -> Tensor:
    """A multiplied by itself n times; negative powers invert first."""
    check_matrix("linalg.matrix_power", A)
    if n == 0:
        # keeps A on the tape, with a gradient of zero
        nowhere = P.full(shape=(), value=False, dtype=np.dtype(bool))
        return P.where(nowhere, A, P.expand(identity_like(A), shape=A._array.shape))
    base, power = (inv(A) if n < 0 else A), abs(n)
    found: Any = None
    while power:
        if power & 1:
            found = base if found is None else matmul(found, base)
        power >>= 1
        if power:
            base = matmul(base, base)
    return P.copy(found, order="K") if found is A else found


@op(namespace=_SPACE, reads_values=True)
def matrix_exp(A: Tensor) -> Tensor:
    """The matrix exponential, by scaling and squaring of its Taylor polynomial of degree 18."""
    check_matrix("linalg.matrix_exp", A)
    norm = float(np.abs(elements(A)).sum(-2).max(initial=0))
    squarings = max(0, int(np.ceil(np.log2(norm))) + 1) if norm > 0.5 else 0
    x = mul(A, 2.0**-squarings)
    eye = P.expand(identity_like(A), shape=A._array.shape)
    total = eye
    for k in range(18, 0, -1):  # Horner: I + x/1 (I + x/2 (I + ...))
        total = eye + matmul(mul(x, 1.0 / k), total)  # type: ignore[operator]
    for _ in range(squarings):
        total = matmul(total, total)
    return total


@op(namespace=_SPACE, out=True)
def multi_dot(tensors: Any) -> Tensor:
    """The product of several matrices, in the cheapest order; vectors at the ends count."""
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    row, column = tensors[0]._array.ndim == 1, tensors[-1]._array.ndim == 1
    if row:
        tensors[0] = reshape(tensors[0], (1, -1))
    if column:
        tensors[-1] = reshape(tensors[-1], (-1, 1))
    for x in tensors:
        if x._array.ndim != 2:
            raise RuntimeError("multi_dot(): tensors in the middle must be 2D")
    found = _cheapest(tensors)
    if row:
        found = P.slice(found, index=(0,))
    return P.slice(found, index=_first_column(found)) if column else found


def _cheapest(chain: list[Tensor]) -> Tensor:
    """The classical dynamic programme over where to cut the chain."""
    sizes = [x._array.shape[0] for x in chain] + [chain[-1]._array.shape[1]]
    count = len(chain)
    cost = [[0] * count for _ in range(count)]
    cut = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i][j], cut[i][j] = min(options)

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return chain[i]
        return matmul(product(i, cut[i][j]), product(cut[i][j] + 1, j))

    return product(0, count - 1)
