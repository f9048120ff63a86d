"""Exchanging memory with other libraries: DLPack, buffers, and anything array-like."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.autograd.exposure import give_out, take_in
from .._engine.autograd.tensor import Tensor, mark_requires_grad, wrap
from .._engine.base import devices, dtypes
from .._engine.base.devices import CPU
from .._engine.base.dtypes import dtype
from .._ops.arguments import as_dtype_argument
from .._ops.creation import as_tensor, from_numpy, tensor
from .._ops.declare import method

__all__ = ["asarray", "from_dlpack", "frombuffer", "to_dlpack"]

_CPU_CODE = 1  # kDLCPU
_UINT, _BFLOAT = 1, 4  # kDLUInt, kDLBfloat


class _DLTensor(ctypes.Structure):
    """The head of a DLPack tensor, as its C header lays it out."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
    )


_name_of: Callable[..., Any] = ctypes.pythonapi.PyCapsule_GetName
_name_of.restype, _name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]  # type: ignore
_pointer_of: Callable[..., Any] = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = (  # type: ignore[attr-defined]
    ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p],
)  # fmt: skip
# Before the tensor, DLPack 1.0's struct has a version (two uint32), a pointer, a deleter and flags
_VERSIONED_HEAD = 32


def _head(capsule: Any) -> _DLTensor:
    """The tensor description inside a capsule that nobody has consumed yet."""
    name = _name_of(capsule)
    start = _VERSIONED_HEAD if name == b"dltensor_versioned" else 0
    return _DLTensor.from_address(_pointer_of(capsule, name) + start)


@method()
def __dlpack__(self: Tensor, **options: Any) -> Any:
    """A DLPack capsule over the same memory.

    Raises:
        BufferError: the tensor requires grad, is conjugated, or has no data.
    """
    if self._requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if self._device is not CPU:
        raise BufferError(f"a tensor on device '{self._device}' has no data to export")
    options = {k: v for k, v in options.items() if v is not None and k != "stream"}
    half = self._array.dtype.kind == "V"
    capsule = give_out(self, np.uint16 if half else None).__dlpack__(**options)
    if half:
        _head(capsule).code = _BFLOAT
    return capsule


@method()
def __dlpack_device__(self: Tensor) -> tuple[int, int]:
    """(1, 0): the CPU."""
    if self._device is not CPU:
        raise BufferError(f"a tensor on device '{self._device}' has no data to export")
    return (_CPU_CODE, 0)


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule over the tensor's memory; it can be consumed once."""
    return tensor.__dlpack__()  # type: ignore[attr-defined]


class _Memory:
    """An array's memory, for NumPy to wrap anew; keeps the array alive."""

    def __init__(self, array: np.ndarray):
        self.array = array
        self.__array_interface__ = {
            **array.__array_interface__,
            "data": (array.__array_interface__["data"][0], False),
            "strides": array.strides,
        }


class _Producer:
    """A capsule, as an object that NumPy can take it from."""

    def __init__(self, capsule: Any):
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        head = _head(self.capsule)
        return (head.device_type, head.device_id)


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of a DLPack object or capsule.

    Raises:
        BufferError: the memory is not on the CPU, or its dtype has no counterpart.
    """
    if hasattr(ext_tensor, "__dlpack__"):
        where = ext_tensor.__dlpack_device__()[0]
        if int(where) != _CPU_CODE:
            raise BufferError(
                f"from_dlpack: the memory is on DLPack device {int(where)}; flambeau reads memory "
                "of the CPU only"
            )
        ext_tensor = _capsule_of(ext_tensor)
    head = _head(ext_tensor)
    half = head.code == _BFLOAT and head.bits == 16
    if half:
        head.code = _UINT
    says_read_only = _name_of(ext_tensor) == b"dltensor_versioned"
    array = np.from_dlpack(_Producer(ext_tensor))  # type: ignore[arg-type]
    if not array.flags.writeable and not says_read_only:
        array = np.asarray(_Memory(array))  # NumPy assumes the worst of old capsules
    if half:
        array = array.view(dtypes.bfloat16.numpy)
    dtypes.from_numpy(array.dtype)
    made = take_in(array)
    return made.clone() if copy else made  # type: ignore[attr-defined]


def _capsule_of(producer: Any) -> Any:
    """The producer's capsule, of DLPack 1.0 where it can: that one says what is read-only."""
    try:
        return producer.__dlpack__(max_version=(1, 0))
    except TypeError:
        return producer.__dlpack__()


def frombuffer(
    buffer: Any,
    *,
    dtype: dtype,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """A one-dimensional tensor over the memory of a buffer (bytes, bytearray, mmap ...).

    Args:
        count: how many elements; all that fit by default.
        offset: bytes to skip.

    Raises:
        ValueError: the buffer is empty or too small, or its size is no multiple of an element's.

    >>> flambeau.frombuffer(bytearray(b"abc"), dtype=flambeau.uint8)
    tensor([97, 98, 99], dtype=torch.uint8)
    """
    try:
        memory = np.frombuffer(buffer, np.uint8) if memoryview(buffer).nbytes else None
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    length = 0 if memory is None else memory.size
    if not length or not count:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({length} bytes) minus 1"
        )
    rest = length - offset
    if count < 0:
        if rest % dtype.itemsize:
            raise ValueError(
                f"buffer length ({rest} bytes) after offset ({offset} bytes) must be a multiple of "
                f"element size ({dtype.itemsize})"
            )
        count = rest // dtype.itemsize
    if count * dtype.itemsize > rest:
        raise ValueError(
            f"requested buffer length ({count} * {dtype.itemsize} bytes) after offset ({offset} "
            f"bytes) must not be greater than actual buffer length ({length} bytes)"
        )
    assert memory is not None
    made = take_in(memory[offset : offset + count * dtype.itemsize].view(dtype.numpy))
    if requires_grad:
        mark_requires_grad(made)
    return made


def asarray(
    obj: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor over `obj` where its memory can be shared, of a copy otherwise.

    Args:
        obj: a tensor, an array, a DLPack or buffer object, a number, or nested sequences.
        copy: True always copies; False raises where that is needed.

    Raises:
        ValueError: `copy=False` and a copy is needed.
    """
    d = as_dtype_argument("asarray", dtype)
    shared = _shared(obj, d)
    if shared is None:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        made = tensor(obj, dtype=d, device=device)
    else:
        where = shared._device if device is None else devices.resolve(device)
        made = as_tensor(shared, dtype=d, device=where)
        if made is not shared and copy is False:
            raise ValueError(f"can't alias tensor with dtype '{shared.dtype}' into dtype '{d}'.")  # type: ignore[attr-defined]
        if copy and made is shared:
            made = made.clone()  # type: ignore[attr-defined]
        if isinstance(obj, Tensor) and obj._requires_grad and not requires_grad:
            made = made.detach()  # type: ignore[attr-defined]
    if requires_grad and not made._requires_grad:
        mark_requires_grad(made)
    return made


def _shared(obj: Any, d: dtype | None) -> Tensor | None:
    if isinstance(obj, Tensor):
        return obj
    if isinstance(obj, np.ndarray):
        return from_numpy(obj)
    if isinstance(obj, np.generic):
        return None
    if hasattr(obj, "__array_interface__"):  # a storage, or another library's array
        return from_numpy(np.asarray(obj))
    if hasattr(obj, "__dlpack__"):
        return from_dlpack(obj)
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return frombuffer(obj, dtype=d or dtypes.by_name("float32"))
    return None


@method()
def __array_wrap__(
    self: Tensor, array: np.ndarray, context: Any = None, return_scalar: bool = False
) -> Tensor:
    """What NumPy's functions on a tensor give: a tensor again."""
    return wrap(np.asarray(array))
