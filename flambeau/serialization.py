"""Saving and loading: PyTorch's file format, both ways.

A checkpoint is a zip archive: one pickle that describes the object, and one record of raw bytes for
each storage. See `flambeau._serialization` for its parts.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from ._engine.base.formats import layout, strided
from ._serialization import names
from ._serialization.allow_list import (
    add_safe_globals,
    allowed_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)
from ._serialization.atomic_file import replacing
from ._serialization.legacy import load_legacy
from ._serialization.pickler import TorchPickler
from ._serialization.safe_unpickler import load_safely
from ._serialization.storages import MapLocation, Placement, StorageLoader
from ._serialization.zip_layout import ALIGNMENT, LOCAL_SIGNATURE
from ._serialization.zip_reader import ZipReader, corrupted
from ._serialization.zip_writer import ZipWriter

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "safe_globals",
    "save",
]

DEFAULT_PROTOCOL = 2
_FORMAT_VERSION = 1
_ARCHIVE_VERSION = 3
_NEWEST_ARCHIVE_VERSION = 10

FileLike = str | os.PathLike | IO[bytes]


def save(
    obj: object,
    f: FileLike,
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object with its tensors to a file that `load` and `torch.load` read.

    Tensors that share memory are written once and share it again when loaded. A file given by its
    path appears whole or not at all: after a full disk or a kill in mid-save, what was there before
    is still there.

    Args:
        obj: anything that pickles: tensors, state dicts, modules, and containers of them.
        f: a path, or a binary file open for writing.
        pickle_module: Python's `pickle`; no other can write PyTorch's names.
        pickle_protocol: the pickle's protocol; PyTorch's safe loader reads only 2.

    Raises:
        RuntimeError: the parent directory does not exist; or two tensors show the same memory as
            different dtypes.
        AttributeError: `f` is neither a path nor has a `write` method.

    >>> flambeau.save({"weight": flambeau.ones(2)}, "checkpoint.pt")
    >>> flambeau.load("checkpoint.pt")
    {'weight': tensor([1., 1.])}
    """
    if pickle_module is not pickle:
        raise NotImplementedError("save: only Python's own pickle module can write PyTorch's names")
    if not _use_new_zipfile_serialization:
        raise NotImplementedError("save: the format of PyTorch before 1.6 is read, but not written")
    if not isinstance(f, str | os.PathLike) and not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    stream = io.BytesIO()
    pickler = TorchPickler(stream, pickle_protocol)
    pickler.dump(obj)
    if isinstance(f, str | os.PathLike):
        with replacing(f) as target:
            _write_archive(target, _root_for(f), stream.getvalue(), pickler)
    else:
        _write_archive(f, "archive", stream.getvalue(), pickler)


def _write_archive(stream: IO[bytes], root: str, data: bytes, pickler: TorchPickler) -> None:
    writer = ZipWriter(stream, root)
    writer.write_record("data.pkl", data)
    writer.write_record(".format_version", b"%d" % _FORMAT_VERSION)
    writer.write_record(".storage_alignment", b"%d" % ALIGNMENT)
    writer.write_record("byteorder", sys.byteorder.encode())
    for key, storage in pickler.storages.items():
        memory = storage._readable()
        writer.write_record(f"data/{key}", memoryview(memory) if memory.size else b"")
    writer.write_record("version", b"%d\n" % _ARCHIVE_VERSION)
    writer.write_record(".data/serialization_id", writer.content_id())
    writer.finish()


def _root_for(path: str | os.PathLike) -> str:
    """The folder inside the archive: the file's name without its extension, if it is ASCII."""
    stem = os.path.splitext(os.path.basename(os.fspath(path)))[0]
    usable = isinstance(stem, str) and stem.isascii() and stem.strip(".")
    return stem if usable else "archive"


def load(
    f: FileLike,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read an object from a file that `save` or `torch.save` wrote.

    By default only data is read: tensors, numbers, strings and containers of them. Nothing that a
    file names is imported or called, except flambeau's own builders of tensors and what
    `add_safe_globals` has allowed.

    Args:
        f: a path, or a binary file open for reading that can seek.
        map_location: where storages go: a device; a dictionary from the location saved to the one
            wanted; or a function (storage, location) -> storage or None.
        pickle_module: with `weights_only=False`, another module with pickle's interface.
        weights_only: None and True read data only. False unpickles everything, and so runs code
            that the file chooses: only for files from a source that you trust.
        mmap: map the file into memory and read each storage when it is first touched. Writing to
            such a tensor does not change the file.
        pickle_load_args: with `weights_only=False`, passed to the unpickler, e.g. `encoding`.

    Raises:
        pickle.UnpicklingError: the file holds more than data, or its pickle is damaged.
        RuntimeError: the file is truncated or corrupted; or a storage belongs to a device that this
            machine lacks.
        EOFError: the file is empty.
    """
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    # an explicit pickle_module is a request for full unpickling, as in PyTorch
    safe = pickle_module is None if weights_only is None else weights_only
    if mmap and not isinstance(f, str | os.PathLike):
        raise ValueError("f must be a file path in order to use the mmap argument")
    unpickle = _unpickle_safely if safe else _unpickler(pickle_module or pickle, pickle_load_args)
    placement = Placement(map_location)
    with _opened(f) as stream:
        base = stream.tell()
        head = stream.read(len(LOCAL_SIGNATURE))
        stream.seek(base)
        if isinstance(head, str):
            raise TypeError("expected a binary file: open it with mode 'rb'")
        if not head:
            raise EOFError(f"Ran out of input: {f!r} is empty")
        if head == LOCAL_SIGNATURE:
            return _load_archive(stream, base, placement, unpickle, f if mmap else None)
        if mmap:
            raise RuntimeError(
                "mmap can only be used with files saved with torch.save in its zip format"
            )
        if head[:1] != pickle.PROTO:
            raise pickle.UnpicklingError(
                f"{f!r} was not written by torch.save: it begins with {head!r}. Nothing was loaded."
            )
        return load_legacy(stream.read(), placement, unpickle)


@contextmanager
def _opened(f: FileLike) -> Iterator[IO[bytes]]:
    if isinstance(f, str | os.PathLike):
        with open(f, "rb") as stream:
            yield stream
        return
    for method in ("read", "seek", "tell"):
        if not hasattr(f, method):
            raise AttributeError(
                f"'{type(f).__name__}' object has no attribute '{method}'. You can only torch.load "
                "from a file that is seekable. Please pre-load the data into a buffer like "
                "io.BytesIO and try to load from it instead."
            )
    yield f


def _load_archive(
    stream: IO[bytes],
    base: int,
    placement: Placement,
    unpickle: Callable,
    path: Any,
) -> Any:
    archive = ZipReader(stream, base)
    if "constants.pkl" in archive:
        raise RuntimeError(
            "this is a TorchScript archive (torch.jit.save), which holds a program; flambeau loads "
            "checkpoints (torch.save)"
        )
    _check_version(archive)
    loader = StorageLoader(archive, placement, path)
    return unpickle(archive.read_record("data.pkl"), loader, 0)[0]


def _check_version(archive: ZipReader) -> None:
    name = "version" if "version" in archive else ".data/version"
    text = archive.read_record(name).strip()
    if not text.isdigit():
        raise corrupted(f"its version is {text!r:.40}")
    if not 1 <= int(text) <= _NEWEST_ARCHIVE_VERSION:
        raise RuntimeError(
            f"Attempted to read a PyTorch file with version {int(text)}, but the maximum supported "
            f"version for reading is {_NEWEST_ARCHIVE_VERSION}."
        )


def _unpickle_safely(data: bytes, persistent_load: Callable, position: int) -> tuple[Any, int]:
    try:
        return load_safely(data, allowed_globals(), persistent_load, position)
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            "Weights only load failed. Nothing was loaded and nothing in the file was run.\n"
            "\t(1) If you trust the source of this file, `weights_only=False` loads whatever it "
            "holds. It can run arbitrary code.\n"
            "\t(2) To allow single classes or functions that the file names, use "
            "`torch.serialization.add_safe_globals`.\n"
            f"\tWeightsUnpickler error: {error}"
        ) from error


def _unpickler(pickle_module: Any, settings: dict[str, Any]) -> Callable:
    """Full unpickling, with PyTorch's names leading to flambeau's objects."""

    class Unpickler(pickle_module.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if names.is_pytorch(module):
                return names.find(module, name)
            return super().find_class(module, name)

        def persistent_load(self, persistent_id: Any) -> Any:
            return self.load_storage(persistent_id)

    def unpickle(data: bytes, persistent_load: Callable, position: int) -> tuple[Any, int]:
        stream = io.BytesIO(data)
        stream.seek(position)
        unpickler = Unpickler(stream, **{"encoding": "utf-8", **settings})
        unpickler.load_storage = persistent_load
        return unpickler.load(), stream.tell()

    return unpickle


def _get_layout(name: str) -> layout:
    """The memory layout that PyTorch's pickles call `name`."""
    if name != repr(strided):
        raise NotImplementedError(f"flambeau's tensors are dense: there is no layout {name}")
    return strided


def get_unsafe_globals_in_checkpoint(f: FileLike) -> list[str]:
    """The names in a checkpoint that `weights_only=True` would refuse. Nothing is loaded or run.

    Args:
        f: a path, or a binary file that can seek, in PyTorch's zip format.
    """
    import pickletools

    with _opened(f) as stream:
        data = ZipReader(stream, stream.tell()).read_record("data.pkl")
    allowed = allowed_globals()
    found: dict[str, None] = {}
    texts: list[str] = []
    for operation, argument, _ in pickletools.genops(data):
        if operation.name == "STACK_GLOBAL":
            found[".".join(texts[-2:])] = None
        elif isinstance(argument, str):
            if operation.name == "GLOBAL":
                found[argument.replace(" ", ".", 1)] = None
            texts.append(argument)
    plain = (name.removeprefix("__builtin__.").removeprefix("builtins.") for name in found)
    return [name for name in plain if name not in allowed]
