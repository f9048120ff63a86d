"""The stream format of PyTorch before 1.6, read only: five pickles, then the storages' bytes."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..storage import TypedStorage, UntypedStorage
from .storages import Placement, parse_persistent_id, typed
from .zip_reader import corrupted

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_LENGTH_FIELD = 8

Unpickle = Callable[[bytes, Callable[[Any], Any], int], tuple[Any, int]]


def load_legacy(data: bytes, placement: Placement, unpickle: Unpickle) -> Any:
    """The object in a file of the old format.

    Args:
        data: the whole file.
        placement: where the storages go.
        unpickle: (data, persistent_load, position) -> (object, position after it).

    Raises:
        RuntimeError: it is no such file, or it is damaged.
    """
    magic, position = unpickle(data, _no_storages, 0)
    if magic != _MAGIC:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version, position = unpickle(data, _no_storages, position)
    if version != _PROTOCOL:
        raise RuntimeError(f"Invalid protocol version: {version}")
    system, position = unpickle(data, _no_storages, position)
    if isinstance(system, dict) and system.get("little_endian") != (sys.byteorder == "little"):
        raise RuntimeError("the file was written on a machine of the other byte order")
    storages = _Storages(len(data), placement)
    result, position = unpickle(data, storages, position)
    keys, position = unpickle(data, _no_storages, position)
    storages.fill(keys, data, position)
    return result


def _no_storages(persistent_id: Any) -> Any:
    raise pickle.UnpicklingError("a storage where none is expected")


class _Storages:
    """Makes storages while the object is unpickled; their bytes come after it."""

    def __init__(self, limit: int, placement: Placement):
        self._left = limit
        self._placement = placement
        self._arrays: dict[str, tuple[np.ndarray, int]] = {}
        self._placed: dict[str, UntypedStorage] = {}

    def __call__(self, persistent_id: Any) -> UntypedStorage | TypedStorage:
        element, itemsize, key, location, count = parse_persistent_id(persistent_id)
        if len(persistent_id) > 5 and persistent_id[5] is not None:
            raise NotImplementedError("storages that are views of other storages are not supported")
        if key not in self._placed:
            self._left -= count * itemsize
            if self._left < 0:
                raise corrupted("its storages claim more bytes than the file has")
            memory = np.empty(count * itemsize, np.uint8)
            self._arrays[key] = (memory, count)
            self._placed[key] = self._placement.place(UntypedStorage._of_memory(memory), location)
        return typed(self._placed[key], element)

    def fill(self, keys: Any, data: bytes, position: int) -> None:
        if not isinstance(keys, list) or set(map(str, keys)) != set(self._arrays):
            raise corrupted("its list of storages does not match the storages it uses")
        for key in keys:
            memory, count = self._arrays[key]
            start = position + _LENGTH_FIELD
            position = start + len(memory)
            if position > len(data):
                raise corrupted("unexpected end of file")
            if int.from_bytes(data[start - _LENGTH_FIELD : start], "little") != count:
                raise corrupted(f"storage {key} has another length than it should")
            memory[:] = np.frombuffer(data, np.uint8, len(memory), start)
