"""Elements in other places: flips, rolls, repetition, triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import devices, dtypes
from .._engine.base.dtypes import dtype
from .._engine.base.errors import not_supported
from .._engine.base.shapes import wrap_dim, wrap_dims
from . import shaping
from .arguments import as_dtype_argument, integer, sizes
from .checks import refuse
from .creation import finish
from .declare import op
from .promote import as_dtype, dtype_of, literal
from .splitting import span

__all__ = [
    "flip", "fliplr", "flipud", "repeat_interleave", "roll", "rot90", "tile", "tril",
    "tril_indices", "triu", "triu_indices",
]  # fmt: skip

_INT64 = np.dtype(np.int64)


@op(method=True)
def flip(input: Tensor, *given: Any, dims: Any = None) -> Tensor:
    """The elements in reverse order along the given dimensions: a copy.

    >>> flambeau.arange(3).flip(0)
    tensor([2, 1, 0])
    """
    chosen = sizes("flip", given if dims is None else (dims,))
    wrapped = wrap_dims(chosen, input._array.ndim)
    return P.flip(input, dims=wrapped) if wrapped else P.copy(input, order="C")


@op(method=True, label="FlipBackward0")
def fliplr(input: Tensor) -> Tensor:
    """The columns in reverse order."""
    if input._array.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return P.flip(input, dims=(1,))


@op(method=True, label="FlipBackward0")
def flipud(input: Tensor) -> Tensor:
    """The rows in reverse order."""
    if input._array.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return P.flip(input, dims=(0,))


@op(method=True)
def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """The elements moved by `shifts` places, around the end; over all elements without `dims`.

    Raises:
        RuntimeError: there are not as many shifts as dims.
    """
    moves = _tuple(shifts)
    places = _tuple(dims)
    if not moves:
        raise RuntimeError("`shifts` required")
    if not places and len(moves) == 1:
        flat = _rolled(shaping.ravel(input), moves[0], 0)
        return P.view(flat, shape=input._array.shape)
    if len(moves) != len(places):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(moves)}, dims:{len(places)}"
        )
    if not input._array.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    for move, dim in zip(moves, places, strict=True):
        input = _rolled(input, move, wrap_dim(dim, input._array.ndim))
    return input


def _tuple(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _rolled(x: Tensor, move: int, dim: int) -> Tensor:
    size = x._array.shape[dim] if x._array.ndim else 0
    at = -move % size if size else 0
    if not at:
        return P.copy(x, order="C")
    return P.cat(span(x, dim, at, size), span(x, dim, 0, at), dim=dim)


@op(method=True)
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """The plane of two dimensions turned by k quarter turns, from the first to the second.

    Raises:
        RuntimeError: there are not two different dimensions.
    """
    ndim = input._array.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == ndim:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    for name, d in (("dim0", dims[0]), ("dim1", dims[1])):
        if not -ndim <= d < ndim:
            raise RuntimeError(f"Rotation {name} out of range, {name} = {d}")
    a, b = (d % ndim for d in dims)
    turns = k % 4
    if turns == 0:
        return P.copy(input, order="C")
    if turns == 2:
        return P.flip(input, dims=(a, b))
    flipped = P.flip(input, dims=(b if turns == 1 else a,))
    return shaping.transpose(flipped, a, b)


@op(method=True)
def repeat(input: Tensor, *given: Any, repeats: Any = None) -> Tensor:
    """The tensor laid out several times along each dimension: a copy.

    Raises:
        RuntimeError: there are fewer numbers than dimensions, or one is negative.
    """
    counts = sizes("repeat", given if repeats is None else (repeats,))
    lead = len(counts) - input._array.ndim
    if lead < 0:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    shape = (1,) * lead + input._array.shape
    wanted = tuple(n * count for n, count in zip(shape, counts, strict=True))
    if any(n < 0 for n in wanted):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(wanted)}: {list(wanted)}"
        )
    # (count, n) pairs of dimensions, the counts stretched; then each pair made one
    apart = tuple(m for n in shape for m in (1, n))
    stretched = tuple(m for n, count in zip(shape, counts, strict=True) for m in (count, n))
    x = P.expand(shaping.reshape(input, apart), shape=stretched)
    return P.view(P.copy(x, order="C"), shape=wanted)


@op(method=True, label="RepeatBackward0")
def tile(input: Tensor, *given: Any, dims: Any = None) -> Tensor:
    """`repeat`, with ones filled in on the left where there are too few numbers."""
    counts = sizes("tile", given if dims is None else (dims,))
    return repeat(input, (1,) * (input._array.ndim - len(counts)) + counts)


@op(method=True, label="IndexSelectBackward0")
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each position along `dim` (of the flat tensor by default) repeated, one after the other.

    Args:
        repeats: a number, or a tensor with one number a position. Without it, `input` holds
            the numbers and the result is the positions themselves.

    Raises:
        RuntimeError: the numbers are negative, or do not fit the dimension.

    >>> flambeau.tensor([1, 2]).repeat_interleave(2)
    tensor([1, 1, 2, 2])
    """
    if repeats is None:
        return _repeated_positions(input, output_size)
    if dim is None:
        input, dim = shaping.ravel(input), 0
    at = wrap_dim(dim, input._array.ndim)
    size = input._array.shape[at] if input._array.ndim else 1
    if not isinstance(repeats, Tensor):
        positions = _evenly_repeated(
            size, integer("repeat_interleave", "repeats", repeats), output_size
        )
    else:
        positions = _repeated_positions(_counts(repeats, size), output_size)
    if not input._array.ndim:
        return P.index(P.view(input, shape=(1,)), positions, pattern=(True,))
    pattern = tuple(d == at for d in range(input._array.ndim))
    return P.index(input, positions, pattern=pattern)


def _evenly_repeated(size: int, count: int, total: int | None) -> Tensor:
    if count < 0:
        raise RuntimeError("Repeats must be non-negative")
    if total is not None and total != size * count:
        raise RuntimeError(
            f"repeat_interleave: Invalid output_size, expected {size * count} but got {total}"
        )
    steps = P.arange(start=0, step=1, count=size, dtype=_INT64)
    grid = P.expand(P.view(steps, shape=(size, 1)), shape=(size, count))
    return P.view(P.copy(grid, order="C"), shape=(size * count,))


def _counts(repeats: Tensor, size: int) -> Tensor:
    shape = repeats._array.shape
    if len(shape) > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if shape in ((), (1,)):
        return P.expand(repeats, shape=(size,))
    if shape[0] != size:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{shape[0]} and input.size(0) = {size}"
        )
    return repeats


def _repeated_positions(counts: Tensor, total: int | None) -> Tensor:
    """0 counts[0] times, 1 counts[1] times, and so on: how many running sums are not above k."""
    if counts._array.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if counts._array.dtype not in (np.int64, np.int32):
        raise NotImplementedError(
            f"\"repeat_interleave_cpu\" not implemented for '{dtype_of(counts).word}'"
        )
    refuse(P.lt(counts, 0), lambda: RuntimeError("repeats can not be negative"))
    ends = P.cumsum(as_dtype(counts, dtypes.int64), dim=0)
    found = int(ends[-1]) if ends._array.size else 0
    if total is not None and total != found:
        raise RuntimeError("allocated size does not match required size")
    steps = P.arange(start=0, step=1, count=found, dtype=_INT64)
    positions = P.searchsorted(ends, steps, right=True)
    return as_dtype(positions, dtype_of(counts))


def _triangle(name: str, test: str, doc: str) -> Any:
    """Declare tril or triu: elements kept where row - column compares with the diagonal."""
    compare = getattr(P, test)

    def function(input: Tensor, diagonal: int = 0) -> Tensor:
        shape = input._array.shape
        if len(shape) < 2:
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
        rows = P.arange(start=diagonal, step=1, count=shape[-2], dtype=_INT64)
        columns = P.arange(start=0, step=1, count=shape[-1], dtype=_INT64)
        kept = compare(columns, P.view(rows, shape=(shape[-2], 1)))
        return P.where(kept, input, 0)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The matrix {doc} its diagonal number `diagonal`, zeros elsewhere."
    return op(method=True, inplace=True, out=True)(function)


tril = _triangle("tril", "le", "on and below")
triu = _triangle("triu", "ge", "on and above")


def _triangle_indices(name: str, keep: Any, doc: str) -> Any:
    def function(
        row: int,
        col: int,
        offset: int = 0,
        *,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        pin_memory: bool = False,
    ) -> Tensor:
        for what, count in (("row", row), ("col", col)):
            if count < 0:
                raise RuntimeError(f"{what} must be non-negative, got{count}")
        d = as_dtype_argument(name, dtype) or dtypes.int64
        if d not in (dtypes.int64, dtypes.int32):
            raise not_supported(name, d)
        found = np.stack(np.nonzero(keep(np.ones((row, col), np.bool_), offset)))
        return finish(literal(found.astype(d.numpy)), devices.resolve(device), False)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Rows and columns of the elements on and {doc} a diagonal: shape (2, n)."
    return op()(function)


tril_indices = _triangle_indices("tril_indices", np.tril, "below")
triu_indices = _triangle_indices("triu_indices", np.triu, "above")
