"""What `x[index]` means: views for ints, slices and None; gathering for tensors, lists and masks.

The index is split in two. The *view* part is one primitive `slice`; what remains are index
tensors, each tied to a dimension of that view, for the primitives `index` and `index_put`.
Their results lie where NumPy puts them: in place of adjacent index tensors, in front otherwise.
Python numbers and 0-dim integer tensors belong to the view part, as in PyTorch.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import check_writable, write_
from .._engine.autograd.tensor import Tensor, wrap
from .._engine.base import dtypes
from .creation import array_from
from .promote import as_dtype, dtype_of, literal, number_tensor

__all__ = ["gather_pattern", "put", "read", "write"]

# the longest list that is read as a tuple of indices, as in NumPy of old
_LONGEST_TUPLE = 32


def read(t: Tensor, index: Any) -> Tensor:
    """`t[index]`.

    Raises:
        IndexError: too many indices, or one outside its dimension.
    """
    steps, gathers, label = _parse(t, index)
    viewed = P.slice(t, index=steps)
    if gathers:
        pattern, indices = gather_pattern(viewed._array.shape, gathers)
        viewed, label = P.index(viewed, *indices, pattern=pattern), "IndexBackward0"
    if viewed._grad_fn is not None:
        viewed._grad_fn.label = label
    return viewed


def write(t: Tensor, index: Any, value: Any) -> None:
    """`t[index] = value`: value is broadcast and, except through index tensors, converted.

    Raises:
        IndexError: too many indices, or one outside its dimension.
        RuntimeError: the value does not broadcast, or an in-place write is not allowed.
        TypeError: the value is neither a tensor nor a number.
    """
    steps, gathers, _ = _parse(t, index)
    if gathers:
        check_writable(t)
    from_number = not isinstance(value, Tensor)
    if from_number:
        value = _as_value(t, value)
    region = P.slice(t, index=steps)
    if not gathers:
        write_(region, _without_leading_ones(value, region._array.ndim), op="expand", checked=True)
        return
    pattern, indices = gather_pattern(region._array.shape, gathers)
    one_mask = len(gathers) == 1 and _is_mask(gathers[0][1]) and not value._array.ndim
    if value._array.dtype != t._array.dtype:
        if not one_mask:
            raise RuntimeError(
                "Index put requires the source and destination dtypes match, got "
                f"{dtype_of(t).word} for the destination and {dtype_of(value).word} for the source."
            )
        value = as_dtype(value, dtype_of(t))
    changed = put(region, pattern, indices, value, accumulate=False)
    write_(region, changed, op="index_put_")


def put(
    t: Tensor, pattern: tuple[bool, ...], indices: Sequence[Tensor], value: Tensor, accumulate: bool
) -> Tensor:
    """A copy of `t` with `value` written (or added) where the index tensors point.

    Raises:
        RuntimeError: the value does not broadcast to the indexed shape.
    """
    shape = _indexed_shape(t._array.shape, pattern, indices)
    value = _without_leading_ones(value, len(shape))
    found = value._array.shape
    if found != shape and not _broadcasts(found, shape):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(found)} cannot be broadcast to indexing "
            f"result of shape {list(shape)}"
        )
    return P.index_put(t, value, *indices, pattern=pattern, accumulate=accumulate)


def _indexed_shape(
    shape: tuple[int, ...], pattern: tuple[bool, ...], indices: Sequence[Tensor]
) -> tuple[int, ...]:
    """The shape of `t[...]` with index tensors where the pattern says."""
    joint = np.broadcast_shapes(*(i._array.shape for i in indices))
    places = [d for d, taken in enumerate(pattern) if taken]
    rest = tuple(n for n, taken in zip(shape, pattern, strict=True) if not taken)
    adjacent = places[-1] - places[0] == len(places) - 1
    at = places[0] if adjacent else 0
    return (*rest[:at], *joint, *rest[at:])


def _broadcasts(source: tuple[int, ...], target: tuple[int, ...]) -> bool:
    lead = len(target) - len(source)
    return lead >= 0 and all(n in (1, m) for n, m in zip(source, target[lead:], strict=True))


def _as_value(t: Tensor, value: Any) -> Tensor:
    d = dtype_of(t)
    found = dtypes.of_scalar(value)
    if found is None:
        raise TypeError(f"can't assign a {type(value).__name__} to a torch.{d.word}Tensor")
    if found.is_complex and not d.is_complex and complex(value).imag:
        raise RuntimeError(
            f"value cannot be converted to type {d.numpy.name.removesuffix('32')} without overflow"
        )
    plain = value.real if found.is_complex and not d.is_complex else value
    return number_tensor(plain, d)


def _without_leading_ones(value: Tensor, ndim: int) -> Tensor:
    """Leading dimensions of size 1 that the target lacks are dropped, as PyTorch does."""
    shape = value._array.shape
    extra = len(shape) - ndim
    if extra > 0 and all(n == 1 for n in shape[:extra]):
        return P.slice(value, index=(0,) * extra)
    return value


def _parse(t: Tensor, index: Any) -> tuple[tuple, list[tuple[int, Tensor]], str]:
    """A view index for the primitive `slice`, (dimension of the view, index tensor) pairs, and
    the name of the last view step on the tape."""
    shape = t._array.shape
    items = [_as_item(item) for item in _as_items(index)]
    _check_count(shape, items, index)
    steps: list[Any] = []
    gathers: list[tuple[int, Tensor]] = []
    label = "SliceBackward0" if type(index) is slice else "AliasBackward0"
    dim = place = 0
    missing = len(shape) - sum(map(_dims_taken, items))
    for item in items:
        kind = type(item)
        if kind is int:
            steps.append(_checked(item, dim, shape[dim]))
            dim, label = dim + 1, "SelectBackward0"
        elif kind is slice:
            steps.append(_slice(item, shape[dim]))
            if item.start not in (None, 0) or steps[-1] != (0, shape[dim], 1):
                label = "SliceBackward0"
            dim, place = dim + 1, place + 1
        elif item is Ellipsis:
            steps += [(0, n, 1) for n in shape[dim : dim + missing]]
            dim, place, missing = dim + missing, place + missing, 0
        elif item is None:
            steps.append(None)
            place, label = place + 1, "UnsqueezeBackward0"
        else:
            gathers.append((place, item))
            taken = _dims_taken(item)
            # a 0-dim mask adds a dimension, which it then keeps or empties
            steps += [(0, n, 1) for n in shape[dim : dim + taken]] if taken else [None]
            dim, place = dim + taken, place + max(taken, 1)
    return tuple(steps), gathers, label


def _as_items(index: Any) -> Sequence[Any]:
    if type(index) is tuple:
        return index
    if (
        isinstance(index, list)
        and len(index) < _LONGEST_TUPLE
        and any(
            item is None or item is Ellipsis or isinstance(item, (Tensor, list, tuple, slice))
            for item in index
        )
    ):
        return index
    return index if isinstance(index, tuple) else (index,)


def _as_item(item: Any) -> Any:
    """An int, a slice, None, Ellipsis, or an index tensor."""
    if item is None or item is Ellipsis or type(item) in (int, slice):
        return item
    if isinstance(item, bool):
        return literal(np.array(item))
    if not isinstance(item, Tensor):
        if isinstance(item, str):
            raise TypeError("new(): invalid data type 'str'")
        if isinstance(item, (list, tuple, range, np.ndarray)):
            item = _as_index_tensor(item)
        else:
            return _as_integer(item)
    if item._array.dtype not in _INDEX_DTYPES:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if item._array.ndim == 0 and not _is_mask(item):
        return int(item.item())  # type: ignore[attr-defined]
    return item


_INDEX_DTYPES = (np.int64, np.int32, np.bool_, np.uint8)


def _as_integer(item: Any) -> int:
    try:
        if not isinstance(item, np.bool_):
            return operator.index(item)
    except TypeError:
        pass
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
        f"valid indices (got {_type_name(item)})"
    )


def _type_name(item: Any) -> str:
    kind = type(item)
    return f"numpy.{kind.__name__}" if kind.__module__ == "numpy" else kind.__name__


def _as_index_tensor(item: Any) -> Tensor:
    array = array_from(list(item) if isinstance(item, range) else item)
    if array.size == 0 or (array.dtype.kind in "iu" and array.dtype not in _INDEX_DTYPES):
        array = array.astype(np.int64)
    # a list is part of the call; an array's elements may change from call to call
    return wrap(array) if isinstance(item, np.ndarray) else literal(array)


def _is_mask(item: Tensor) -> bool:
    return item._array.dtype in (np.bool_, np.uint8)


def _dims_taken(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    return item._array.ndim if isinstance(item, Tensor) and _is_mask(item) else 1


def _check_count(shape: tuple[int, ...], items: Sequence[Any], index: Any) -> None:
    used = sum(map(_dims_taken, items))
    if used <= len(shape):
        return
    if not shape and len(items) == 1 and type(items[0]) is int:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` "
            "in C++ to convert a 0-dim tensor to a number"
        )
    if not shape and type(index) is slice:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    raise IndexError(f"too many indices for tensor of dimension {len(shape)}")


def _checked(i: int, dim: int, size: int) -> int:
    if not -size <= i < size:
        raise IndexError(f"index {i} is out of bounds for dimension {dim} with size {size}")
    return i + size if i < 0 else i


def _slice(s: slice, size: int) -> tuple[int, int, int]:
    step = 1 if s.step is None else operator.index(s.step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step < 0:
        raise ValueError("step must be greater than zero")
    start, stop, step = slice(
        None if s.start is None else operator.index(s.start),
        None if s.stop is None else operator.index(s.stop),
        step,
    ).indices(size)
    return start, max(start, stop), step


def gather_pattern(
    shape: tuple[int, ...], gathers: Sequence[tuple[int, Tensor]]
) -> tuple[tuple[bool, ...], list[Tensor]]:
    """Which dimensions take an index tensor, and the tensors; masks become positions.

    Args:
        shape: of the tensor that is indexed.
        gathers: (dimension, index tensor or mask) pairs.

    Raises:
        IndexError: a mask does not fit its dimensions, or the tensors do not broadcast.
    """
    pattern = [False] * len(shape)
    indices: list[Tensor] = []
    for place, item in gathers:
        if not _is_mask(item):
            pattern[place] = True
            indices.append(as_dtype(item, dtypes.int64))
            continue
        if not item._array.ndim:
            item = P.view(item, shape=(1,))
        _check_mask(item, shape, place)
        positions = P.nonzero(item)
        for offset in range(item._array.ndim):
            pattern[place + offset] = True
            indices.append(P.slice(positions, index=((0, positions._array.shape[0], 1), offset)))
    try:
        np.broadcast_shapes(*(i._array.shape for i in indices))
    except ValueError:
        shapes = ", ".join(str(list(i._array.shape)) for i in indices)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None
    return tuple(pattern), indices


def _check_mask(mask: Tensor, shape: tuple[int, ...], place: int) -> None:
    for offset, n in enumerate(mask._array.shape):
        if shape[place + offset] != n:
            raise IndexError(
                f"The shape of the mask {list(mask._array.shape)} at index {offset} does not "
                f"match the shape of the indexed tensor {list(shape)} at index {place + offset}"
            )
