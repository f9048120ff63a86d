"""Methods that change what a tensor is a view of, and not the elements: resize_, set_, t_ ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import check_writable
from .._engine.autograd.mode import is_grad_enabled, set_grad_enabled
from .._engine.autograd.tensor import Storage, Tensor, mark_requires_grad, storage_of
from .._engine.base import dtypes, state
from .._engine.base.shapes import contiguous_strides
from .._engine.eager.views import strided
from .._ops import shaping
from .._ops.arguments import sizes
from .._ops.declare import method
from .._ops.strided import as_strided, check_within, offset_of
from ..storage import TypedStorage, UntypedStorage


def _becoming(name: str, view: Callable[..., Tensor]) -> None:
    """Attach `name_`: the tensor turns into the view that `name` gives."""

    def become(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        state.settle()
        state.changed()
        check_writable(self)
        with set_grad_enabled(is_grad_enabled() or self._grad_fn is not None):
            root = _root_of(self)
            made = view(root, *args, **kwargs)
        if root is not self:
            self._root = root
        storage_of(self).version += 1
        if made._view is not None:
            made._view.version += 1
        self._array, self._storage = made._array, made._storage
        if self._view is not None or self._root is not None:
            self._view, self._plain = made._view, made._plain
        if made._requires_grad:
            self._grad_fn, self._output_index = made._grad_fn, made._output_index
        return self

    become.__doc__ = f"In-place `{name}`: the memory stays, what the tensor sees of it changes."
    method(f"{name}_")(become)


def _root_of(t: Tensor) -> Tensor:
    """What stays as the base when `t` turns: a twin where `t` may have other views, or `t`."""
    if t._view is not None or t._storage is None or (t._requires_grad and t._grad_fn is None):
        return t
    root = object.__new__(type(t))
    root.__dict__.update(t.__dict__)
    return root


for _name in ("squeeze", "swapaxes", "swapdims", "t", "transpose", "unsqueeze"):
    _becoming(_name, getattr(shaping, _name))
_becoming("as_strided", as_strided)


@method()
def resize_(self: Tensor, *size: Any, memory_format: Any = None) -> Tensor:
    """Another shape over the same memory, row-major; more memory (zeros) when it is too small.

    Raises:
        RuntimeError: the tensor requires grad, or a size is negative.
    """
    state.settle()
    state.changed()
    if self._requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    shape = sizes("resize_", size)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"resize_: sizes must be non-negative, got {list(shape)}")
    if shape == self._array.shape:
        return self
    itemsize, count = self._array.itemsize, int(np.prod(shape, dtype=np.int64))
    storage, offset = storage_of(self), offset_of(self)
    if (offset + count) * itemsize > storage.nbytes:
        self._array = _grown(self, count).reshape(shape)
        self._storage = Storage(self._array)
    elif count and not self._array.size:
        storage_bytes = UntypedStorage._of_core(storage)._memory
        self._array = storage_bytes[: count * itemsize].view(self._array.dtype).reshape(shape)
    else:
        steps = [s * itemsize for s in contiguous_strides(shape)]
        self._array = strided(self._array, shape, steps)
    return self


def _grown(t: Tensor, count: int) -> np.ndarray:
    """Memory for `count` elements that begins with what the tensor's storage holds."""
    memory = np.zeros(count, t._array.dtype)
    held = UntypedStorage._of_core(storage_of(t))._memory
    start = offset_of(t) * t._array.itemsize
    kept = held[start:][: memory.nbytes]
    memory.view(np.uint8)[: kept.size] = kept
    return memory


@method()
def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(self, the_template._array.shape)


@method()
def set_(
    self: Tensor,
    source: Any = None,
    storage_offset: int = 0,
    size: Any = None,
    stride: Any = None,
) -> Tensor:
    """Look at the memory of another tensor or storage; without one, at none.

    Raises:
        RuntimeError: dtypes differ, the view leaves the storage, or the tensor is a leaf that
            requires grad.
    """
    state.settle()
    state.changed()
    check_writable(self)
    if source is None:
        self._array = np.empty(0, self._array.dtype)
        self._storage = Storage(self._array)
    elif isinstance(source, Tensor):
        _set_tensor(self, source, storage_offset, size, stride)
    else:
        _set_storage(self, source, storage_offset, size, stride)
    self._view = None
    mark_requires_grad(self, self._requires_grad)
    return self


def _set_tensor(self: Tensor, source: Tensor, offset: int, size: Any, stride: Any) -> None:
    if source._array.dtype != self._array.dtype:
        raise RuntimeError(
            "Could not set tensor of type "
            f"{dtypes.from_numpy(source._array.dtype).name} to a tensor of type "
            f"{dtypes.from_numpy(self._array.dtype).name}"
        )
    self._array, self._storage = source._array, storage_of(source)
    if size is not None:
        _set_storage(self, UntypedStorage._of_core(self._storage), offset, size, stride)


def _set_storage(self: Tensor, source: Any, offset: int, size: Any, stride: Any) -> None:
    untyped = source.untyped() if isinstance(source, TypedStorage) else source
    d = self._array.dtype
    memory = untyped._memory
    whole = memory[: memory.size // d.itemsize * d.itemsize].view(d)
    shape = (whole.size - offset,) if size is None else sizes("set_", (size,))
    strides = contiguous_strides(shape) if stride is None else sizes("set_", (stride,))
    check_within(shape, strides, offset, d.itemsize, memory.nbytes)
    steps = [s * d.itemsize for s in strides]
    self._array = strided(whole, shape, steps, offset * d.itemsize)
    self._storage = untyped._core


@method()
def as_subclass(self: Tensor, cls: type[Tensor]) -> Tensor:
    """The same memory and history as a tensor of a subclass."""
    made = P.alias(self)
    made.__class__ = cls
    return made
