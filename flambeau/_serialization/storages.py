"""Storage records to storages: size checks, byte order, memory map, device."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._engine.base.devices import META, device
from ..storage import TypedStorage, UntypedStorage, is_legacy_class
from .zip_reader import ZipReader, corrupted

MapLocation = (
    str | device | Mapping[str, str] | Callable[[UntypedStorage, str], UntypedStorage | None] | None
)

_NO_CUDA = (
    "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If "
    "you are running on a CPU-only machine, please use torch.load with "
    "map_location=torch.device('cpu') to map your storages to the CPU."
)


class Placement:
    """Where storages go: the `map_location` argument of `load`."""

    def __init__(self, map_location: Any):
        self._choose: Callable | None = None
        self._locations: Mapping[str, str] | None = None
        self._target: str | None = None
        if isinstance(map_location, Mapping):
            self._locations = map_location
        elif isinstance(map_location, str | device):
            self._target = str(map_location)
        elif isinstance(map_location, bytes):
            self._target = map_location.decode()
        elif callable(map_location):
            self._choose = map_location
        elif map_location is not None:
            raise TypeError(
                "map_location must be a device, a string, a dictionary or a function, "
                f"not {type(map_location).__name__}"
            )

    def needs_data(self, location: str) -> bool:
        """Whether the bytes are wanted at all."""
        return self._choose is not None or self._final(location) != "meta"

    def place(self, storage: UntypedStorage, location: str) -> UntypedStorage:
        """The storage where it is wanted.

        Raises:
            RuntimeError: this machine has no such device.
        """
        if self._choose is not None:
            chosen = self._choose(storage, location)
            if chosen is not None:
                return chosen.untyped() if isinstance(chosen, TypedStorage) else chosen
        final = self._final(location)
        kind = final.partition(":")[0]
        if kind == "cpu":
            return storage
        if kind == "meta":
            return UntypedStorage._of_memory(storage._memory, META)
        if kind == "cuda":
            raise RuntimeError(_NO_CUDA)
        raise RuntimeError(
            "don't know how to restore data location of torch.storage.UntypedStorage "
            f"(tagged with {final})"
        )

    def _final(self, location: str) -> str:
        if self._locations is not None:
            return str(self._locations.get(location, location))
        return self._target or location


def parse_persistent_id(persistent_id: Any) -> tuple[Any, int, str, str, int]:
    """The storage's dtype (None: bytes), bytes an element, key, location and number of elements.

    Raises:
        pickle.UnpicklingError: it does not name a storage.
    """
    if isinstance(persistent_id, tuple) and len(persistent_id) >= 5:
        tag, kind, key, location, count = persistent_id[:5]
        element = kind.dtype if is_legacy_class(kind) else None
        known = kind is UntypedStorage or element is not None
        text = isinstance(key, str) and isinstance(location, str)
        if tag == "storage" and known and text and type(count) is int and count >= 0:
            return element, element.itemsize if element else 1, key, location, count
    raise pickle.UnpicklingError(f"a persistent id does not name a storage: {persistent_id!r:.200}")


def typed(storage: UntypedStorage, element: Any) -> UntypedStorage | TypedStorage:
    """The storage as elements, if there is a dtype."""
    return storage if element is None else TypedStorage(wrap_storage=storage, dtype=element)


class StorageLoader:
    """The `persistent_load` of one archive: each record is loaded once, so aliases stay aliases.

    Args:
        archive: where the records are.
        placement: where the storages go.
        path: the file to map instead of reading records, or None.
    """

    def __init__(self, archive: ZipReader, placement: Placement, path: str | os.PathLike | None):
        self._archive = archive
        self._placement = placement
        self._map = None if path is None else np.memmap(path, np.uint8, "c").view(np.ndarray)
        self._swap = _byte_order(archive) != sys.byteorder
        self._loaded: dict[str, tuple[tuple, UntypedStorage]] = {}

    def __call__(self, persistent_id: Any) -> UntypedStorage | TypedStorage:
        element, itemsize, key, location, count = parse_persistent_id(persistent_id)
        claim = (element, location, count)
        if key not in self._loaded:
            storage = self._load(key, element, location, count * itemsize)
            self._loaded[key] = (claim, storage)
        claimed, storage = self._loaded[key]
        if claim != claimed:
            raise pickle.UnpicklingError(f"storage {key} is described in two ways")
        return typed(storage, element)

    def _load(self, key: str, element: Any, location: str, nbytes: int) -> UntypedStorage:
        record = f"data/{key}"
        size = self._archive.size_of(record)
        if size != nbytes:
            raise corrupted(f"storage {key} should have {nbytes} bytes, its record has {size}")
        if not self._placement.needs_data(location):
            return UntypedStorage._of_memory(np.empty(size, np.uint8), META)
        memory = self._read(record, size, element.itemsize if element else 1)
        if self._swap:
            memory = _swapped(memory, element)
        return self._placement.place(UntypedStorage._of_memory(memory), location)

    def _read(self, record: str, size: int, itemsize: int) -> np.ndarray:
        if self._map is not None:
            start = self._archive.offset_of(record)
            if start % itemsize == 0:  # not so in files of old versions
                return self._map[start : start + size]
        return self._archive.read_array(record)


def _byte_order(archive: ZipReader) -> str:
    if "byteorder" not in archive:
        return sys.byteorder
    order = archive.read_record("byteorder").decode("ascii", "replace")
    if order not in ("little", "big"):
        raise corrupted(f"unknown byte order {order!r}")
    return order


def _swapped(memory: np.ndarray, element: Any) -> np.ndarray:
    if element is None:
        raise RuntimeError(
            "a storage of plain bytes in a file of the other byte order cannot be converted"
        )
    # complex numbers swap part by part; ml_dtypes' types know no byte order of their own
    part = element.itemsize // (2 if element.is_complex else 1)
    return memory.view(f"u{part}").byteswap().view(np.uint8)
