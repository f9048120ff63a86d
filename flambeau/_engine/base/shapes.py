"""Shape arithmetic: dimensions, broadcasting, strides. Plain tuples of ints throughout."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from math import prod

from .errors import broadcast_error, dim_error

Shape = tuple[int, ...]


def wrap_dim(dim: int, ndim: int) -> int:
    """A dimension number made non-negative; 0-dim tensors count as one dimension.

    Raises:
        IndexError: outside [-ndim, ndim - 1].
    """
    if type(dim) is not int:
        dim = operator.index(dim)
    span = ndim or 1
    if not -span <= dim < span:
        raise dim_error(dim, ndim)
    return dim + span if dim < 0 else dim


def wrap_dims(dims: int | Iterable[int] | None, ndim: int) -> Shape:
    """Dimension numbers made non-negative and distinct; None means all of them."""
    if dims is None:
        return tuple(range(ndim))
    if isinstance(dims, Iterable):
        wrapped = tuple(wrap_dim(dim, ndim) for dim in dims)
    else:
        wrapped = (wrap_dim(dims, ndim),)
    if len(set(wrapped)) != len(wrapped):
        twice = next(dim for dim in wrapped if wrapped.count(dim) > 1)
        raise RuntimeError(f"dim {twice} appears multiple times in the list of dims")
    return wrapped if ndim else ()


def broadcast(*shapes: Sequence[int], op: str = "broadcast") -> Shape:
    """The shape that all of `shapes` broadcast to.

    Raises:
        RuntimeError: two sizes differ in a dimension and neither is 1.
    """
    result = list(shapes[0])
    for shape in shapes[1:]:
        if len(shape) > len(result):
            result[:0] = [1] * (len(shape) - len(result))
        offset = len(result) - len(shape)
        for dim, size in enumerate(shape, offset):
            if size != result[dim] and size != 1:
                if result[dim] != 1:
                    raise broadcast_error(op, result, shape)
                result[dim] = size
    return tuple(result)


def contiguous_strides(shape: Sequence[int]) -> Shape:
    """Strides, in elements, of a row-major tensor."""
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def reduced(shape: Sequence[int], dims: Sequence[int], keepdim: bool) -> Shape:
    """The shape left after reducing over `dims` (already wrapped)."""
    if keepdim:
        return tuple(1 if d in dims else size for d, size in enumerate(shape))
    return tuple(size for d, size in enumerate(shape) if d not in dims)


def infer_size(shape: Sequence[int], count: int) -> Shape:
    """A view shape with its one -1 filled in from the number of elements.

    Raises:
        RuntimeError: the sizes cannot hold `count` elements, or more than one is -1.
    """
    shape = tuple(shape)
    holes = shape.count(-1)
    known = prod(size for size in shape if size != -1)
    if any(size < -1 for size in shape):
        raise RuntimeError(f"invalid shape dimension {min(shape)}")
    if holes > 1:
        raise RuntimeError("only one dimension can be inferred")
    if holes == 0:
        if known != count:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {count}")
        return shape
    if known == 0 and count == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
            "unspecified dimension size -1 can be any value and is ambiguous"
        )
    if known == 0 or count % known:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {count}")
    return tuple(count // known if size == -1 else size for size in shape)
