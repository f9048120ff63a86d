"""Parameters and buffers: the tensors that make up a module's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau._engine.autograd.tensor import Tensor, mark_requires_grad, new, storage_of, wrap
from flambeau._engine.base import dtypes
from flambeau._engine.base.defaults import get_default_dtype
from flambeau._engine.base.devices import device as Device

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]

_UNKNOWN_SHAPE = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens "
    "in `load_state_dict` when trying to load an uninitialized parameter into an initialized one. "
    "Call `forward` to initialize the parameters before accessing their attributes."
)


def _no_data() -> Tensor:
    return wrap(np.empty(0, get_default_dtype().numpy))


def _sharing(cls: type, data: Tensor, requires_grad: bool) -> Any:
    """A leaf of class ``cls`` over the memory of ``data``."""
    if requires_grad and data._array.dtype.kind in "biu":
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    leaf: Any = new(cls)
    leaf._array = data._array
    leaf._storage = storage_of(data)
    leaf._device = data._device
    mark_requires_grad(leaf, requires_grad)
    return leaf


class _ParameterMeta(type):
    """Tensors of user-made subclasses are parameters by a mark, so that they keep their class."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return (
            cls is Parameter
            and isinstance(instance, Tensor)
            and getattr(instance, "_is_param", False)
        )


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that a module trains: assigned to a module attribute, it registers itself.

    Args:
        data: the initial values; the memory is shared.
        requires_grad: whether backward computes its gradient. Unlike other leaves, also under
            ``no_grad``.

    >>> nn.Parameter(torch.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = _no_data()
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter(): argument 'data' must be Tensor, not {type(data).__name__}"
            )
        if type(data) in (Tensor, Parameter, cls):
            return _sharing(cls, data, requires_grad)
        leaf = _sharing(type(data), data, requires_grad)
        leaf._is_param = True
        return leaf

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything is done in ``__new__``."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, protocol: Any) -> tuple:
        from flambeau._tensor.pickling import reduce_parameter

        return reduce_parameter(self)


class _BufferMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return (
            cls is Buffer
            and isinstance(instance, Tensor)
            and getattr(instance, "_is_buffer", False)
        )


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that registers itself as a buffer when assigned to a module attribute.

    Args:
        data: the values.
        persistent: whether ``state_dict`` contains it.
    """

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        source = _no_data() if data is None else data
        buffer = source.detach().requires_grad_(source.requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer


class UninitializedTensorMixin:
    """A tensor whose shape is not known yet.

    It has a dtype and a device (those of an empty placeholder); computing with it is an error
    until ``materialize`` gives it a shape.
    """

    cls_to_become: type

    @classmethod
    def _hollow(cls, requires_grad: bool, device: Any, dtype: dtypes.dtype | None) -> Any:
        from flambeau._ops.creation import empty

        hollow: Any = new(cls)
        hollow._placeholder = empty(0, device=device, dtype=dtype)
        mark_requires_grad(hollow, requires_grad)
        return hollow

    def materialize(
        self,
        shape: Sequence[int],
        device: Device | str | None = None,
        dtype: dtypes.dtype | None = None,
    ) -> None:
        """Become an ordinary tensor of ``shape``; the values are undefined."""
        from flambeau._ops.creation import empty

        before = self._placeholder
        data = empty(tuple(shape), device=device or before.device, dtype=dtype or before.dtype)
        grown: Any = self
        grown.__class__ = self.cls_to_become
        del grown._placeholder
        grown._array, grown._storage, grown._device = data._array, storage_of(data), data._device
        mark_requires_grad(grown, grown._requires_grad)

    def _refuse(self) -> Any:
        raise ValueError(
            "Attempted to use an uninitialized parameter. This error happens when you are using a "
            "`LazyModule` or explicitly manipulating "
            "`torch.nn.parameter.UninitializedParameter` objects. When using LazyModules Call "
            "`forward` with a dummy batch to initialize the parameters before calling torch "
            "functions"
        )

    _array: Any = property(_refuse)

    @property
    def shape(self) -> Any:
        raise RuntimeError(_UNKNOWN_SHAPE)

    @property
    def dtype(self) -> dtypes.dtype:
        return self._placeholder.dtype

    @property
    def device(self) -> Device:
        return self._placeholder.device

    @property
    def is_meta(self) -> bool:
        return self._placeholder.is_meta

    @property
    def data(self) -> Tensor:
        return self._placeholder

    @data.setter
    def data(self, converted: Tensor) -> None:
        self._placeholder = converted

    def is_floating_point(self) -> bool:
        return self._placeholder.is_floating_point()

    def is_complex(self) -> bool:
        return self._placeholder.is_complex()

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._placeholder.to(*args, **kwargs)

    def copy_(self, source: Tensor, non_blocking: bool = False) -> Any:
        """Between two uninitialized tensors there is nothing to copy."""
        if not is_lazy(source):
            raise ValueError("an uninitialized tensor cannot be copied into: materialize it first")
        return self

    def share_memory_(self) -> Any:
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = _rebuild_hollow(*self.__reduce_ex__(2)[1])
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        arguments = (type(self), self._requires_grad, self.device, self.dtype)
        return _rebuild_hollow, arguments


def _rebuild_hollow(cls: Any, requires_grad: bool, device: Device, dtype: dtypes.dtype) -> Any:
    return cls._hollow(requires_grad, device, dtype)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape a lazy module finds out at its first call."""

    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: dtypes.dtype | None = None
    ) -> UninitializedParameter:
        return cls._hollow(requires_grad, device, dtype)


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape a lazy module finds out at its first call."""

    cls_to_become = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: dtypes.dtype | None = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        hollow = cls._hollow(requires_grad, device, dtype)
        hollow.persistent = persistent
        hollow._is_buffer = True
        return hollow

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything is done in ``__new__``."""


def is_lazy(param: Any) -> bool:
    """Whether ``param`` still waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)
