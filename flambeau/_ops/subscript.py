"""What `x[index]` means: views for ints, slices and None; gathering for tensors and lists."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import check_writable, write_
from .._engine.autograd.tensor import Tensor, wrap
from .._engine.base import dtypes
from .._engine.base.errors import broadcast_error
from .promote import as_dtype, dtype_of, number


def read(t: Tensor, index: Any) -> Tensor:
    """`t[index]`.

    Raises:
        IndexError: too many indices, or one outside its dimension.
    """
    steps, gathers = _parse(t, index)
    viewed = P.slice(t, index=steps)
    if not gathers:
        return viewed
    pattern, indices = _gather_pattern(viewed, gathers)
    return P.index(viewed, *indices, pattern=pattern)


def write(t: Tensor, index: Any, value: Any) -> None:
    """`t[index] = value`: value is broadcast and converted."""
    check_writable(t)
    steps, gathers = _parse(t, index)
    if not isinstance(value, Tensor):
        value = _as_value(t, value)
    region = P.slice(t, index=steps)
    if not gathers:
        write_(region, _squeezed(value, region._array.ndim), op="setitem", checked=True)
        return
    pattern, indices = _gather_pattern(region, gathers)
    value = as_dtype(value, dtype_of(t))
    try:
        changed = P.index_put(region, value, *indices, pattern=pattern, accumulate=False)
    except ValueError:
        shape = np.empty(region._array.shape, np.bool_)[
            tuple(i for i in _numpy_index(pattern, indices))
        ].shape
        raise _shape_mismatch(value, shape) from None
    write_(region, changed, op="setitem")


def _numpy_index(pattern: tuple[bool, ...], indices: list[Tensor]) -> list[Any]:
    left = iter(indices)
    return [next(left)._array if taken else slice(None) for taken in pattern]


def _shape_mismatch(value: Tensor, shape: tuple[int, ...]) -> RuntimeError:
    return RuntimeError(
        f"shape mismatch: value tensor of shape {list(value._array.shape)} cannot be broadcast "
        f"to indexing result of shape {list(shape)}"
    )


def _as_value(t: Tensor, value: Any) -> Tensor:
    if dtypes.of_scalar(value) is not None:
        d = dtype_of(t)
        return wrap(np.array(number(value, d), d.numpy))
    from .creation import tensor

    return tensor(value, dtype=dtype_of(t))


def _squeezed(value: Tensor, ndim: int) -> Tensor:
    """Leading dimensions of size 1 that the target lacks are dropped, as PyTorch does."""
    shape = value._array.shape
    extra = len(shape) - ndim
    if extra > 0 and all(n == 1 for n in shape[:extra]):
        return P.slice(value, index=(0,) * extra)
    return value


def _parse(t: Tensor, index: Any) -> tuple[tuple, list[tuple[int, Any]]]:
    """A view index for the primitive `slice`, and (dimension of the view, index tensor) pairs."""
    items = list(index) if isinstance(index, tuple) else [index]
    items = [_as_item(item) for item in items]
    shape = t._array.shape
    used = sum(_dims_taken(item) for item in items)
    if used > len(shape):
        raise IndexError(
            f"too many indices for tensor of dimension {len(shape)} (got {used} indices)"
        )
    items = _without_ellipsis(items, len(shape) - used)
    steps: list[Any] = []
    gathers: list[tuple[int, Any]] = []
    dim = place = 0
    for item in items:
        if item is None:
            steps.append(None)
            place += 1
        elif isinstance(item, bool):
            steps.append(None)
            gathers.append((place, wrap(np.array([item]))))
            place += 1
        elif isinstance(item, int):
            steps.append(_checked(item, dim, shape[dim]))
            dim += 1
        elif isinstance(item, slice):
            steps.append(_slice(item, shape[dim]))
            dim += 1
            place += 1
        else:
            gathers.append((place, item))
            for _ in range(_dims_taken(item)):
                steps.append((0, shape[dim], 1))
                dim += 1
                place += 1
            if not _dims_taken(item):  # a 0-dim mask adds a dimension
                steps.append(None)
                place += 1
    return tuple(steps), gathers


def _as_item(item: Any) -> Any:
    if item is None or item is Ellipsis or isinstance(item, (bool, int, slice)):
        return item
    if isinstance(item, Tensor):
        if item._array.ndim == 0 and item._array.dtype.kind in "iu":
            return item  # stays a gather, as its value may depend on data
        _check_index_dtype(item)
        return item
    if isinstance(item, (list, tuple, np.ndarray, range)):
        from .creation import tensor

        found = tensor(list(item) if isinstance(item, range) else item)
        if found._array.size == 0:
            found = as_dtype(found, dtypes.int64)
        _check_index_dtype(found)
        return found
    try:
        return operator.index(item)
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
            f"valid indices (got {type(item).__name__})"
        ) from None


def _check_index_dtype(item: Tensor) -> None:
    if item._array.dtype.kind not in "iub":
        raise IndexError(
            "tensors used as indices must be long, int, byte or bool tensors"
        )


def _is_mask(item: Tensor) -> bool:
    return item._array.dtype in (np.bool_, np.uint8)


def _dims_taken(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    if isinstance(item, Tensor) and _is_mask(item):
        return item._array.ndim
    return 1


def _without_ellipsis(items: list[Any], missing: int) -> list[Any]:
    places = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(places) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    fill = [slice(None)] * missing
    if not places:
        return items + fill
    at = places[0]
    return items[:at] + fill + items[at + 1 :]


def _checked(i: int, dim: int, size: int) -> int:
    if not -size <= i < size:
        raise IndexError(f"index {i} is out of bounds for dimension {dim} with size {size}")
    return i + size if i < 0 else i


def _slice(s: slice, size: int) -> tuple[int, int, int]:
    step = 1 if s.step is None else operator.index(s.step)
    if step <= 0:
        raise ValueError("step must be greater than zero")
    start, stop, step = slice(
        None if s.start is None else operator.index(s.start),
        None if s.stop is None else operator.index(s.stop),
        step,
    ).indices(size)
    return start, max(start, stop), step


def _gather_pattern(
    t: Tensor, gathers: list[tuple[int, Tensor]]
) -> tuple[tuple[bool, ...], list[Tensor]]:
    """Masks become positions; index tensors are checked and made non-negative."""
    pattern = [False] * t._array.ndim
    indices: list[Tensor] = []
    for place, item in gathers:
        if _is_mask(item):
            _check_mask(item, t, place)
            found = np.nonzero(np.atleast_1d(item._array))
            for offset, positions in enumerate(found):
                pattern[place + offset] = True
                indices.append(wrap(positions))
        else:
            pattern[place] = True
            indices.append(_positions(item, place, t._array.shape[place]))
    try:
        np.broadcast_shapes(*(i._array.shape for i in indices))
    except ValueError:
        shapes = ", ".join(str(list(i._array.shape)) for i in indices)
        raise IndexError(
            "shape mismatch: indexing tensors could not be broadcast together with shapes "
            f"{shapes}"
        ) from broadcast_error("index", indices[0]._array.shape, indices[-1]._array.shape)
    return tuple(pattern), indices


def _check_mask(mask: Tensor, t: Tensor, place: int) -> None:
    for offset, n in enumerate(mask._array.shape):
        if t._array.shape[place + offset] != n:
            raise IndexError(
                f"The shape of the mask {list(mask._array.shape)} at index {offset} does not "
                f"match the shape of the indexed tensor {list(t._array.shape)} at index "
                f"{place + offset}"
            )


def _positions(item: Tensor, dim: int, size: int) -> Tensor:
    array = item._array
    if array.size:
        low, high = int(array.min()), int(array.max())
        if low < -size or high >= size:
            bad = low if low < -size else high
            raise IndexError(f"index {bad} is out of bounds for dimension {dim} with size {size}")
        if low < 0:
            array = np.where(array < 0, array + size, array)
    return wrap(np.asarray(array).astype(np.int64, copy=False))
