"""Cutting a tensor into views along a dimension."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base.shapes import wrap_dim
from .arguments import integer
from .declare import op

__all__ = [
    "chunk", "dsplit", "hsplit", "narrow", "select", "split", "split_with_sizes", "tensor_split",
    "unbind", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "vsplit",
]  # fmt: skip


def span(t: Tensor, dim: int, start: int, stop: int, step: int = 1) -> Tensor:
    """The slice [start:stop:step] of one dimension (wrapped already): a view."""
    lead = tuple((0, n, 1) for n in t._array.shape[:dim])
    return P.slice(t, index=(*lead, (start, stop, step)))


@op(method=True)
def select(input: Tensor, dim: int, index: Any) -> Tensor:
    """The part at position `index` of dimension `dim`, without that dimension: a view.

    Raises:
        IndexError: the position lies outside the dimension.
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    at, place = wrap_dim(dim, len(shape)), integer("select", "index", index)
    if not -shape[at] <= place < shape[at]:
        raise IndexError(
            f"select(): index {place} out of range for tensor of size {list(shape)} at dimension "
            f"{at}"
        )
    lead = tuple((0, n, 1) for n in shape[:at])
    return P.slice(input, index=(*lead, place % shape[at]))


@op(method=True, label="SliceBackward0")
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` positions of dimension `dim` from `start` on: a view.

    Raises:
        IndexError, RuntimeError: the range leaves the dimension.
    """
    shape = input._array.shape
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Tensor) and (start._array.ndim or start._array.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    at, first = wrap_dim(dim, len(shape)), integer("narrow", "start", start)
    size = shape[at]
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -size <= first <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {first})"
        )
    first += size if first < 0 else 0
    if first + length > size:
        raise RuntimeError(f"start ({first}) + length ({length}) exceeds dimension size ({size}).")
    return span(input, at, first, first + length)


@op(method=True)
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The parts at each position of dimension `dim`, without that dimension: views."""
    shape = input._array.shape
    at = wrap_dim(dim, len(shape))
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return _pieces(input, (1,) * shape[at], at, "UnbindBackward0", squeeze=True)


def _pieces(
    input: Tensor, lengths: Sequence[int], dim: int, label: str, squeeze: bool = False
) -> tuple[Tensor, ...]:
    """Views that autograd takes for one call's several results: no writing into them."""
    if not lengths:
        return ()
    pieces = P.split(input, sizes=tuple(lengths), dim=dim, squeeze=squeeze)
    if pieces[0]._grad_fn is not None:
        pieces[0]._grad_fn.label = label
    return pieces


def _equal_lengths(name: str, size: int, length: int) -> list[int]:
    if length < 0:
        raise RuntimeError(
            f"{name} expects split_size be non-negative, but got split_size={length}"
        )
    if length == 0:
        if size:
            raise RuntimeError(
                f"{name} expects split_size > 0 but got split_size=0 for a dimension of size {size}"
            )
        return [0]
    return [min(length, size - start) for start in range(0, size, length)] or [0]


@op(method=True)
def split(
    tensor: Tensor, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None
) -> tuple[Tensor, ...]:
    """Pieces of one length (the last may be shorter), or of the lengths in a list: views.

    Raises:
        RuntimeError: the length is negative, or the lengths do not add up.

    >>> [len(x) for x in flambeau.arange(5).split(2)]
    [2, 2, 1]
    """
    wanted = split_size if split_size_or_sections is None else split_size_or_sections
    if isinstance(wanted, (tuple, list)):
        return split_with_sizes(tensor, wanted, dim)
    size = _size_along("split", tensor, dim)
    lengths = _equal_lengths("split", size, integer("split", "split_size", wanted))
    return _pieces(tensor, lengths, wrap_dim(dim, tensor._array.ndim), "SplitBackward0")


def _size_along(name: str, input: Tensor, dim: int) -> int:
    shape = input._array.shape
    if not shape:
        raise RuntimeError(f"{name} expects at least a 1-dimensional tensor")
    return shape[wrap_dim(dim, len(shape))]


@op(method=True)
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of the given lengths along `dim`: views.

    Raises:
        RuntimeError: the lengths do not add up to the dimension's size.
    """
    size = _size_along("split", input, dim)
    lengths = [integer("split_with_sizes", "split_sizes", n) for n in split_sizes]
    if any(n < 0 for n in lengths):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={lengths}"
        )
    if sum(lengths) != size:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size "
            f"at dimension {dim}), but got split_sizes={lengths}"
        )
    at = wrap_dim(dim, input._array.ndim)
    return _pieces(input, lengths, at, "SplitWithSizesBackward0")


@op(method=True)
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of one length, the last possibly shorter: views.

    Raises:
        RuntimeError: `chunks` is not positive.
    """
    size = _size_along("chunk", input, dim)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    at = wrap_dim(dim, input._array.ndim)
    lengths = _equal_lengths("chunk", size, -(-size // chunks)) if size else [0] * chunks
    return _pieces(input, lengths, at, "SplitBackward0")


def _unsafe(name: str, whole: Any) -> Any:
    """The split whose pieces autograd lets be written to: slices of their own."""

    def function(input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
        lengths = [x._array.shape[dim] for x in whole(input.detach(), *args, **kwargs)]
        return _parts(input, lengths, wrap_dim(dim, input._array.ndim))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{whole.__name__}`, with pieces that may be written to."
    return op(method=True)(function)


def _parts(input: Tensor, lengths: Sequence[int], dim: int) -> tuple[Tensor, ...]:
    start, parts = 0, []
    for length in lengths:
        parts.append(span(input, dim, start, start + length))
        start += length
    return tuple(parts)


unsafe_split = _unsafe("unsafe_split", split)
unsafe_split_with_sizes = _unsafe("unsafe_split_with_sizes", split_with_sizes)
unsafe_chunk = _unsafe("unsafe_chunk", chunk)


@op(method=True)
def tensor_split(
    input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None,
    sections: Any = None, tensor_indices_or_sections: Any = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Pieces as even as they can be, or cut before the given positions: views.

    Raises:
        RuntimeError: the number of sections is not positive, or the tensor is 0-dim.

    >>> [len(x) for x in flambeau.arange(5).tensor_split(3)]
    [2, 2, 1]
    """
    given = (indices_or_sections, indices, sections, tensor_indices_or_sections)
    wanted = next((x for x in given if x is not None), None)
    if not input._array.ndim:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    at = wrap_dim(dim, input._array.ndim)
    size = input._array.shape[at]
    if isinstance(wanted, Tensor):
        wanted = _split_positions(wanted)
    if isinstance(wanted, (tuple, list)):
        cuts = [integer("tensor_split", "indices", x) for x in wanted]
        return _cut(input, cuts, at)
    count = integer("tensor_split", "sections", wanted)
    if count <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {count}")
    low, longer = divmod(size, count)
    return _parts(input, [low + (i < longer) for i in range(count)], at)


def _split_positions(given: Tensor) -> Any:
    if given._array.dtype.kind != "i" or given._array.itemsize != 8:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
            f"{given.dtype}"  # type: ignore[attr-defined]
        )
    if given._array.ndim > 1:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
            f"one-dimensional tensor, but got a tensor with {given._array.ndim} dims"
        )
    return given.tolist()  # type: ignore[attr-defined]


def _cut(input: Tensor, cuts: list[int], dim: int) -> tuple[Tensor, ...]:
    """Between consecutive cuts, each read as a slice's end is."""
    size = input._array.shape[dim]
    places = [0, *(slice(c, None).indices(size)[0] for c in cuts), size]
    return tuple(
        span(input, dim, start, max(start, stop))
        for start, stop in zip(places[:-1], places[1:], strict=True)
    )


def _along(name: str, least: int, dim_of: Any) -> Any:
    """Declare hsplit, vsplit or dsplit: `tensor_split` along a fixed dimension, evenly."""

    def function(input: Tensor, *given: Any, indices: Any = None, sections: Any = None) -> Any:
        if len(given) > 1:
            given = (given,)
        wanted = given[0] if given else indices if sections is None else sections
        shape = input._array.shape
        if len(shape) < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension"
                f"{'s' * (least > 1)}, but got a tensor with {len(shape)} dimensions!"
            )
        dim = dim_of(len(shape))
        if not isinstance(wanted, (tuple, list)):
            count = operator.index(wanted)
            if count <= 0 or shape[dim] % count:
                raise RuntimeError(
                    f"torch.{name} attempted to split along dimension {dim}, but the size of the "
                    f"dimension {shape[dim]} is not divisible by the split_size {count}!"
                )
        return tensor_split(input, wanted, dim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`tensor_split` along dimension {dim_of(2)}, evenly when given a number."
    return op(method=True)(function)


hsplit = _along("hsplit", 1, lambda ndim: 0 if ndim == 1 else 1)
vsplit = _along("vsplit", 2, lambda ndim: 0)
dsplit = _along("dsplit", 3, lambda ndim: 2)
