"""Matrix products."""

from __future__ import annotations

from math import prod
from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base.errors import not_supported
from .._engine.base.shapes import broadcast, wrap_dim
from .declare import op
from .pointwise import mul
from .promote import dtype_of, number
from .shaping import reshape

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "chain_matmul", "dot", "ger", "inner",
    "kron", "matmul", "mm", "mv", "outer", "tensordot", "vdot",
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
            f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D"
        )
    if a.dtype is not b.dtype:
        check_same_dtype("matmul", input, other)
    if a.dtype.kind == "b":
        raise not_supported("addmm_impl_cpu_", dtype_of(input))
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise product_error("matmul", a.shape, b.shape)
    x = input if a.ndim > 1 else P.slice(input, index=(None, (0, a.shape[0], 1)))
    y = other if b.ndim > 1 else P.slice(other, index=((0, b.shape[0], 1), None))
    z = P.matmul(x, y)
    if a.ndim > 1 and b.ndim > 1:
        if a.ndim == 2 and b.ndim == 2 and z._grad_fn is not None:
            z._grad_fn.label = "MmBackward0"
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


def _product(name: str, ranks: tuple[int, int], doc: str) -> Any:
    """Declare a product of two tensors of fixed ranks, without broadcasting."""
    kinds = {1: "a 1-D tensor (vector)", 2: "a matrix", 3: "a 3D tensor"}

    def function(input: Tensor, other: Tensor) -> Tensor:
        for position, (x, rank) in enumerate(zip((input, other), ranks, strict=True)):
            if x._array.ndim != rank:
                which = ("self", "mat2")[position]
                raise RuntimeError(
                    f"{name}: {which} must be {kinds[rank]}, but it has {x._array.ndim} dimensions"
                )
        check_same_dtype(name, input, other)
        a, b = input._array.shape, other._array.shape
        if a[-1] != b[-min(2, len(b))] or a[:-2] != b[:-2]:
            raise product_error(name, a, b)
        return matmul(input, other)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(method=True, out=True)(function)


mm = _product("mm", (2, 2), "The product of two matrices, without broadcasting.")
bmm = _product("bmm", (3, 3), "The products of two batches of matrices.")
mv = _product("mv", (2, 1), "The product of a matrix and a vector.")


@op(method=True, out=True)
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of products of two vectors; complex elements are not conjugated.

    Raises:
        RuntimeError: an operand is not a vector, or sizes or dtypes differ.
    """
    a, b = input._array, tensor._array
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.dtype != b.dtype:
        raise RuntimeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{dtype_of(input).word} and {dtype_of(tensor).word}"
        )
    if a.shape != b.shape:
        raise RuntimeError(
            "inconsistent tensor size, expected tensor [" + str(a.shape[0]) + "] and src ["
            f"{b.shape[0]}] to have the same number of elements, but got {a.size} and {b.size} "
            "elements respectively"
        )
    return matmul(input, tensor)


@op(method=True, out=True)
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """`dot` with the first vector conjugated."""
    return dot(P.conj(input) if input._array.dtype.kind == "c" else input, other)


@op(method=True, out=True, aliases=("ger",))
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The matrix of all products of two vectors' elements."""
    for x in (input, vec2):
        if x._array.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument, but got {x._array.ndim}-D")
    column = P.slice(input, index=((0, input._array.size, 1), None))
    return mul(column, vec2)


ger = outer


@op(method=True, out=True)
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products over the last dimensions of both."""
    a, b = input._array.shape, other._array.shape
    if not a or not b:
        return mul(input, other)
    if a[-1] != b[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(a)} and {list(b)}"
        )
    return tensordot(input, other, dims=([-1], [-1]))


def _added(name: str, product: Any, doc: str) -> Any:
    """Declare beta * input + alpha * product(a, b); beta 0 ignores input, NaN and all."""

    def function(
        input: Tensor, first: Tensor, second: Tensor, *, beta: Any = 1, alpha: Any = 1
    ) -> Tensor:
        check_same_dtype(name, first, second)
        if name == "addr":
            _check_factors(name, first, beta, alpha)
        beta, alpha = number(beta, dtype_of(first)), number(alpha, dtype_of(first))
        found = product(first, second)
        shape = found._array.shape
        try:
            broadcastable = broadcast(input._array.shape, shape) == shape
        except RuntimeError:
            broadcastable = False
        if not broadcastable:
            raise RuntimeError(
                f"{name}: The expanded size of the tensor {list(shape)} must match the existing "
                f"size {list(input._array.shape)} of input"
            )
        if alpha != 1:
            found = P.mul(found, alpha)
        if beta == 0:
            return found
        check_same_dtype(name, input, first)
        return P.add(found, input if beta == 1 else P.mul(input, beta))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(method=True, inplace=True, out=True)(function)


def _check_factors(name: str, x: Tensor, beta: Any, alpha: Any) -> None:
    if x._array.dtype.kind in "iub":
        for factor, which in ((beta, "beta"), (alpha, "alpha")):
            if isinstance(factor, float):
                raise RuntimeError(
                    f"{name}: For integral input tensors, argument {which} must not be a floating "
                    "point number."
                )


addmm = _added("addmm", mm, "beta * input + alpha * (mat1 @ mat2).")
addmv = _added("addmv", mv, "beta * input + alpha * (mat @ vec).")
baddbmm = _added("baddbmm", bmm, "beta * input + alpha * (batch1 @ batch2).")
addr = _added("addr", outer, "beta * input + alpha * outer(vec1, vec2).")
addbmm = _added(
    "addbmm",
    lambda a, b: P.sum(bmm(a, b), dims=(0,), keepdim=False),
    "beta * input + alpha * the sum over the batch of batch1 @ batch2.",
)


@op(out=True)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over pairs of dimensions: the last `dims` of a with the first of b, or
    the two lists given.

    Raises:
        RuntimeError: the lists differ in length, or paired sizes differ.
    """
    first, second = _contracted(a, b, dims)
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    for d, e in zip(first, second, strict=True):
        n, m = a._array.shape[d], b._array.shape[e]
        if n != m and 1 not in (n, m):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {n} in dim {d} and "
                f"second has size {m} in dim {e}"
            )
    for d, e in zip(first, second, strict=True):  # a size of 1 is stretched by summing the other
        if a._array.shape[d] != b._array.shape[e]:
            if a._array.shape[d] == 1:
                b = P.sum(b, dims=(e,), keepdim=True)
            else:
                a = P.sum(a, dims=(d,), keepdim=True)
    check_same_dtype("tensordot", a, b)
    free_a = [d for d in range(a._array.ndim) if d not in first]
    free_b = [d for d in range(b._array.ndim) if d not in second]
    lead = tuple(a._array.shape[d] for d in free_a)
    tail = tuple(b._array.shape[d] for d in free_b)
    count = prod(a._array.shape[d] for d in first)
    left = reshape(P.permute(a, dims=(*free_a, *first)), (prod(lead), count))
    right = reshape(P.permute(b, dims=(*second, *free_b)), (count, prod(tail)))
    return reshape(P.matmul(left, right), (*lead, *tail))


def _contracted(a: Tensor, b: Tensor, dims: Any) -> tuple[list[int], list[int]]:
    if isinstance(dims, Tensor):
        dims = dims.tolist()  # type: ignore[attr-defined]
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a._array.ndim, b._array.ndim):
            raise RuntimeError(
                "tensordot expects dims < ndim_a or ndim_b, but got dims=" + str(dims)
            )
        return list(range(a._array.ndim - dims, a._array.ndim)), list(range(dims))
    first, second = ([x] if isinstance(x, int) else list(x) for x in dims)
    return (
        [wrap_dim(d, a._array.ndim) for d in first],
        [wrap_dim(d, b._array.ndim) for d in second],
    )


@op(method=True, out=True)
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of input times the whole of other."""
    ndim = max(input._array.ndim, other._array.ndim)
    a = (1,) * (ndim - input._array.ndim) + input._array.shape
    b = (1,) * (ndim - other._array.ndim) + other._array.shape
    left = reshape(input, tuple(n for size in a for n in (size, 1)))
    right = reshape(other, tuple(n for size in b for n in (1, size)))
    return reshape(mul(left, right), tuple(n * m for n, m in zip(a, b, strict=True)))


@op()
def chain_matmul(*matrices: Any, out: Tensor | None = None) -> Tensor:
    """The product of a chain of matrices, from the left."""
    found = matrices[0]
    for matrix in matrices[1:]:
        found = mm(found, matrix)
    return found
