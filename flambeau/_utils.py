"""The functions that PyTorch's pickles call to rebuild tensors. Their names are part of the format.

They take what a file says, so each checks it: a view must lie inside its storage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._engine.autograd.tensor import Tensor, mark_requires_grad, wrap
from ._engine.base.devices import CPU, META, device
from ._engine.base.dtypes import dtype
from .nn.parameter import Parameter
from .storage import TypedStorage, UntypedStorage

_META_FLAGS = ("conj", "neg")


def _rebuild_tensor(
    storage: TypedStorage, storage_offset: int, size: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """A view of a storage.

    Raises:
        RuntimeError: the view does not lie inside the storage.
    """
    if not isinstance(storage, TypedStorage):
        raise TypeError(f"expected a TypedStorage, got {type(storage).__name__}")
    return _view(storage.untyped(), storage.dtype, storage_offset, size, stride)


def _rebuild_tensor_v2(
    storage: TypedStorage,
    storage_offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    backward_hooks: Any,
    metadata: Mapping[str, bool] | None = None,
) -> Tensor:
    """A view of a storage that may require grad; hooks do not travel in files."""
    tensor = _rebuild_tensor(storage, storage_offset, size, stride)
    return _finish(tensor, requires_grad, metadata)


def _rebuild_tensor_v3(
    storage: UntypedStorage,
    storage_offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    backward_hooks: Any,
    dtype: dtype,
    metadata: Mapping[str, bool] | None = None,
) -> Tensor:
    """As `_rebuild_tensor_v2`, for dtypes that have no storage class of their own."""
    untyped = storage.untyped() if isinstance(storage, TypedStorage) else storage
    return _finish(_view(untyped, dtype, storage_offset, size, stride), requires_grad, metadata)


def _rebuild_meta_tensor_no_storage(
    dtype: dtype, size: Sequence[int], stride: Sequence[int], requires_grad: bool
) -> Tensor:
    """A tensor on the meta device."""
    sizes, strides = _checked_integers(size, stride, 0)
    memory = np.empty(_reach(sizes, strides) * dtype.itemsize, np.uint8)  # never touched
    tensor = _view(UntypedStorage._of_memory(memory, META), dtype, 0, sizes, strides)
    return _finish(tensor, requires_grad, None)


def _rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: Any) -> Parameter:
    """A parameter over a tensor's memory."""
    if not isinstance(data, Tensor):
        raise TypeError(f"a parameter needs a tensor, got {type(data).__name__}")
    return Parameter(data, requires_grad)


def _rebuild_parameter_with_state(
    data: Tensor, requires_grad: bool, backward_hooks: Any, state: dict[str, Any]
) -> Parameter:
    """A parameter with attributes that the user set on it."""
    return _with_attributes(_rebuild_parameter(data, requires_grad, backward_hooks), state)


def _rebuild_from_type_v2(
    function: Any, new_type: type[Tensor], arguments: tuple, state: dict[str, Any]
) -> Tensor:
    """A tensor of a subclass, or with attributes that the user set on it.

    PyTorch keeps this function in `torch._tensor`.
    """
    if function not in _BUILDERS:
        raise TypeError(f"{function!r} does not rebuild tensors")
    if not (isinstance(new_type, type) and issubclass(new_type, Tensor)):
        raise TypeError(f"{new_type!r} is not a class of tensors")
    tensor = function(*arguments)
    if type(tensor) is not new_type:
        tensor = tensor.as_subclass(new_type)
    if "__setstate__" in vars(new_type):
        tensor.__setstate__(state)
        return tensor
    return _with_attributes(tensor, state)


_BUILDERS = (
    _rebuild_tensor_v2,
    _rebuild_tensor_v3,
    _rebuild_meta_tensor_no_storage,
    _rebuild_parameter,
    _rebuild_parameter_with_state,
)


def is_engine_attribute(name: str) -> bool:
    """Whether a tensor's attribute is the engine's: all others are the user's own."""
    return name == "_array" or hasattr(Tensor, name)


def _with_attributes(tensor: Any, state: dict[str, Any]) -> Any:
    slots: dict[str, Any] = {}
    if isinstance(state, tuple):
        state, slots = state
    for name, value in {**(state or {}), **(slots or {})}.items():
        if not isinstance(name, str) or is_engine_attribute(name):
            raise ValueError(f"a file cannot set the attribute {name!r} of a tensor")
        setattr(tensor, name, value)
    return tensor


def _view(
    storage: UntypedStorage, element: dtype, offset: int, size: Sequence[int], stride: Sequence[int]
) -> Tensor:
    sizes, strides = _checked_integers(size, stride, offset)
    length = storage.nbytes() // element.itemsize
    reach = offset + _reach(sizes, strides)
    if 0 not in sizes and reach > length:
        raise RuntimeError(
            f"a tensor of size {list(sizes)}, stride {list(strides)} and storage offset {offset} "
            f"needs {reach} elements, but its storage holds {length}: the file is corrupted"
        )
    steps = tuple(step * element.itemsize for step in strides)
    memory = storage._memory[: length * element.itemsize].view(element.numpy)
    tensor = wrap(np.lib.stride_tricks.as_strided(memory[offset:], sizes, steps))
    tensor._storage = storage._core
    return _on(storage.device, tensor)


def _reach(sizes: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """How many elements lie between a view's first and last element, both counted."""
    if 0 in sizes:
        return 0
    return 1 + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))


def _checked_integers(
    size: Sequence[int], stride: Sequence[int], offset: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sizes, strides = tuple(size), tuple(stride)
    numbers = (*sizes, *strides, offset)
    if len(sizes) != len(strides) or not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
        raise RuntimeError(
            f"size {list(sizes)}, stride {list(strides)} and storage offset {offset} do not "
            "describe a tensor: the file is corrupted"
        )
    return sizes, strides


def _on(where: device, tensor: Tensor) -> Tensor:
    if where is not CPU:
        tensor._device, tensor._plain = where, False
    return tensor


def _finish(tensor: Tensor, requires_grad: bool, metadata: Mapping[str, bool] | None) -> Tensor:
    flags = {name for name, value in (metadata or {}).items() if value}
    if not flags <= set(_META_FLAGS):
        raise NotImplementedError(f"a tensor's flags {sorted(flags)} are not known")
    if flags:
        tensor = _resolved(tensor, flags)
    if requires_grad:
        if tensor._array.dtype.kind not in "fcV":
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients"
            )
        mark_requires_grad(tensor)
    return tensor


def _resolved(tensor: Tensor, flags: set[str]) -> Tensor:
    """PyTorch may store a tensor before its conjugation or negation; here they are done at once."""
    array = tensor._array
    if array.size > tensor._storage.nbytes // array.itemsize:  # type: ignore[union-attr]
        raise RuntimeError("a conjugated tensor is larger than its storage: the file is corrupted")
    array = np.conj(array) if "conj" in flags else array
    return _on(tensor._device, wrap(-array if "neg" in flags else array))
