"""Tensors in pickles and copies, and the storages behind them."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from typing import Any

import numpy as np

from .._engine.autograd.tensor import Storage, Tensor, mark_requires_grad, new, share, storage_of
from .._engine.base import dtypes
from .._engine.base.devices import META
from .._engine.base.shapes import contiguous_strides
from .._ops.declare import method
from ..storage import TypedStorage, UntypedStorage, has_legacy_class, untyped_storage_of

_NOT_A_LEAF = (
    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at "
    "the moment.  If you were attempting to deepcopy a module, this may be because of a "
    "torch.nn.utils.weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001"
)


@method()
def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that the tensor is a view of, as bytes. Aliases have the same one."""
    return untyped_storage_of(self)


@method()
def storage(self: Tensor) -> TypedStorage:
    """The memory that the tensor is a view of, as elements of its dtype."""
    element = dtypes.from_numpy(self._array.dtype)
    return TypedStorage(wrap_storage=untyped_storage_of(self), dtype=element)


def layout_in_storage(t: Tensor) -> tuple[UntypedStorage, int, tuple[int, ...], tuple[int, ...]]:
    """The storage, and the tensor's offset, sizes and strides in it, counted in elements."""
    array, core = t._array, storage_of(t)
    itemsize = array.itemsize
    distance = array.__array_interface__["data"][0] - core.address if array.size else 0
    steps = array.strides
    if any(step < 0 or step % itemsize for step in steps) or distance % itemsize:
        # NumPy's arrays may run backwards or between elements; PyTorch's tensors may not
        array = np.ascontiguousarray(array)
        core, distance, steps = Storage(array), 0, array.strides
    if array.flags.c_contiguous:
        strides = contiguous_strides(array.shape)  # NumPy's are arbitrary where a size is 0 or 1
    else:
        strides = tuple(step // itemsize for step in steps)
    return UntypedStorage._of_core(core, t._device), distance // itemsize, array.shape, strides


def reduce_tensor(t: Tensor) -> tuple:
    """How a pickle rebuilds a tensor: the function and its arguments, PyTorch's own."""
    from .. import _utils

    attributes = {k: v for k, v in vars(t).items() if not _utils.is_engine_attribute(k)}
    function, arguments = _plain_recipe(t)
    if type(t) is Tensor and not attributes:
        return function, arguments
    state = t.__getstate__() if "__getstate__" in vars(type(t)) else attributes
    return _utils._rebuild_from_type_v2, (function, type(t), arguments, state)


def reduce_parameter(t: Tensor) -> tuple:
    """How a pickle rebuilds a parameter."""
    from .. import _utils

    attributes = {k: v for k, v in vars(t).items() if not _utils.is_engine_attribute(k)}
    arguments: tuple = (share(t, t._array), t._requires_grad, OrderedDict())
    if attributes:
        return _utils._rebuild_parameter_with_state, (*arguments, attributes)
    return _utils._rebuild_parameter, arguments


def _plain_recipe(t: Tensor) -> tuple:
    from .. import _utils

    element = dtypes.from_numpy(t._array.dtype)
    untyped, offset, size, stride = layout_in_storage(t)
    requires_grad = t._requires_grad or t._grad_fn is not None
    if t._device is META:
        return _utils._rebuild_meta_tensor_no_storage, (element, size, stride, requires_grad)
    if has_legacy_class(element):
        typed = TypedStorage(wrap_storage=untyped, dtype=element)
        arguments: tuple = (typed, offset, size, stride, requires_grad, OrderedDict())
        return _utils._rebuild_tensor_v2, arguments
    arguments = (untyped, offset, size, stride, requires_grad, OrderedDict(), element)
    return _utils._rebuild_tensor_v3, arguments


@method()
def __reduce_ex__(self: Tensor, protocol: Any) -> tuple:
    return reduce_tensor(self)


@method()
def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A copy with memory of its own, in which aliases stay aliases.

    Raises:
        RuntimeError: the tensor was computed by autograd.
    """
    if id(self) in memo:
        return memo[id(self)]
    if self._grad_fn is not None:
        raise RuntimeError(_NOT_A_LEAF)
    core = untyped_storage_of(self).__deepcopy__(memo)._core
    array = self._array
    distance = array.__array_interface__["data"][0] - storage_of(self).address if array.size else 0
    copy = new(type(self))
    copy._array = _same_view(core, array, distance)
    copy._storage, copy._device = core, self._device
    memo[id(self)] = copy
    mark_requires_grad(copy, self._requires_grad)
    if self._grad is not None:
        copy._grad = deepcopy(self._grad, memo)
    from .. import _utils

    for name, value in vars(self).items():
        if not _utils.is_engine_attribute(name):
            setattr(copy, name, deepcopy(value, memo))
    return copy


def _same_view(core: Storage, array: np.ndarray, distance: int) -> np.ndarray:
    """The view that `array` is of its own storage, of the bytes in `core`."""
    if not array.size:
        return np.empty_like(array)
    first = core.array[distance : distance + array.itemsize].view(array.dtype)
    return np.lib.stride_tricks.as_strided(first, array.shape, array.strides)
