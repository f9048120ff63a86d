"""Objects to pickle as PyTorch would write it: its module names, storages as persistent ids."""

from __future__ import annotations

import pickle
from io import BytesIO
from types import FunctionType
from typing import Any

from .. import storage
from .._engine.base.dtypes import dtype
from .._engine.base.formats import layout
from . import names


class TorchPickler(pickle._Pickler):
    """Write flambeau's classes under PyTorch's names, and collect the storages met.

    Python's own pickler in C cannot rename a global; the tensors' bytes do not pass through the
    pickle, so the one in Python is fast enough.

    Attributes:
        storages: key -> storage, in the order met.
    """

    def __init__(self, stream: BytesIO, protocol: int):
        super().__init__(stream, protocol)
        self.storages: dict[str, storage.UntypedStorage] = {}
        self._keys: dict[int, str] = {}
        self._dtypes: dict[int, dtype | None] = {}

    def persistent_id(self, value: Any) -> tuple | None:
        if isinstance(value, storage.TypedStorage):
            kind: Any = storage.legacy_class(value.dtype)
            untyped, element = value.untyped(), value.dtype
        elif isinstance(value, storage.UntypedStorage):
            kind, untyped, element = storage.UntypedStorage, value, None
        else:
            return None
        key = self._key_of(untyped, element)
        size = untyped.nbytes() // (element.itemsize if element else 1)
        return ("storage", kind, key, str(untyped.device), size)

    def _key_of(self, untyped: storage.UntypedStorage, element: dtype | None) -> str:
        address = untyped.data_ptr()
        if address and self._dtypes.setdefault(address, element) is not element:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                "types"
            )
        identity = untyped._cdata
        if identity not in self._keys:
            self._keys[identity] = str(len(self._keys))
            self.storages[self._keys[identity]] = untyped
        return self._keys[identity]

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, dtype):
            return value.name
        if isinstance(value, layout):
            from ..serialization import _get_layout

            return _get_layout, (repr(value),)
        return NotImplemented

    def save_global(self, value: Any, name: str | None = None) -> None:
        public = names.pytorch_name(value, name or value.__qualname__)
        if public is None:
            super().save_global(value, name)  # type: ignore[misc]
            return
        module, name = public
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(value)

    # the base class binds its own save_global to functions; classes reach ours by themselves
    dispatch = {**pickle._Pickler.dispatch, FunctionType: save_global}  # type: ignore[dict-item]
