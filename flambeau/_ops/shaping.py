"""Shapes: the same elements under other sizes, views where memory allows, copies otherwise."""

from __future__ import annotations

from math import prod
from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base.dtypes import dtype
from .._engine.base.formats import channels_last_order, contiguous_format
from .._engine.base.shapes import broadcast, infer_size, wrap_dim, wrap_dims
from .arguments import integer, sizes
from .declare import op
from .promote import dtype_of

__all__ = [
    "adjoint", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_shapes", "broadcast_tensors",
    "broadcast_to", "clone", "flatten", "moveaxis", "movedim", "permute", "ravel", "reshape",
    "squeeze", "swapaxes", "swapdims", "t", "transpose", "unflatten", "unsqueeze",
]  # fmt: skip


@op(method=True)
def view(input: Tensor, *shape: Any, size: Any = None, dtype: dtype | None = None) -> Tensor:
    """The same memory in another shape (one size may be -1), or read as another dtype.

    Raises:
        RuntimeError: the sizes do not fit, or the strides do not allow a view.

    >>> flambeau.arange(6).view(2, -1).shape
    torch.Size([2, 3])
    """
    if dtype is None and len(shape) == 1 and _is_dtype(shape[0]):
        dtype = shape[0]
    if dtype is not None:
        return _view_as_dtype(input, dtype)
    given = shape if size is None else (size,)
    wanted = infer_size(sizes("view", given), input._array.size)
    try:
        return P.view(input, shape=wanted)
    except ValueError:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        ) from None


def _is_dtype(x: Any) -> bool:
    return isinstance(x, dtype)


def _view_as_dtype(input: Tensor, wanted: dtype) -> Tensor:
    """The last dimension shrinks or grows with the size of an element."""
    array = input._array
    old, new = array.itemsize, wanted.itemsize
    if old != new:
        if array.ndim == 0:
            raise RuntimeError(
                f"self.dim() cannot be 0 to view {dtype_of(input).word} as {wanted.word} "
                "(different element sizes)"
            )
        if array.size and array.shape[-1] != 1 and array.strides[-1] != old:
            raise RuntimeError(
                f"self.stride(-1) must be 1 to view {dtype_of(input).word} as {wanted.word} "
                f"(different element sizes), but got {array.strides[-1] // old}"
            )
        if new > old and array.shape[-1] % (new // old):
            raise RuntimeError(
                f"self.size(-1) must be divisible by {new // old} to view "
                f"{dtype_of(input).word} as {wanted.word} (different element sizes), but got "
                f"{array.shape[-1]}"
            )
    return P.view_dtype(input, dtype=wanted.numpy)


@op(method=True)
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The same memory in the shape of `other`."""
    return view(input, other._array.shape)


def _reshaped(input: Tensor, wanted: tuple[int, ...]) -> Tensor:
    try:
        return P.view(input, shape=wanted)
    except ValueError:
        return P.view(P.copy(input, order="C"), shape=wanted)


@op(method=True, label="ViewBackward0")
def reshape(input: Tensor, *given: Any, shape: Any = None) -> Tensor:
    """The elements in another shape: a view where strides allow, a copy otherwise."""
    given = given if shape is None else (shape,)
    return _reshaped(input, infer_size(sizes("reshape", given), input._array.size))


@op(method=True, label="ViewBackward0")
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of `other`."""
    return _reshaped(input, infer_size(other._array.shape, input._array.size))


@op(method=True, label="ViewBackward0")
def ravel(input: Tensor) -> Tensor:
    """The elements in one dimension: a view where strides allow."""
    return _reshaped(input, (input._array.size,))


@op(method=True)
def permute(input: Tensor, *given: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order: a view."""
    wanted = sizes("permute", given if dims is None else (dims,))
    ndim = input._array.ndim
    if len(wanted) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} "
            f"is not equal to len(dims) = {len(wanted)}"
        )
    order = tuple(wrap_dim(d, ndim) for d in wanted)
    if len(set(order)) != len(order):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return P.permute(input, dims=order)


@op(method=True, aliases=("swapaxes", "swapdims"))
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged: a view."""
    ndim = input._array.ndim
    a, b = wrap_dim(dim0, ndim), wrap_dim(dim1, ndim)
    order = list(range(ndim))
    if ndim:
        order[a], order[b] = b, a
    return P.permute(input, dims=tuple(order))


@op()
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Two dimensions exchanged: a view."""
    return transpose(input, axis0, axis1)


swapdims = swapaxes


@op(method=True, label="PermuteBackward0", aliases=("moveaxis",))
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions `source` moved to places `destination`, the others in order: a view."""
    ndim = input._array.ndim
    origins, places = _dim_tuple(source), _dim_tuple(destination)
    if len(origins) != len(places):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({list(origins)} dims) should contain the same number of dims as destination "
            f"({list(places)} dims)"
        )
    origins = tuple(wrap_dim(d, ndim) for d in origins)
    places = tuple(wrap_dim(d, ndim) for d in places)
    for name, chosen in (("source", origins), ("destination", places)):
        if len(set(chosen)) != len(chosen):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(chosen)})")
    if not ndim:
        return P.alias(input)
    order = [-1] * ndim
    for origin, place in zip(origins, places, strict=True):
        order[place] = origin
    rest = iter(d for d in range(ndim) if d not in origins)
    return P.permute(input, dims=tuple(next(rest) if d == -1 else d for d in order))


moveaxis = movedim


def _dim_tuple(dim: Any) -> tuple[int, ...]:
    return tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)


@op(method=True, label="TBackward0")
def t(input: Tensor) -> Tensor:
    """The transpose of a tensor of at most two dimensions: a view."""
    if input._array.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input._array.ndim}D"
        )
    return P.permute(input, dims=tuple(reversed(range(input._array.ndim))))


@op(method=True)
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, and conjugated when complex."""
    if input._array.ndim == 1:
        raise RuntimeError(
            "tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    turned = transpose(input, -2, -1) if input._array.ndim else input
    return P.conj(turned) if input._array.dtype.kind == "c" else turned


@op(method=True)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new dimension of size 1 before `dim`: a view."""
    at = wrap_dim(dim, input._array.ndim + 1)
    return P.slice(input, index=(*((0, n, 1) for n in input._array.shape[:at]), None))


@op(method=True)
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions (of `dim`, or all) that have size 1: a view."""
    shape = input._array.shape
    chosen = wrap_dims(dim, len(shape))
    drop = {d for d in chosen if shape[d] == 1}
    return P.slice(input, index=tuple(0 if d in drop else (0, n, 1) for d, n in enumerate(shape)))


@op(method=True)
def expand(input: Tensor, *given: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Dimensions of size 1 stretched without copying; -1 keeps a size.

    Raises:
        RuntimeError: a size differs and is not 1, or there are too few sizes.

    >>> flambeau.ones(2, 1).expand(-1, 3).shape
    torch.Size([2, 3])
    """
    wanted = list(sizes("expand", given if size is None else (size,)))
    shape = input._array.shape
    lead = len(wanted) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{dtype_of(input).word}Tensor{{{list(shape)}}}, size={wanted}): the "
            f"number of sizes provided ({len(wanted)}) must be greater or equal to the number of "
            f"dimensions in the tensor ({len(shape)})"
        )
    for d, n in enumerate(wanted):
        if n < 0 and (d < lead or n != -1):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) isn't allowed in a leading, "
                f"non-existing dimension {d}"
            )
    for d, n in enumerate(shape, lead):
        if wanted[d] == -1:
            wanted[d] = n
        elif n not in (1, wanted[d]):
            raise RuntimeError(
                f"The expanded size of the tensor ({wanted[d]}) must match the existing size "
                f"({n}) at non-singleton dimension {d}.  Target sizes: {wanted}.  Tensor sizes: "
                f"{list(shape)}"
            )
    return P.expand(input, shape=tuple(wanted))


@op(method=True, label="ExpandBackward0")
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Stretched to the shape of `other`."""
    return expand(input, other._array.shape)


@op(method=True, label="ExpandBackward0")
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """Stretched to `size`: a view."""
    return expand(input, size)


@op()
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All tensors stretched to their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    shape = broadcast(*(x._array.shape for x in tensors)) if tensors else ()
    return tuple(P.expand(x, shape=shape) for x in tensors)


@op()
def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that all of `shapes` (tuples, or ints for one dimension) broadcast to."""
    from .._tensor.size import Size

    tuples = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    for n in (n for s in tuples for n in s):
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension ({n}): ({n})")
    try:
        return Size(broadcast(*tuples) if tuples else ())
    except RuntimeError as error:
        raise RuntimeError(
            f"Shape mismatch: objects cannot be broadcast to a single shape: {error}"
        ) from None


@op(method=True, label="CloneBackward0")
def contiguous(input: Tensor, memory_format: Any = contiguous_format) -> Tensor:
    """Itself when row-major in memory, a row-major copy otherwise (or as `memory_format` says)."""
    order = channels_last_order(memory_format, input._array.shape)
    if order is not None:
        return input if in_order(input, order) else _ordered_copy(input, order)
    return input if input._array.flags.c_contiguous else P.copy(input, order="C")


@op(method=True)
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy that gradients flow through; dense tensors keep their order in memory."""
    order = channels_last_order(memory_format, input._array.shape)
    if order is not None:
        return _ordered_copy(input, order)
    return P.copy(input, order="C" if memory_format is contiguous_format else "K")


def in_order(t: Tensor, order: tuple[int, ...]) -> bool:
    """Whether the elements lie in memory with the dims in `order`, the last one fastest."""
    return t._array.transpose(order).flags.c_contiguous


def _ordered_copy(t: Tensor, order: tuple[int, ...]) -> Tensor:
    back = tuple(order.index(d) for d in range(len(order)))
    return P.permute(P.copy(P.permute(t, dims=order), order="C"), dims=back)


@op(method=True, label="ViewBackward0")
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions `start_dim` to `end_dim` made one.

    Raises:
        RuntimeError: they are in the wrong order.
    """
    shape = input._array.shape
    first, last = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return _reshaped(input, (1,))
    if first == last:
        return input
    middle = prod(shape[first : last + 1])
    return _reshaped(input, (*shape[:first], middle, *shape[last + 1 :]))


@op(method=True, label="ViewBackward0")
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """Dimension `dim` made several, one of which may be -1: a view.

    Raises:
        RuntimeError: the sizes do not multiply to the dimension's.
    """
    given = tuple(integer("unflatten", "sizes", n) for n in sizes)
    if not given:
        raise RuntimeError("unflatten: sizes must be non-empty")
    shape = input._array.shape
    at = wrap_dim(dim, len(shape))
    try:
        parts = infer_size(given, shape[at])
    except RuntimeError as error:
        if "can be inferred" in str(error):
            raise
        hint = " (-1 is the only size that may be inferred)" if -1 in given else ""
        raise RuntimeError(
            f"unflatten: Provided sizes {list(given)} don't multiply up to the size of dim {at} "
            f"({shape[at]}) in the input tensor{hint}"
        ) from None
    return view(input, (*shape[:at], *parts, *shape[at + 1 :]))


def _at_least(name: str, dims: int, place: Any) -> Any:
    """Declare atleast_<dims>d: new dimensions of size 1, put where `place(shape)` says."""

    def grow(x: Tensor) -> Tensor:
        shape = x._array.shape
        return x if len(shape) >= dims else P.view(x, shape=place(shape))

    def function(*tensors: Any) -> Any:
        if len(tensors) == 1:
            (only,) = tensors
            return tuple(map(grow, only)) if isinstance(only, (tuple, list)) else grow(only)
        return tuple(map(grow, tensors))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Each tensor with at least {dims} dimension{'s' * (dims > 1)}: a view."
    return op(label="ViewBackward0")(function)


atleast_1d = _at_least("atleast_1d", 1, lambda shape: (1,))
atleast_2d = _at_least("atleast_2d", 2, lambda shape: (1, *(shape or (1,))))
atleast_3d = _at_least(
    "atleast_3d", 3, lambda shape: (*shape, 1) if len(shape) == 2 else (1, *(shape or (1,)), 1)
)
