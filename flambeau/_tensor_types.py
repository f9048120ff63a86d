"""PyTorch's old names of tensors by type, `torch.FloatTensor` and its like."""

from __future__ import annotations

from typing import Any

from ._engine.autograd.tensor import Tensor
from ._engine.base import dtypes
from ._ops.creation import empty, tensor
from .storage import TypedStorage, UntypedStorage

__all__ = ["is_storage", "typename"]


class _TensorType(type):
    """A type that makes tensors of one dtype, and whose instances are all tensors of that dtype."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance._array.dtype == cls.dtype.numpy

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        """From data, `FloatTensor([1, 2])`, or of a size, `FloatTensor(2, 3)`."""
        if len(data) == 1 and not isinstance(data[0], int):
            source = data[0].tolist() if isinstance(data[0], Tensor) else data[0]  # type: ignore
            return tensor(source, dtype=cls.dtype, device=device)
        return empty(*data, dtype=cls.dtype, device=device) if data else empty(0, dtype=cls.dtype)


for _dtype in dtypes.ALL:
    if (
        _dtype.category < dtypes.COMPLEX
        and not _dtype.name.startswith("uint")
        or (_dtype is dtypes.uint8)
    ):
        _name = f"{_dtype.word}Tensor"
        globals()[_name] = _TensorType(
            _name, (), {"dtype": _dtype, "__module__": "torch", "__doc__": f"{_dtype} tensors."}
        )
        __all__.append(_name)


def typename(obj: Any, /) -> str:
    """The full name of an object's type; "torch.FloatTensor" for tensors."""
    if isinstance(obj, Tensor):
        return obj.type()  # type: ignore[attr-defined]
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", None) or ""
    return kind.__qualname__ if module in ("", "builtins") else f"{module}.{kind.__qualname__}"


def is_storage(obj: Any, /) -> bool:
    """Whether an object is a storage."""
    return isinstance(obj, (TypedStorage, UntypedStorage))
