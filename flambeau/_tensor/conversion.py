"""Leaving and changing representation: numbers, NumPy, dtypes, devices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.exposure import give_out
from .._engine.autograd.inplace import write_
from .._engine.autograd.meta import empty_array
from .._engine.autograd.tensor import Tensor, wrap
from .._engine.base import devices, dtypes, state
from .._engine.base.devices import CPU, device
from .._engine.base.dtypes import dtype
from .._ops.declare import event, method, op
from .._ops.promote import as_dtype, dtype_of, number_tensor

type_of = type  # `type` is also a method, below


def _check_data(self: Tensor, what: str) -> None:
    if self._device is not CPU:
        raise RuntimeError(f"{what}: a tensor on device '{self._device}' has no data here")


@method()
def item(self: Tensor) -> Any:
    """The one element, as a Python number. Raises RuntimeError for other sizes."""
    array = self._array
    if array.size != 1:
        raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
    _check_data(self, "Tensor.item()")
    if state.tracer is not None:
        state.tracer.was_read()
    return float(array.reshape(())) if array.dtype.kind == "V" else array.item()


@method()
def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers."""
    _check_data(self, "Tensor.tolist()")
    array = self._array
    if state.tracer is not None:
        state.tracer.was_read()
    return (array.astype(np.float32) if array.dtype.kind == "V" else array).tolist()


@method()
def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """A NumPy array over the same memory.

    Raises:
        RuntimeError: the tensor requires grad (use `detach()`), unless forced.
        TypeError: NumPy has no such dtype (bfloat16), or there is no data.
    """
    if self.requires_grad and not force:  # type: ignore[attr-defined]
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    if self._array.dtype.kind == "V":
        raise TypeError("Got unsupported ScalarType BFloat16")
    if self._device is not CPU:
        raise TypeError(
            f"can't convert {self._device} device type tensor to numpy. Use Tensor.cpu() to copy "
            "the tensor to host memory first."
        )
    return give_out(self)


@method()
def __array__(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    array = self.numpy()  # type: ignore[attr-defined]
    return array if dtype is None and not copy else np.array(array, dtype, copy=copy)


def _parse_to(args: tuple, kwargs: dict[str, Any]) -> tuple[device | None, dtype | None, bool]:
    """The device, the dtype and the copy flag of a call of `to`."""
    where, d = kwargs.pop("device", None), kwargs.pop("dtype", None)
    copy = kwargs.pop("copy", False)
    for known in ("non_blocking", "memory_format"):
        kwargs.pop(known, None)
    other = kwargs.pop("other", None)
    if kwargs:
        raise TypeError(f"to() received unexpected arguments: {', '.join(kwargs)}")
    rest = list(args)
    if rest and (isinstance(rest[0], Tensor) or other is not None):
        model = rest.pop(0) if other is None else other
        where, d = model._device, dtypes.from_numpy(model._array.dtype)
    elif rest and isinstance(rest[0], dtype):
        d = rest.pop(0)
    elif rest and (rest[0] is None or isinstance(rest[0], (str, int, device))):
        where = rest.pop(0)
        if rest and (rest[0] is None or isinstance(rest[0], dtype)):
            d = rest.pop(0)
    elif rest:
        raise TypeError(
            "to() received an invalid combination of arguments - got "
            f"({', '.join(type_of(x).__name__ for x in args)})"
        )
    if len(rest) > 1:
        copy = rest[1]
    return (None if where is None else devices.resolve(where)), d, copy


@method()
def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor with another dtype, on another device, or as another tensor has them.

    Itself where nothing changes, unless `copy=True`.

    Raises:
        RuntimeError: the device is not there.
    """
    # loops say `batch.to(device)` at every step: where nothing happens there is nothing to note
    if len(args) == 1 and not kwargs and type_of(self) is Tensor:
        asked = args[0]
        if asked.__class__ is device and devices.resolve(asked) is self._device:
            return self
        if asked.__class__ is dtype and asked.numpy == self._array.dtype:
            return self
    return _converted(self, *args, **kwargs)


@op(name="to")
def _converted(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """See `to`."""
    where, d, copy = _parse_to(args, kwargs)
    if where is not None and where is not input._device:
        return _moved(input, where, d)
    if d is not None and input._array.dtype != d.numpy:
        return P.convert(input, dtype=d.numpy)
    return P.copy(input, order="K") if copy else input


def _moved(t: Tensor, where: device, d: dtype | None) -> Tensor:
    if where is CPU:
        raise NotImplementedError(
            "Cannot copy out of meta tensor; no data! Please use "
            "torch.nn.Module.to_empty() instead of torch.nn.Module.to() "
            "when moving module from meta to a different device."
        )
    out = wrap(empty_array(t._array.shape, t._array.dtype if d is None else d.numpy))
    out._device, out._plain = where, False
    return out


@method()
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor on the CPU."""
    return self.to(CPU)  # type: ignore[attr-defined]


@method()
def cuda(
    self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None
) -> Tensor:
    """The tensor on a CUDA device. Raises RuntimeError when there is none."""
    return self.to(devices.resolve("cuda" if device is None else device))  # type: ignore


def _caster(d: dtype) -> Any:
    def cast(self: Tensor, memory_format: Any = None) -> Tensor:
        return self.to(d)  # type: ignore[attr-defined]

    cast.__doc__ = f"The tensor converted to {d}."
    return cast


for _name, _dtype in {
    "bool": dtypes.bool_, "byte": dtypes.uint8, "char": dtypes.int8, "short": dtypes.int16,
    "int": dtypes.int32, "long": dtypes.int64, "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16, "float": dtypes.float32, "double": dtypes.float64,
    "cfloat": dtypes.complex64, "cdouble": dtypes.complex128,
}.items():  # fmt: skip
    setattr(Tensor, _name, _caster(_dtype))


@method()
def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The tensor converted to a type; without one, the name of its own, "torch.FloatTensor"."""
    own = dtypes.from_numpy(self._array.dtype)
    if dtype is None:
        return f"torch.{own.word}Tensor"
    if isinstance(dtype, str):
        word = dtype.removeprefix("torch.").removesuffix("Tensor")
        found = next((d for d in dtypes.ALL if d.word == word), None)
        if found is None:
            raise ValueError(f"invalid type: '{dtype}'")
        dtype = found
    return as_dtype(self, dtype)


@method()
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor with the dtype and device of another."""
    return self.to(other)  # type: ignore[attr-defined]


@method()
@event("copy_")
def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Write the elements of `src`, broadcast and converted, into this tensor."""
    if isinstance(src, (bool, int, float, complex)):
        src = wrap(np.asarray(src))
    if not isinstance(src, Tensor):
        raise TypeError(
            f"copy_(): argument 'other' (position 1) must be Tensor, not {src.__class__.__name__}"
        )
    return write_(self, src, checked=True)


@method()
@event("fill_")
def fill_(self: Tensor, value: Any) -> Tensor:
    """Write one value into every element."""
    return write_(self, _scalar_for(self, value), op="fill_", checked=True)


@method()
@event("zero_")
def zero_(self: Tensor) -> Tensor:
    """Write zero into every element."""
    return write_(self, _scalar_for(self, 0), op="zero_")


def _scalar_for(self: Tensor, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value._array.ndim} dimensions."
            )
        return value
    return number_tensor(value, dtype_of(self))
