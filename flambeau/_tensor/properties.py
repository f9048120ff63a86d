"""What a tensor says of itself: shape, strides, dtype, device, storage."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor, storage_of
from .._engine.base import dtypes, formats
from .._engine.base.devices import CPU, device
from .._engine.base.dtypes import dtype
from .._engine.base.shapes import wrap_dim
from .._ops import shaping, strided
from .._ops.declare import event, method
from .size import Size


def _readable(name: str, doc: str, get: Any) -> None:
    setattr(Tensor, name, property(get, doc=doc))


_readable("shape", "The sizes.", lambda self: Size(self._array.shape))
_readable("ndim", "The number of dimensions.", lambda self: self._array.ndim)
_readable("dtype", "The type of the elements.", lambda self: dtypes.from_numpy(self._array.dtype))
_readable("device", "Where the data lives.", lambda self: self._device)
_readable("itemsize", "Bytes an element.", lambda self: self._array.itemsize)
_readable("nbytes", "Bytes of all elements.", lambda self: self._array.nbytes)
_readable("is_cpu", "Whether on the CPU.", lambda self: self._device is CPU)
_readable("is_cuda", "Whether on a CUDA device.", lambda self: self._device.type == "cuda")
_readable("is_meta", "Whether without data.", lambda self: self._device.type == "meta")
_readable("_version", "In-place writes seen.", lambda self: storage_of(self).version)
for _name in ("is_sparse", "is_quantized", "is_nested", "is_mkldnn", "is_mps", "is_xpu", "is_xla"):
    _readable(_name, "Always False: flambeau's tensors are dense.", lambda self: False)
_readable("names", "No dimension is named.", lambda self: (None,) * self._array.ndim)


def _reversed(self: Tensor) -> Tensor:
    return P.permute(self, dims=tuple(reversed(range(self._array.ndim))))


def _matrix_turned(name: str, turn: Any, exactly_two: bool = False) -> Any:
    """A property of matrices; 0-dim tensors are their own."""

    def get(self: Tensor) -> Tensor:
        ndim = self._array.ndim
        if exactly_two and ndim not in (0, 2):
            raise RuntimeError(
                f"tensor.{name} is only supported on matrices (2-D tensors). Got {ndim}-D tensor."
                + (f" For batches of matrices, consider using tensor.m{name}" if ndim > 2 else "")
            )
        if ndim == 1:
            raise RuntimeError(
                f"tensor.{name} is only supported on matrices or batches of matrices. Got 1-D "
                "tensor."
            )
        return turn(self) if ndim else self

    return get


def _set_part(name: str) -> Any:
    def write(self: Tensor, value: Any) -> None:
        part = getattr(self, name)
        part.copy_(value) if isinstance(value, Tensor) else part.fill_(value)

    return write


def _transposed(self: Tensor) -> Tensor:
    return shaping.transpose(self, -2, -1)


_TURNS = {
    "T": ("Dimensions reversed: a view.", _reversed),
    "mT": ("The last two dimensions exchanged: a view.", _matrix_turned("mT", _transposed)),
    "H": ("A matrix transposed and conjugated.", _matrix_turned("H", shaping.adjoint, True)),
    "mH": ("`mT`, conjugated.", _matrix_turned("mH", shaping.adjoint)),
}
for _name, (_doc, _turn) in _TURNS.items():
    _readable(_name, _doc, event(_name)(_turn))
Tensor.real = property(strided.real, _set_part("real"))  # type: ignore[attr-defined]
Tensor.imag = property(strided.imag, _set_part("imag"))  # type: ignore[attr-defined]
_readable("layout", "How the elements are stored: always strided.", lambda self: formats.strided)


@method()
def size(self: Tensor, dim: int | None = None) -> Any:
    """The sizes, or one of them."""
    if dim is None:
        return Size(self._array.shape)
    if self._array.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return self._array.shape[wrap_dim(dim, self._array.ndim)]


@method()
def stride(self: Tensor, dim: int | None = None) -> Any:
    """The strides in elements, or one of them."""
    strides = strided.strides_of(self._array)
    return strides if dim is None else strides[wrap_dim(dim, self._array.ndim)]


method("storage_offset")(strided.offset_of)


@method()
def data_ptr(self: Tensor) -> int:
    """The address of the first element."""
    return 0 if self._device is not CPU else self._array.__array_interface__["data"][0]


for _public in ("dim", "ndimension"):
    method(_public)(lambda self: self._array.ndim)
for _public in ("numel", "nelement"):
    method(_public)(lambda self: self._array.size)
method("element_size")(lambda self: self._array.itemsize)
method("get_device")(lambda self: -1 if self._device.index is None else self._device.index)
method("is_floating_point")(lambda self: self.dtype.is_floating_point)
method("is_complex")(lambda self: self._array.dtype.kind == "c")
method("is_signed")(lambda self: self.dtype.is_signed)
method("is_conj")(lambda self: False)
method("is_neg")(lambda self: False)
method("is_pinned")(lambda self, device=None: False)
method("is_inference")(lambda self: self._inference)
method("pin_memory")(lambda self, device=None: self)
method("is_coalesced")(lambda self: False)


@method()
def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in row-major (or the given) order without gaps."""
    order = (
        formats.channels_last_order(memory_format, self._array.shape)
        if (self._array.ndim in (4, 5) or memory_format is None)
        else None
    )
    if order is None:
        return self._array.flags.c_contiguous
    return shaping.in_order(self, order)


@method()
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both are the same view of the same memory."""
    same = self._array.__array_interface__["data"] == tensor._array.__array_interface__["data"]
    return (
        same
        and self._array.shape == tensor._array.shape
        and (self._array.strides == tensor._array.strides)
    )


@method()
def __len__(self: Tensor) -> int:
    if self._array.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return self._array.shape[0]


__all__ = ["Size", "device", "dtype"]
