"""Tensors in the safetensors format, through the `safetensors` library (an extra).

Under `flambeau run` and `install_as_torch`, `safetensors.torch` itself works on flambeau's tensors;
these functions need neither.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._engine.autograd.tensor import Tensor, wrap
from .._engine.base import dtypes
from .._serialization.atomic_file import replacing

__all__ = ["load", "load_file", "save", "save_file"]

_DTYPES = {
    "BOOL": dtypes.bool_,
    "U8": dtypes.uint8,
    "I8": dtypes.int8,
    "I16": dtypes.int16,
    "I32": dtypes.int32,
    "I64": dtypes.int64,
    "U16": dtypes.uint16,
    "U32": dtypes.uint32,
    "U64": dtypes.uint64,
    "F16": dtypes.float16,
    "BF16": dtypes.bfloat16,
    "F32": dtypes.float32,
    "F64": dtypes.float64,
    "C64": dtypes.complex64,
}


def save(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The tensors as the bytes of a safetensors file.

    Args:
        tensors: name -> contiguous tensor; no two may share memory, the format has no word for it.
        metadata: text for the file's header.

    Raises:
        ValueError: a tensor is not contiguous.
        RuntimeError: tensors share memory.
        ImportError: the library is not installed.

    >>> load(save({"weight": flambeau.ones(2)}))
    {'weight': tensor([1., 1.])}
    """
    owners: dict[int, str] = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(
                f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}"
            )
        if not tensor.is_contiguous():
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}`. Call .contiguous() on "
                "it before saving."
            )
        address = tensor.untyped_storage().data_ptr()
        if address and address in owners:
            raise RuntimeError(
                f"the tensors `{owners[address]}` and `{name}` share memory, which safetensors "
                "cannot express: clone one of them, or use flambeau.save"
            )
        owners[address] = name
    arrays = {name: tensor._array for name, tensor in tensors.items()}
    return _library("safetensors.numpy").save(arrays, metadata)


def save_file(
    tensors: Mapping[str, Tensor],
    filename: str | os.PathLike,
    metadata: dict[str, str] | None = None,
) -> None:
    """Write a safetensors file, whole or not at all. Arguments and errors as for `save`."""
    data = save(tensors, metadata)
    with replacing(filename) as stream:
        stream.write(data)


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors in the bytes of a safetensors file.

    Raises:
        safetensors.SafetensorError: the bytes are damaged.
        NotImplementedError: a tensor has a dtype that flambeau does not have.
    """
    entries = _library("safetensors").deserialize(data)
    return {name: _tensor(name, **entry) for name, entry in entries}


def load_file(filename: str | os.PathLike, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors in a safetensors file. Errors as for `load`."""
    tensors = load(Path(filename).read_bytes())
    return {name: tensor.to(device) for name, tensor in tensors.items()}


def _tensor(name: str, dtype: str, shape: list[int], data: bytes) -> Tensor:
    if dtype not in _DTYPES:
        raise NotImplementedError(f"tensor {name!r} has the dtype {dtype}, which flambeau has not")
    # the format is little-endian; a copy of the bytes makes them writable and aligned
    stored = np.frombuffer(data, np.uint8).copy().view(_DTYPES[dtype].numpy)
    return wrap(stored.reshape(shape))


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(
            "safetensors files need the safetensors library: pip install flambeau[safetensors]"
        ) from error
