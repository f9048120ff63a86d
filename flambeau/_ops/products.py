"""Matrix products."""

from __future__ import annotations

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .declare import op
from .promote import dtype_of

__all__ = [
    "matmul", "mm",
]  # fmt: skip


def check_same_dtype(name: str, a: Tensor, b: Tensor) -> None:
    """Raises RuntimeError when two operands of a product differ in dtype."""
    if a._array.dtype != b._array.dtype:
        raise RuntimeError(
            f"{name}: expected both operands to have the same dtype, but got: {dtype_of(a).word} "
            f"and {dtype_of(b).word}; convert one with .to(dtype)"
        )


@op(method=True, out=True)
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product; leading dimensions broadcast, vectors count as rows or columns.

    Raises:
        RuntimeError: inner sizes differ, an operand is 0-dim, or dtypes differ.

    >>> flambeau.ones(2, 3).matmul(flambeau.ones(3))
    tensor([3., 3.])
    """
    a, b = input._array, other._array
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(
            "both arguments to matmul need to be at least 1D, but they are "
            f"{a.ndim}D and {b.ndim}D"
        )
    if a.dtype is not b.dtype:
        check_same_dtype("matmul", input, other)
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise product_error("matmul", a.shape, b.shape)
    x = input if a.ndim > 1 else P.view(P.copy(input, order="C"), shape=(1, *a.shape))
    y = other if b.ndim > 1 else P.view(P.copy(other, order="C"), shape=(*b.shape, 1))
    z = P.matmul(x, y)
    if a.ndim > 1 and b.ndim > 1:
        return z
    shape = z._array.shape
    drop = {len(shape) - 2} if a.ndim == 1 else set()
    if b.ndim == 1:
        drop.add(len(shape) - 1)
    return P.slice(z, index=tuple(0 if d in drop else (0, n, 1) for d, n in enumerate(shape)))


def product_error(name: str, a: tuple[int, ...], b: tuple[int, ...]) -> RuntimeError:
    """PyTorch's error for inner sizes that differ."""
    if len(a) == 2 and len(b) == 2:
        return RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a[0]}x{a[1]} and {b[0]}x{b[1]})"
        )
    return RuntimeError(
        f"{name}: inner sizes differ, shapes {list(a)} and {list(b)} cannot be multiplied"
    )


@op(method=True, out=True)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, without broadcasting."""
    a, b = input._array, mat2._array
    if a.ndim != 2 or b.ndim != 2:
        which = "self" if a.ndim != 2 else "mat2"
        raise RuntimeError(f"{which} must be a matrix")
    check_same_dtype("mm", input, mat2)
    if a.shape[1] != b.shape[0]:
        raise product_error("mm", a.shape, b.shape)
    return P.matmul(input, mat2)
