"""Shapes: views where memory allows, copies otherwise."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base.dtypes import dtype
from .._engine.base.shapes import broadcast, infer_size, wrap_dim
from .arguments import sizes
from .declare import op


@op(method=True)
def view(input: Tensor, *shape: Any) -> Tensor:
    """The same memory in another shape (one size may be -1), or read as another dtype.

    Raises:
        RuntimeError: the sizes do not fit, or the strides do not allow a view.
    """
    if len(shape) == 1 and isinstance(shape[0], dtype):
        return P.view_dtype(input, dtype=shape[0].numpy)
    wanted = infer_size(sizes("view", shape), input._array.size)
    try:
        return P.view(input, shape=wanted)
    except ValueError:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        ) from None


@op(method=True)
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The elements in another shape: a view where strides allow, a copy otherwise."""
    wanted = infer_size(sizes("reshape", shape), input._array.size)
    try:
        return P.view(input, shape=wanted)
    except ValueError:
        return P.view(P.copy(input, order="C"), shape=wanted)


@op(method=True)
def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order: a view."""
    order = tuple(wrap_dim(d, input._array.ndim) for d in sizes("permute", dims))
    if len(order) != input._array.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {input._array.ndim} "
            f"is not equal to len(dims) = {len(order)}"
        )
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


swapaxes = swapdims = transpose


@op(method=True)
def t(input: Tensor) -> Tensor:
    """The transpose of a tensor of at most two dimensions: a view."""
    if input._array.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input._array.ndim}D"
        )
    return P.permute(input, dims=tuple(reversed(range(input._array.ndim))))


@op(method=True)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new dimension of size 1 before `dim`: a view."""
    at = wrap_dim(dim, input._array.ndim + 1)
    return P.slice(input, index=(*((0, n, 1) for n in input._array.shape[:at]), None))


@op(method=True)
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions (of `dim`, or all) that have size 1: a view."""
    shape = input._array.shape
    if dim is None:
        chosen = range(len(shape))
    else:
        chosen = [wrap_dim(d, len(shape)) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    drop = {d for d in chosen if shape and shape[d] == 1}
    index = tuple(0 if d in drop else (0, n, 1) for d, n in enumerate(shape))
    return P.slice(input, index=index)


@op(method=True)
def expand(input: Tensor, *size: Any, implicit: bool = False) -> Tensor:
    """Dimensions of size 1 stretched without copying; -1 keeps a size.

    Raises:
        RuntimeError: a size differs and is not 1, or there are too few sizes.
    """
    wanted = list(sizes("expand", size))
    shape = input._array.shape
    lead = len(wanted) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{dtype_word(input)}Tensor{{{list(shape)}}}, size={wanted}): the number "
            f"of sizes provided ({len(wanted)}) must be greater or equal to the number of "
            f"dimensions in the tensor ({len(shape)})"
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
    if min(wanted, default=0) < 0:
        raise RuntimeError(
            f"The expanded size of the tensor ({min(wanted)}) isn't allowed in a leading, "
            f"non-existing dimension {wanted.index(min(wanted))}"
        )
    return P.expand(input, shape=tuple(wanted))


def dtype_word(t: Tensor) -> str:
    """ "Float", as in FloatTensor."""
    from .promote import dtype_of

    return dtype_of(t).word


@op(method=True)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Stretched to the shape of `other`."""
    return expand(input, other._array.shape)


@op()
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All tensors stretched to their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    shape = broadcast(*(x._array.shape for x in tensors)) if tensors else ()
    return tuple(P.expand(x, shape=shape) for x in tensors)


@op(method=True)
def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """Itself when row-major in memory, a row-major copy otherwise."""
    return input if input._array.flags.c_contiguous else P.copy(input, order="C")


@op(method=True)
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy that gradients flow through."""
    return P.copy(input, order="K")


@op(method=True)
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
        return reshape(input, 1)
    if first == last:
        return input
    middle = 1
    for n in shape[first : last + 1]:
        middle *= n
    return reshape(input, (*shape[:first], middle, *shape[last + 1 :]))


@op(out=True)
def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors joined along an existing dimension; dtypes promote.

    Raises:
        RuntimeError: sizes differ in another dimension, or there are no tensors.
    """
    from .promote import to_common

    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")
    if any(x._array.ndim == 0 for x in tensors):
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    if any(x._array.dtype is not tensors[0]._array.dtype for x in tensors):
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


concat = concatenate = cat


@op(out=True)
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension.

    Raises:
        RuntimeError: shapes differ, or there are no tensors.
    """
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]._array.shape
    for number, x in enumerate(tensors):
        if x._array.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 "
                f"and {list(x._array.shape)} at entry {number}"
            )
    at = wrap_dim(dim, len(first) + 1)
    return cat([unsqueeze(x, at) for x in tensors], at)
