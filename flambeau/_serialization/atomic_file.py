"""A file that appears whole or not at all: a kill or a full disk leaves the old one in place."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """Open a new binary file that takes `path`'s place when the block ends without an error.

    The bytes go to a hidden file beside the target, reach the disk, and then the target is replaced
    in one step. If the block raises, the hidden file is removed and the target is as before. A
    device or pipe (`/dev/null`) cannot be replaced and is written directly.

    Raises:
        RuntimeError: the parent directory does not exist, or `path` is a directory.
        OSError: the disk is full, permission is missing ...
    """
    target = os.path.realpath(os.fspath(path))
    mode = _mode_of(target)
    if mode is not None and not stat.S_ISREG(mode):
        if stat.S_ISDIR(mode):
            raise RuntimeError(f"{os.fspath(path)!r} is a directory: cannot save over it")
        with open(target, "wb") as stream:
            yield stream
        return
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    directory, name = os.path.split(target)
    if not os.path.isdir(directory):
        raise RuntimeError(f"Parent directory {os.path.dirname(os.fspath(path))} does not exist.")
    partial = os.path.join(directory, f".{name[:100]}.{os.urandom(6).hex()}.partial")
    try:
        with open(partial, "xb") as stream:
            if mode is not None:
                os.fchmod(stream.fileno(), stat.S_IMODE(mode))
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)
        raise
    _sync_directory(directory)


def _mode_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _sync_directory(directory: str) -> None:
    """Make the replacement itself reach the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot; the file itself is safe
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
