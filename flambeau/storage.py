"""Storages: the flat memory behind tensors, as PyTorch shows it.

A tensor is a view (offset, sizes, strides) into a storage, and tensors that share memory share one
storage. `UntypedStorage` is that memory as bytes; `TypedStorage` and the classes named after dtypes
(`FloatStorage` ...) are PyTorch's older faces of it, kept because checkpoints name them.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from ._engine.autograd.exposure import watch
from ._engine.autograd.tensor import Storage, Tensor, storage_of
from ._engine.base import defaults, dtypes, state
from ._engine.base.devices import CPU, META, device as Device, resolve
from ._engine.base.dtypes import dtype

__all__ = [
    "BFloat16Storage",
    "BoolStorage",
    "ByteStorage",
    "CharStorage",
    "ComplexDoubleStorage",
    "ComplexFloatStorage",
    "DoubleStorage",
    "FloatStorage",
    "HalfStorage",
    "IntStorage",
    "LongStorage",
    "ShortStorage",
    "TypedStorage",
    "UntypedStorage",
]

_faces: weakref.WeakValueDictionary[int, UntypedStorage] = weakref.WeakValueDictionary()


class UntypedStorage:
    """Memory as bytes.

    Args:
        size: number of bytes, or a sequence of byte values.
        device: "cpu", or "meta" for memory that is never touched.

    >>> flambeau.tensor([1, 2], dtype=flambeau.int16).untyped_storage().tolist()
    [1, 0, 2, 0]
    """

    _core: Storage
    device: Device

    def __init__(self, size: int | Sequence[int] = 0, *, device: Device | str | None = None):
        memory = (
            np.zeros(size, np.uint8) if isinstance(size, int) else np.asarray(list(size), np.uint8)
        )
        self._core, self.device = Storage(memory), resolve(device)

    @classmethod
    def from_file(
        cls, filename: str | os.PathLike, shared: bool = False, nbytes: int = 0
    ) -> UntypedStorage:
        """A storage over the first `nbytes` bytes of a file, read when they are first touched.

        Args:
            filename: the file.
            shared: writing reaches the file, which is made or made longer if need be.
            nbytes: how many bytes.
        """
        if not nbytes:
            return cls()
        if shared and (not os.path.exists(filename) or os.path.getsize(filename) < nbytes):
            with open(filename, "ab") as stream:
                stream.truncate(nbytes)
        mapped = np.memmap(filename, np.uint8, "r+" if shared else "c", shape=(nbytes,))
        return cls._of_memory(mapped.view(np.ndarray))

    @classmethod
    def _of_memory(cls, memory: np.ndarray, where: Device = CPU) -> UntypedStorage:
        """A storage over a one-dimensional uint8 array, without a copy."""
        return cls._of_core(Storage(memory), where)

    @classmethod
    def _of_core(cls, core: Storage, where: Device = CPU) -> UntypedStorage:
        """The one face of an engine storage: two tensors that share memory show the same object."""
        face = _faces.get(id(core))
        if face is None:
            face = cls.__new__(cls)
            face._core, face.device = core, where
            _faces[id(core)] = face
        return face

    @property
    def _memory(self) -> np.ndarray:
        return _as_bytes(self._core)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        watch(self._core, self)
        return self._readable().__array_interface__

    @property
    def _cdata(self) -> int:
        return id(self._core)

    def untyped(self) -> UntypedStorage:
        """This storage."""
        return self

    def nbytes(self) -> int:
        """Number of bytes."""
        return self._core.nbytes

    def size(self) -> int:
        """Number of bytes."""
        return self.nbytes()

    def __len__(self) -> int:
        return self.nbytes()

    def element_size(self) -> int:
        """1: the elements are bytes."""
        return 1

    def data_ptr(self) -> int:
        """The address of the first byte; 0 where there is no memory."""
        return 0 if self.device == META or not self.nbytes() else self._core.address

    def tolist(self) -> list[int]:
        """The bytes as numbers from 0 to 255."""
        return self._readable().tolist()

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        taken = self._readable()[index]
        return type(self)._of_memory(taken) if isinstance(index, slice) else int(taken)

    def __setitem__(self, index: Any, value: int) -> None:
        self._writable()[index] = value

    def fill_(self, value: int) -> UntypedStorage:
        """Set every byte to `value`."""
        self._writable()[:] = value
        return self

    def copy_(self, source: UntypedStorage, non_blocking: bool = False) -> UntypedStorage:
        """Copy the bytes of a storage of the same size into this one."""
        self._writable()[:] = source._readable()
        return self

    def clone(self) -> UntypedStorage:
        """A copy with memory of its own."""
        if self.device == META:
            return type(self)._of_memory(np.empty(self.nbytes(), np.uint8), META)
        return type(self)._of_memory(self._memory.copy())

    def cpu(self) -> UntypedStorage:
        """This storage, which is on the CPU already."""
        self._readable()
        return self

    def type(self) -> str:
        """The storage class's PyTorch name."""
        return "torch.storage.UntypedStorage"

    def get_device(self) -> int:
        """-1: the CPU."""
        return -1

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    def _writable(self) -> np.ndarray:
        state.settle()  # nobody has been told that this memory changes
        return self._readable()

    def _readable(self) -> np.ndarray:
        if self.device == META:
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        return self._memory

    def __deepcopy__(self, memo: dict[int, Any]) -> UntypedStorage:
        # by the engine's storage, so that aliases stay aliases in the copy
        copies = memo.setdefault("flambeau storages", {})  # type: ignore[call-overload]
        if self._cdata not in copies:
            copies[self._cdata] = (self.clone(), self._core)
        return copies[self._cdata][0]

    def __reduce__(self) -> tuple:
        return (_storage_from_bytes, (self._readable().tobytes(),))

    def __repr__(self) -> str:
        return f"[torch.storage.UntypedStorage(device={self.device}) of size {len(self)}]"


def _as_bytes(core: Storage) -> np.ndarray:
    """All the memory of an engine storage as a one-dimensional uint8 array, without a copy."""
    array = core.array
    if array.flags.c_contiguous:
        return array.reshape(-1).view(np.uint8)
    if array.flags.f_contiguous:
        return array.T.reshape(-1).view(np.uint8)
    corner = tuple(slice(-1, None) if step < 0 else slice(0, 1) for step in array.strides)
    first = array[corner].reshape(1).view(np.uint8)
    return np.lib.stride_tricks.as_strided(first, (core.nbytes,), (1,))


def _storage_from_bytes(data: bytes) -> UntypedStorage:
    return UntypedStorage._of_memory(np.frombuffer(bytearray(data), np.uint8))


def _load_from_bytes(data: bytes) -> Any:
    """A storage from a plain pickle that PyTorch wrote: the bytes are a file of `torch.save`."""
    from .serialization import load

    return load(BytesIO(data), weights_only=False)


class TypedStorage:
    """A storage seen as elements of one dtype.

    Args:
        size: number of elements, or a sequence of them.
        dtype: the elements' type; the default dtype if None.
        wrap_storage: the memory to show, instead of new memory.
    """

    def __init__(
        self,
        size: int | Sequence[Any] = 0,
        *,
        dtype: dtype | None = None,
        device: Device | str | None = None,
        wrap_storage: UntypedStorage | None = None,
    ):
        self.dtype = dtype or defaults.get_default_dtype()
        if wrap_storage is None:
            numpy = self.dtype.numpy
            elements = np.zeros(size, numpy) if isinstance(size, int) else np.array(size, numpy)
            wrap_storage = UntypedStorage._of_memory(elements.view(np.uint8), resolve(device))
        self._untyped_storage = wrap_storage

    def _writable(self) -> np.ndarray:
        state.settle()
        return self._elements

    @property
    def _elements(self) -> np.ndarray:
        memory = self._untyped_storage._readable()
        itemsize = self.dtype.itemsize
        return memory[: len(memory) // itemsize * itemsize].view(self.dtype.numpy)

    @property
    def device(self) -> Device:
        """Where the memory is."""
        return self._untyped_storage.device

    def untyped(self) -> UntypedStorage:
        """The memory as bytes."""
        return self._untyped_storage

    def nbytes(self) -> int:
        """Number of bytes."""
        return self._untyped_storage.nbytes()

    def size(self) -> int:
        """Number of elements."""
        return self.nbytes() // self.dtype.itemsize

    def __len__(self) -> int:
        return self.size()

    def element_size(self) -> int:
        """Bytes an element."""
        return self.dtype.itemsize

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._untyped_storage.data_ptr()

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        return self._elements.tolist()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __getitem__(self, index: int) -> Any:
        if not isinstance(index, int):
            raise TypeError(f"can't index a TypedStorage with {type(index).__name__}")
        return self._elements[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._writable()[index] = value

    def fill_(self, value: Any) -> TypedStorage:
        """Set every element to `value`."""
        self._writable()[:] = value
        return self

    def clone(self) -> TypedStorage:
        """A copy with memory of its own."""
        return TypedStorage(wrap_storage=self._untyped_storage.clone(), dtype=self.dtype)

    def type(self) -> str:
        """The PyTorch name of the class for this dtype, e.g. "torch.FloatStorage"."""
        return f"torch.{legacy_class(self.dtype).__name__}"

    def pickle_storage_type(self) -> str:
        """The name of the class for this dtype, e.g. "FloatStorage"."""
        return legacy_class(self.dtype).__name__

    def __deepcopy__(self, memo: dict[int, Any]) -> TypedStorage:
        untyped = self._untyped_storage.__deepcopy__(memo)
        return TypedStorage(wrap_storage=untyped, dtype=self.dtype)

    def __reduce__(self) -> tuple:
        return (_typed_storage, (self._untyped_storage, self.dtype))

    def __repr__(self) -> str:
        elements = "".join(f" {value}\n" for value in self.tolist())
        return (
            f"{elements}[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) "
            f"of size {len(self)}]"
        )


def _typed_storage(untyped: UntypedStorage, element: dtype) -> TypedStorage:
    return TypedStorage(wrap_storage=untyped, dtype=element)


class _LegacyKind(type):
    """The type of `FloatStorage` and its siblings: a typed storage of that dtype is an instance."""

    dtype: dtype

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype

    def __call__(cls, size: int | Sequence[Any] = 0, **settings: Any) -> TypedStorage:
        return TypedStorage(size, dtype=cls.dtype, **settings)


def _declare(element: dtype) -> _LegacyKind:
    """The class that PyTorch names after a dtype. uint16 and its like have none."""
    doc = f"A `TypedStorage` of {element}."
    home = __name__.rpartition(".")[0]
    body = {"dtype": element, "__module__": home, "__doc__": doc}
    _LEGACY[element] = kind = _LegacyKind(f"{element.word}Storage", (), body)
    return kind


_LEGACY: dict[dtype, _LegacyKind] = {}


BoolStorage = _declare(dtypes.bool_)
ByteStorage = _declare(dtypes.uint8)
CharStorage = _declare(dtypes.int8)
ShortStorage = _declare(dtypes.int16)
IntStorage = _declare(dtypes.int32)
LongStorage = _declare(dtypes.int64)
HalfStorage = _declare(dtypes.float16)
BFloat16Storage = _declare(dtypes.bfloat16)
FloatStorage = _declare(dtypes.float32)
DoubleStorage = _declare(dtypes.float64)
ComplexFloatStorage = _declare(dtypes.complex64)
ComplexDoubleStorage = _declare(dtypes.complex128)


def legacy_class(element: dtype) -> _LegacyKind:
    """`FloatStorage` for float32, and so on.

    Raises:
        KeyError: PyTorch has no storage class for this dtype.
    """
    return _LEGACY[element]


def is_legacy_class(kind: Any) -> bool:
    """Whether `kind` is `FloatStorage` or one of its siblings."""
    return isinstance(kind, _LegacyKind)


def has_legacy_class(element: dtype) -> bool:
    """Whether PyTorch has a storage class named after this dtype."""
    return element in _LEGACY


def untyped_storage_of(t: Tensor) -> UntypedStorage:
    """The memory that a tensor is a view of."""
    return UntypedStorage._of_core(storage_of(t).core, t._device)
