"""Reductions: sums, products, extremes, means, variances, tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import dtype
from .._engine.base.errors import not_supported
from .._engine.base.shapes import wrap_dim, wrap_dims
from ..return_types import result_type
from .arguments import as_dtype_argument
from .declare import op
from .pointwise import maximum, minimum
from .promote import HALVES, as_dtype, dtype_of, floating_input, rounded_once

__all__ = [
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "hash_tensor",
    "logsumexp", "max", "mean", "min", "nanmean", "nansum", "prod", "std", "std_mean", "sum",
    "var", "var_mean",
]  # fmt: skip


def reduced_dims(input: Tensor, dim: Any) -> tuple[int, ...]:
    """The dims of a reduction: None and the empty tuple mean all of them."""
    if dim is None or dim == () or dim == []:
        return tuple(range(input._array.ndim))
    return wrap_dims(dim, input._array.ndim)


def count_over(input: Tensor, dims: tuple[int, ...]) -> int:
    """How many elements each result of a reduction is made of."""
    return math.prod(input._array.shape[d] for d in dims)


def _accumulated(name: str, input: Tensor, d: Any) -> Tensor:
    """The operand in the dtype a sum has: int64 for integers unless asked otherwise."""
    wanted = as_dtype_argument(name, d)
    if wanted is not None:
        return as_dtype(input, wanted)
    return as_dtype(input, dtypes.int64) if input._array.dtype.kind in "iub" else input


@op(method=True, out=True)
def sum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The sum over `dim` (all dimensions by default); integers are summed as int64.

    >>> flambeau.ones(2, 3).sum(1)
    tensor([3., 3.])
    """
    x = _accumulated("sum", input, dtype)
    return P.sum(x, dims=reduced_dims(x, dim), keepdim=keepdim)


def _check_inexact(name: str, x: Tensor) -> None:
    if x._array.dtype.kind in "iub":
        raise RuntimeError(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. Got: {dtype_of(x).word}"
        )


@op(method=True, out=True)
def mean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The arithmetic mean over `dim` (all dimensions by default).

    Raises:
        RuntimeError: the dtype is integer or bool and no `dtype` is given.
    """
    wanted = as_dtype_argument("mean", dtype)
    x = input if wanted is None else as_dtype(input, wanted)
    _check_inexact("mean", x)
    dims = reduced_dims(x, dim)
    count = float(count_over(x, dims))
    if x._array.dtype in HALVES:  # float32 until the end
        wide = P.div(P.sum(as_dtype(x, dtypes.float32), dims=dims, keepdim=keepdim), count)
        return as_dtype(wide, dtype_of(x))
    return P.div(P.sum(x, dims=dims, keepdim=keepdim), count)


@op(method=True, out=True)
def nansum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The sum over `dim`, NaN counting as zero. Raises RuntimeError for complex tensors."""
    if input._array.dtype.kind == "c":
        raise RuntimeError("nansum does not support complex inputs")
    x = _accumulated("nansum", input, dtype)
    kept = P.where(P.isnan(x), 0, x) if x._array.dtype.kind in "fV" else x
    return P.sum(kept, dims=reduced_dims(x, dim), keepdim=keepdim)


@op(method=True, out=True)
def nanmean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The mean over `dim` of the elements that are not NaN."""
    _check_inexact("nanmean", input if dtype is None else as_dtype(input, dtype))
    total = nansum(input, dim, keepdim, dtype=dtype)
    there = P.convert(P.logical_not(P.isnan(input.detach())), dtype=total._array.dtype)  # type: ignore
    return P.div(total, P.sum(there, dims=reduced_dims(input, dim), keepdim=keepdim))


@op(method=True, out=True)
def prod(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The product over one dimension, or all; integers are multiplied as int64."""
    x = _accumulated("prod", input, dtype)
    dims = tuple(range(x._array.ndim)) if dim is None else (wrap_dim(dim, x._array.ndim),)
    return P.prod(x, dims=dims if x._array.ndim else (), keepdim=keepdim)


def _check_nonempty(name: str, x: Tensor, dims: tuple[int, ...]) -> None:
    if x._array.dtype.kind == "c":
        raise not_supported(name, dtype_of(x))
    for d in dims:
        if x._array.shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


def _extreme(name: str, primitive: str, doc: str) -> Any:
    call = getattr(P, primitive)

    def function(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
        dims = reduced_dims(input, dim)
        if input._array.size == 0 and dim in ((), None):
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify the reduction dim with the 'dim' argument."
            )
        _check_nonempty(name, input, dims)
        return call(input, dims=dims, keepdim=keepdim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc} over `dim` (all by default); equal extremes share the gradient."
    return op(method=True, out=True)(function)


amax = _extreme("amax", "amax", "The largest element")
amin = _extreme("amin", "amin", "The smallest element")


@op(method=True, out="exact")
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element, over one dimension or all."""
    chosen = () if dim is None else dim
    low = amin(input, chosen, keepdim)
    return result_type("aminmax")((low, amax(input, chosen, keepdim)))


def _position(name: str, doc: str) -> Any:
    call = getattr(P, name)

    def function(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        if input._array.dtype.kind in "cb":
            raise not_supported(name, dtype_of(input))
        if dim is None:
            if input._array.size == 0:
                raise IndexError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the reduction dim with the 'dim' argument."
                )
            flat = P.view(P.copy(input, order="C"), shape=(input._array.size,))
            found = call(flat, dim=0, keepdim=False)
            ones = (1,) * input._array.ndim
            return P.view(found, shape=ones) if keepdim else found
        at = wrap_dim(dim, input._array.ndim)
        if input._array.ndim == 0:
            return P.full(shape=(), value=0, dtype=dtypes.int64.numpy)
        _check_nonempty(name, input, (at,))
        return call(input, dim=at, keepdim=keepdim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The position of {doc}: in one dimension, or in the flattened tensor."
    return op(method=True, out=True)(function)


argmax = _position("argmax", "the first largest element")
argmin = _position("argmin", "the first smallest element")


def _max_or_min(name: str, reduce: Any, position: Any, pairwise: Any) -> Any:
    def function(
        input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None
    ) -> Any:
        if isinstance(dim, Tensor) or other is not None:
            return pairwise(input, dim if other is None else other)
        if dim is None:
            if input._array.size == 0:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the reduction dim with the 'dim' argument."
                )
            return reduce(input)
        return result_type(name)(_with_position(name, input, dim, keepdim, position))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"The {name}imum of all elements; with `dim`, a pair (values, indices); with another "
        "tensor, elementwise."
    )
    return op(method=True, out=True)(function)


def _with_position(name: str, input: Tensor, dim: Any, keepdim: bool, position: Any) -> Any:
    at = wrap_dim(dim, input._array.ndim)
    if input._array.ndim == 0:
        return P.copy(input, order="K"), P.full(shape=(), value=0, dtype=dtypes.int64.numpy)
    _check_nonempty(name, input, (at,))
    bare = as_dtype(input, dtypes.uint8) if input._array.dtype.kind == "b" else input
    index = position(bare, at, True)
    values = P.gather(input, index, dim=at)
    if keepdim:
        return values, index
    kept = tuple(0 if d == at else (0, n, 1) for d, n in enumerate(values._array.shape))
    return P.slice(values, index=kept), P.slice(index, index=kept)


max = _max_or_min("max", amax, argmax, maximum)
min = _max_or_min("min", amin, argmin, minimum)


def _test(name: str, doc: str) -> Any:
    call = getattr(P, name)

    def function(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
        dims = reduced_dims(input, dim)
        found = call(input, dims=dims, keepdim=keepdim)
        # PyTorch's one exception: uint8 in, uint8 out
        return as_dtype(found, dtypes.uint8) if input._array.dtype == "u1" else found

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Whether {doc} nonzero, over `dim` (all by default)."
    return op(method=True, out=True)(function)


any = _test("any", "any element is")
all = _test("all", "all elements are")


@op(method=True)
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not zero, over `dim` (all by default)."""
    there = P.convert(P.ne(input, 0), dtype=dtypes.int64.numpy)
    return P.sum(there, dims=reduced_dims(input, dim), keepdim=False)


@op(method=True, out=True)
def hash_tensor(input: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Tensor:
    """The exclusive or over `dim` of the elements' bits, as int64 or float64, in a uint64.

    Raises:
        RuntimeError: another mode than 0.
    """
    if mode != 0:
        raise RuntimeError(f"hash_tensor: mode must be 0 (XOR_SUM), got {mode}")
    floating = input._array.dtype.kind in "fV"
    wide = P.convert(input.detach(), dtype=np.dtype(np.float64 if floating else np.int64))  # type: ignore[attr-defined]
    bits = P.view_dtype(wide, dtype=np.dtype(np.uint64))
    return P.xor_all(bits, dims=reduced_dims(input, dim), keepdim=keepdim)


def _variance(
    input: Tensor, dim: Any, unbiased: Any, correction: Any, keepdim: bool
) -> tuple[Tensor, Tensor]:
    """The variance and the mean, with `correction` taken off the count."""
    if isinstance(dim, bool):  # var(x, False): the old signature without dims
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    if input._array.dtype.kind in "iub":
        raise RuntimeError("std and var only support floating point and complex dtypes")
    dims = reduced_dims(input, dim)
    count = count_over(input, dims)
    average = P.div(P.sum(input, dims=dims, keepdim=True), float(count))
    gap = P.sub(input, average)
    squares = P.square(gap) if gap._array.dtype.kind != "c" else _modulus_squared(gap)
    spread = P.div(
        P.sum(squares, dims=dims, keepdim=keepdim),
        float(count - correction if count > correction else 0),
    )
    if not keepdim and dims:
        kept = tuple(0 if d in dims else (0, n, 1) for d, n in enumerate(average._array.shape))
        average = P.slice(average, index=kept) if 0 not in input._array.shape else mean(input, dims)
    return spread, average


def _modulus_squared(x: Tensor) -> Tensor:
    real, imag = P.real_part(x), P.imag_part(x)
    return P.add(P.square(real), P.square(imag))


@op(method=True, out=True)
@rounded_once
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> Tensor:
    """The variance over `dim` (all by default): squared gaps summed, over count - correction.

    Args:
        correction: degrees of freedom taken off, 1 by default (Bessel's).
    """
    return _variance(input, dim, unbiased, correction, keepdim)[0]


@op(method=True, out=True)
@rounded_once
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> Tensor:
    """The standard deviation: the square root of `var`."""
    return P.sqrt(_variance(input, dim, unbiased, correction, keepdim)[0])


@op()
@rounded_once
def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> tuple[Tensor, Tensor]:
    """The variance and the mean."""
    return _variance(input, dim, unbiased, correction, keepdim)


@op()
@rounded_once
def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean."""
    spread, average = _variance(input, dim, unbiased, correction, keepdim)
    return P.sqrt(spread), average


@op(method=True, out=True)
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log of the sum of exponentials over `dim`, without overflow."""
    x = floating_input(input)
    dims = reduced_dims(x, dim)
    if x._array.size == 0:
        return P.log(P.sum(P.exp(x), dims=dims, keepdim=keepdim))
    real = P.real_part(x) if x._array.dtype.kind == "c" else x
    peak = P.amax(real.detach(), dims=dims, keepdim=True)  # type: ignore[attr-defined]
    peak = P.where(P.isinf(peak), 0, peak)
    shift = as_dtype(peak, dtype_of(x))
    total = P.log(P.sum(P.exp(P.sub(x, shift)), dims=dims, keepdim=True))
    found = P.add(total, shift)
    if keepdim or not dims:
        return found
    kept = tuple(0 if d in dims else (0, n, 1) for d, n in enumerate(found._array.shape))
    return P.slice(found, index=kept)
