"""Views that see memory in a pattern of their own: diagonals, windows, strides, complex parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor, storage_of
from .._engine.base.shapes import contiguous_strides, wrap_dim
from . import shaping, splitting
from .arguments import sizes
from .declare import op
from .promote import as_dtype, dtype_of

__all__ = [
    "alias_copy", "as_strided", "as_strided_copy", "as_strided_scatter", "detach_copy", "diag",
    "diag_embed", "diagflat", "diagonal", "diagonal_copy", "diagonal_scatter", "expand_copy",
    "imag", "narrow_copy", "permute_copy", "real", "select_copy",
    "select_scatter", "slice_copy", "slice_scatter", "split_copy", "split_with_sizes_copy",
    "squeeze_copy", "t_copy", "transpose_copy", "unbind_copy", "unfold_copy", "unsqueeze_copy",
    "view_as_complex", "view_as_complex_copy", "view_as_real", "view_as_real_copy", "view_copy",
]  # fmt: skip


def strides_of(array: np.ndarray) -> tuple[int, ...]:
    """The strides in elements; NumPy's are arbitrary where a size is 0 or 1."""
    if array.flags.c_contiguous:
        return contiguous_strides(array.shape)
    return tuple(s // array.itemsize for s in array.strides)


def offset_of(t: Tensor) -> int:
    """Elements between the storage's start and the tensor's first element."""
    if not t._array.size:
        return 0
    address = t._array.__array_interface__["data"][0]
    return max(0, (address - storage_of(t).address) // t._array.itemsize)


def check_within(
    shape: tuple[int, ...], strides: tuple[int, ...], offset: int, itemsize: int, nbytes: int
) -> None:
    """Raises RuntimeError when a strided view would leave its storage of `nbytes` bytes."""
    if len(shape) != len(strides):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in strides):
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(strides)}"
        )
    if any(n < 0 for n in shape):
        raise RuntimeError(
            f"Storage size calculation overflowed with sizes={list(shape)} and "
            f"strides={list(strides)}"
        )
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    if 0 in shape:
        return
    reach = 1 + offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if reach * itemsize > nbytes:
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {offset}, "
            f"and itemsize {itemsize} requiring a storage size of {reach * itemsize} are out of "
            f"bounds for storage of size {nbytes}"
        )


@op(method=True)
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A view of the tensor's storage with any sizes, strides and offset, counted in elements.

    Raises:
        RuntimeError: it would leave the storage.

    >>> flambeau.arange(5).as_strided((3, 2), (1, 2))
    tensor([[0, 2],
            [1, 3],
            [2, 4]])
    """
    shape, strides = sizes("as_strided", (size,)), sizes("as_strided", (stride,))
    own = offset_of(input)
    offset = own if storage_offset is None else int(storage_offset)
    array = input._array
    check_within(shape, strides, offset, array.itemsize, storage_of(input).nbytes)
    layout = (array.shape, strides_of(array), own)
    return P.as_strided(input, shape=shape, strides=strides, offset=offset - own, layout=layout)


@op(method=True)
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of `size` elements, `step` apart, along a dimension, in a new last dimension: a view.

    Raises:
        RuntimeError: the window is longer than the dimension, or the step is not positive.

    >>> flambeau.arange(4).unfold(0, 2, 1)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    shape = input._array.shape
    dim = wrap_dim(dimension, len(shape))
    longest = shape[dim] if shape else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > longest:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dim} is {longest} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return P.unfold(input, dim=dim, size=size, step=step)


@op(method=True)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions, as the last one: a view.

    Raises:
        RuntimeError: the two dimensions are the same.
    """
    ndim = input._array.ndim
    first, second = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if first == second or not ndim:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return P.diagonal(input, offset=offset, dim1=first, dim2=second)


@op(method=True)
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last dimension placed on the diagonal of two new ones, zeros elsewhere."""
    ndim = input._array.ndim + 1
    first, second = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    count = input._array.shape[-1] if input._array.ndim else 1
    above, below = max(offset, 0), max(-offset, 0)
    # every row holds one element: as a column, shifted by the comparison of two ranges
    rows = P.arange(start=-below, step=1, count=count + abs(offset), dtype=_INT64)
    columns = P.arange(start=-above, step=1, count=count + abs(offset), dtype=_INT64)
    square = P.eq(P.slice(rows, index=((0, count + abs(offset), 1), None)), columns)
    padded = P.pad(
        shaping.unsqueeze(input, -1) if input._array.ndim else P.view(input, shape=(1, 1)),
        widths=((0, 0),) * max(input._array.ndim - 1, 0) + ((below, above), (0, 0)),
        value=0,
    )
    placed = P.where(square, padded, 0)
    last = len(placed._array.shape)
    rest = iter(range(last - 2))
    order = [last - 2 if d == first else last - 1 if d == second else -1 for d in range(last)]
    return P.permute(placed, dims=tuple(next(rest) if d == -1 else d for d in order))


_INT64 = np.dtype(np.int64)


@op(method=True, out=True)
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A vector made a diagonal matrix, or the diagonal of a matrix.

    Raises:
        RuntimeError: the tensor has another number of dimensions.
    """
    ndim = input._array.ndim
    if ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    if ndim == 1:
        return diag_embed(input, diagonal)
    return P.copy(P.diagonal(input, offset=diagonal, dim1=0, dim2=1), order="C")


@op(method=True)
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A diagonal matrix of all the elements."""
    return diag_embed(shaping.ravel(input), offset)


@op()
def view_as_real(input: Tensor) -> Tensor:
    """Complex numbers as pairs of reals, in a new last dimension: a view."""
    if input._array.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return P.view_as_real(input)


@op()
def view_as_complex(input: Tensor) -> Tensor:
    """Pairs of reals in the last dimension as complex numbers: a view.

    Raises:
        RuntimeError: the dtype, the last size, or a stride does not allow it.
    """
    array = input._array
    if array.dtype not in (np.float32, np.float64):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {dtype_of(input).word}"
        )
    if array.ndim == 0:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if array.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    strides = strides_of(array)
    if strides[-1] != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(s % 2 for s in strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    if offset_of(input) % 2:
        raise RuntimeError("Tensor must have a storage_offset divisible by 2")
    return P.view_as_complex(input)


def _part(t: Tensor, which: int) -> Tensor:
    pairs = P.view_as_real(t)
    lead = tuple((0, n, 1) for n in t._array.shape)
    return P.slice(pairs, index=(*lead, which))


@op(label="SelectBackward0")
def real(input: Tensor) -> Tensor:
    """The real parts: a view; a real tensor itself."""
    return _part(input, 0) if input._array.dtype.kind == "c" else input


@op(label="SelectBackward0")
def imag(input: Tensor) -> Tensor:
    """The imaginary parts: a view. Raises RuntimeError for real tensors."""
    if input._array.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _part(input, 1)


def _copying(name: str, view: Callable[..., Any], method: bool = False) -> Callable[..., Any]:
    """Declare the variant of a view that gives a copy."""

    def function(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        made = view(input, *args, **kwargs)
        if isinstance(made, tuple):
            return tuple(P.copy(x, order="C") for x in made)
        return P.copy(made, order="C")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"A copy of what `{name.removesuffix('_copy')}` gives."
    return op(method=method, out=True)(function)


def _sliced(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """The slice [start:end:step] of one dimension: a view."""
    shape = input._array.shape
    at = wrap_dim(dim, len(shape))
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    first, last, step = slice(start, end, step).indices(shape[at])
    return splitting.span(input, at, first, max(first, last), step)


alias_copy = _copying("alias_copy", lambda input: input)
as_strided_copy = _copying("as_strided_copy", as_strided)
detach_copy = _copying("detach_copy", lambda input: input.detach())
diagonal_copy = _copying("diagonal_copy", diagonal)
expand_copy = _copying("expand_copy", shaping.expand)
narrow_copy = _copying("narrow_copy", splitting.narrow, method=True)
permute_copy = _copying("permute_copy", shaping.permute)
select_copy = _copying("select_copy", splitting.select)
slice_copy = _copying("slice_copy", _sliced)
split_copy = _copying("split_copy", splitting.split)
split_with_sizes_copy = _copying("split_with_sizes_copy", splitting.split_with_sizes)
squeeze_copy = _copying("squeeze_copy", shaping.squeeze)
t_copy = _copying("t_copy", shaping.t)
transpose_copy = _copying("transpose_copy", shaping.transpose)
unbind_copy = _copying("unbind_copy", splitting.unbind)
unfold_copy = _copying("unfold_copy", unfold)
unsqueeze_copy = _copying("unsqueeze_copy", shaping.unsqueeze)
view_as_complex_copy = _copying("view_as_complex_copy", view_as_complex)
view_as_real_copy = _copying("view_as_real_copy", view_as_real)
view_copy = _copying("view_copy", shaping.view)


def _scattering(name: str, view: Callable[..., Tensor], doc: str) -> Callable[..., Tensor]:
    """Declare the op that gives a copy of the input with `src` where the view looks."""

    def function(input: Tensor, src: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        made = P.copy(input, order="K")
        region = view(made, *args, **kwargs)
        if region._array.shape != src._array.shape:
            raise RuntimeError(
                f"expected src to have a size equal to the slice of self. src size = "
                f"{list(src._array.shape)}, slice size = {list(region._array.shape)}"
            )
        region.copy_(as_dtype(src, dtype_of(input)))  # type: ignore[attr-defined]
        return made

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"A copy of the tensor with `src` in place of {doc}."
    return op(method=True, out=True)(function)


select_scatter = _scattering("select_scatter", splitting.select, "one position of a dimension")
slice_scatter = _scattering("slice_scatter", _sliced, "a slice of one dimension")
diagonal_scatter = _scattering("diagonal_scatter", diagonal, "a diagonal")
as_strided_scatter = _scattering("as_strided_scatter", as_strided, "a strided view")
