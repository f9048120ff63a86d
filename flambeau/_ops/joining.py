"""Tensors side by side: concatenation, stacking, grids, products."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.errors import argument_type_error
from .._engine.base.shapes import wrap_dim
from .declare import op
from .promote import literal, to_common
from .shaping import atleast_1d, atleast_2d, atleast_3d, flatten, unsqueeze

__all__ = [
    "block_diag", "cartesian_prod", "cat", "column_stack", "combinations", "concat",
    "concatenate", "dstack", "hstack", "meshgrid", "row_stack", "stack", "vstack",
]  # fmt: skip


def _listed(name: str, tensors: Any) -> list[Tensor]:
    """The operands of a joining op.

    Raises:
        TypeError: they are not a sequence of tensors.
    """
    if not isinstance(tensors, (tuple, list)):
        raise argument_type_error(name, "tensors", 1, "tuple of Tensors", tensors)
    for place, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected Tensor as element {place} in argument 0, but got {type(x).__name__}"
            )
    return list(tensors)


def _cat(tensors: list[Tensor], dim: int) -> Tensor:
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for place, x in enumerate(tensors):
        if x._array.ndim == 0:
            raise RuntimeError(
                f"zero-dimensional tensor (at position {place}) cannot be concatenated"
            )
    if any(x._array.dtype != tensors[0]._array.dtype for x in tensors):
        tensors = list(to_common("cat", *tensors))
    # PyTorch's legacy: an empty 1-d tensor joins anything
    solid = [x for x in tensors if x._array.shape != (0,)] or tensors[:1]
    at = wrap_dim(dim, solid[0]._array.ndim)
    _check_cat(solid, at)
    return P.cat(*solid, dim=at)


def _check_cat(tensors: list[Tensor], dim: int) -> None:
    first = tensors[0]._array.shape
    for number, x in enumerate(tensors[1:], 1):
        shape = x._array.shape
        if len(shape) != len(first):
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}"
            )
        for d, (n, m) in enumerate(zip(first, shape, strict=True)):
            if n != m and d != dim:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {n} "
                    f"but got size {m} for tensor number {number} in the list."
                )


@op(out="separate")
def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors joined along an existing dimension; dtypes promote.

    Raises:
        RuntimeError: sizes differ in another dimension, or there are no tensors.

    >>> flambeau.cat([flambeau.zeros(1), flambeau.ones(2)])
    tensor([0., 1., 1.])
    """
    return _cat(_listed("cat", tensors), dim)


@op(out=True, label="CatBackward0")
def concat(tensors: Any, dim: int = 0) -> Tensor:
    """`cat` under NumPy's name."""
    return _cat(_listed("concat", tensors), dim)


concatenate = concat


@op(out=True)
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension.

    Raises:
        RuntimeError: shapes differ, or there are no tensors.
    """
    listed = _listed("stack", tensors)
    if not listed:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = listed[0]._array.shape
    for number, x in enumerate(listed):
        if x._array.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 "
                f"and {list(x._array.shape)} at entry {number}"
            )
    at = wrap_dim(dim, len(first) + 1)
    if at == len(first):
        return _cat([unsqueeze(x, at) for x in listed], at)
    # one view of the whole instead of one a tensor
    if any(x._array.dtype != listed[0]._array.dtype for x in listed):
        listed = list(to_common("stack", *listed))
    return P.view(P.cat(*listed, dim=at), shape=(*first[:at], len(listed), *first[at:]))


def _stack_along(name: str, grow: Any, dim_of: Any, doc: str) -> Any:
    """Declare hstack, vstack or dstack: operands grown to enough dimensions, then joined."""

    def function(tensors: Any) -> Tensor:
        listed = _listed(name, tensors)
        if not listed:
            raise RuntimeError(f"{name} expects a non-empty TensorList")
        grown = [grow(x) for x in listed]
        return _cat(grown, dim_of(grown[0]._array.ndim))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(out=True, label="CatBackward0")(function)


def _as_columns(x: Tensor) -> Tensor:
    return x if x._array.ndim > 1 else P.view(x, shape=(x._array.size, 1))


hstack = _stack_along(
    "hstack", atleast_1d, lambda ndim: 0 if ndim == 1 else 1,
    "Tensors joined along dimension 1 (0 when they are vectors).",
)  # fmt: skip
vstack = _stack_along("vstack", atleast_2d, lambda ndim: 0, "Tensors joined as rows.")
dstack = _stack_along("dstack", atleast_3d, lambda ndim: 2, "Tensors joined along dimension 2.")
row_stack = vstack
column_stack = _stack_along(
    "column_stack", _as_columns, lambda ndim: 1,
    "Tensors joined along dimension 1, vectors as columns.",
)  # fmt: skip


@op()
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Vectors stretched to a grid with one dimension each: views.

    Args:
        indexing: "ij" (matrix order, what None means too), or "xy", which exchanges the first
            two dimensions.

    Raises:
        RuntimeError: an operand has more than one dimension, or dtypes differ.
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for x in tensors:
        if x._array.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                f"{x.dtype} {list(x._array.shape)}"
            )
        if x._array.dtype != tensors[0]._array.dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: ' + str(indexing)
        )
    turned = indexing == "xy" and len(tensors) > 1
    if turned:
        tensors = (tensors[1], tensors[0], *tensors[2:])
    shape = tuple(x._array.size for x in tensors)
    grids = []
    for d, x in enumerate(tensors):
        own = tuple(n if d == e else 1 for e, n in enumerate(shape))
        grids.append(P.expand(P.view(x, shape=own), shape=shape))
    if turned:
        grids[:2] = grids[1], grids[0]
    return tuple(grids)


@op()
def cartesian_prod(*tensors: Any) -> Tensor:
    """The cartesian product of vectors, one combination a row."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    for x in tensors:
        if x._array.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x._array.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([flatten(grid) for grid in meshgrid(*tensors)], 1)


@op()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """The combinations of `r` elements of a vector, one a row, as itertools orders them."""
    if input._array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input._array.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    if r == 0:
        return P.full(shape=(0,), value=0, dtype=input._array.dtype)
    places = list(choose(range(input._array.size), r))
    index = literal(np.array(places, np.int64).reshape(len(places), r))
    return P.index(input, index, pattern=(True,))


@op()
def block_diag(*tensors: Any) -> Tensor:
    """Matrices along the diagonal of a larger one, zeros elsewhere; vectors count as rows.

    Raises:
        RuntimeError: an operand has more than two dimensions.
    """
    for place, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise argument_type_error("block_diag", "tensors", 1, "tuple of Tensors", x)
        if x._array.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{place} has {x._array.ndim} dimensions"
            )
    if not tensors:
        return P.full(shape=(1, 0), value=0, dtype=dtypes.float32.numpy)
    blocks = to_common("block_diag", *(atleast_2d(x) for x in tensors))
    width = sum(b._array.shape[1] for b in blocks)
    rows, left = [], 0
    for block in blocks:
        m = block._array.shape[1]
        rows.append(P.pad(block, widths=((0, 0), (left, width - left - m)), value=0))
        left += m
    return P.cat(*rows, dim=0)
