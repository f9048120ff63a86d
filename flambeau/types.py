"""Names for type annotations (`torch.types`)."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence

from ._engine.autograd.tensor import Tensor
from ._engine.base.devices import device
from ._engine.base.dtypes import dtype
from ._engine.base.formats import layout, memory_format
from ._tensor.size import Size
from .storage import UntypedStorage

__all__ = ["Device", "FileLike", "IntLikeType", "Number", "Storage"]

_int, _float, _bool, _complex = builtins.int, builtins.float, builtins.bool, builtins.complex
_dtype, _device, _layout, _size = dtype, device, layout, Size | Sequence[int]
_memory_format = memory_format
_TensorOrTensors = Tensor | Sequence[Tensor]

Number = builtins.int | builtins.float | builtins.bool
IntLikeType = builtins.int
Device = device | str | builtins.int | None
FileLike = str | os.PathLike
Storage = UntypedStorage
