"""Object code on disk: private, checked, bounded.

A file is one object: a line of header, then the object. It is used only where the folder and the
file belong to this user, nobody else may write to them, and name, stamp, length and checksum are
as they must be; whatever fails a check is compiled anew and written over. The checks keep out
accidents and other users; they are no signature against this user's own processes.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from secrets import randbelow, token_hex

from ..base.callers import warn_user

_MAGIC = b"flambeau-object-1"
_LIMIT = 256 << 20  # bytes of all files
_MOST = 20_000  # files
_LARGEST = 32 << 20  # bytes of one file
_TRIM_EVERY = 64  # writes; to look at 20,000 files takes a tenth of a second
_DAY, _HOUR = 86400.0, 3600.0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def digest(*parts: bytes) -> str:
    """A name for what `parts` hold, all of them together."""
    state = blake2b(digest_size=20)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


class ObjectCache:
    """A folder of objects by key.

    Attributes:
        folder: where; None keeps nothing.
        stamp: of everything that keys do not say: versions, processor, code generator.
        limit, most: bytes, and files, above which the oldest files go.
    """

    def __init__(
        self, folder: Path | None, stamp: str, limit: int = _LIMIT, most: int = _MOST
    ):  # fmt: skip
        possible = os.open in os.supports_dir_fd and hasattr(os, "geteuid")
        self.folder = folder if possible else None
        self.stamp = stamp
        self.limit = limit
        self.most = most
        self._writes = randbelow(_TRIM_EVERY)  # short processes trim too, but not all of them

    def read(self, key: str) -> bytes | None:
        """The object kept under `key`, or None."""
        with self._opened() as directory:
            if directory is None:
                return None
            try:
                content = _read(self._name(key), directory)
            except OSError:
                return None
        header, found, image = content.partition(b"\n")
        return image if found and header == self._header(key, image) else None

    def write(self, key: str, image: bytes) -> None:
        """Keep an object; where that is not possible, nothing happens."""
        with self._opened() as directory:
            if directory is None:
                return
            with contextlib.suppress(OSError):
                content = self._header(key, image) + b"\n" + image
                _write(self._name(key), content, directory)
                if self._writes % _TRIM_EVERY == 0:
                    self._trim(directory)
                self._writes += 1

    def _name(self, key: str) -> str:
        return digest(key.encode(), self.stamp.encode())

    def _header(self, key: str, image: bytes) -> bytes:
        check = digest(key.encode(), self.stamp.encode(), image)
        return b"%s %s %s %d %s" % (
            _MAGIC, key.encode(), self.stamp.encode(), len(image), check.encode(),
        )  # fmt: skip

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        """The folder's descriptor, opened anew at each use: the checks are of what is used."""
        directory = None
        if self.folder is not None:
            try:
                directory = self._open(self.folder)
            except OSError:
                self.folder = None  # nowhere to write: compiled code stays in memory
        try:
            yield directory
        finally:
            if directory is not None:
                os.close(directory)

    def _open(self, folder: Path) -> int | None:
        if not folder.is_symlink() and not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        try:
            directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK)
        except OSError:
            if folder.is_symlink():
                self._distrust("a symbolic link")
            raise
        found = os.fstat(directory)
        if found.st_uid != os.geteuid():
            problem = "another user's"
        elif found.st_mode & _OTHERS_WRITE:
            problem = "writable by others"
        else:
            return directory
        os.close(directory)
        self._distrust(problem)
        return None

    def _distrust(self, problem: str) -> None:
        folder, self.folder = self.folder, None
        with contextlib.suppress(RuntimeWarning):  # where warnings are errors, it is not said
            warn_user(
                f"flambeau keeps compiled code in memory only: its cache {folder} is {problem}. "
                "FLAMBEAU_CACHE names another folder.",
                RuntimeWarning,
            )

    def _trim(self, directory: int) -> None:
        """Delete what was used longest ago, down to 3/4 of the limits, and abandoned files."""
        entries = []
        now = time.time()
        for name in os.listdir(directory):
            with contextlib.suppress(OSError):
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if name.startswith("."):  # a writer that was interrupted, or is at work
                    if now - found.st_mtime > _HOUR:
                        os.unlink(name, dir_fd=directory)
                    continue
                entries.append((found.st_mtime, found.st_size, name))
        total, count = sum(size for _, size, _ in entries), len(entries)
        if total <= self.limit and count <= self.most:
            return
        for _, size, name in sorted(entries):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=directory)
            total, count = total - size, count - 1
            if total <= self.limit * 3 // 4 and count <= self.most * 3 // 4:
                break


def _read(name: str, directory: int) -> bytes:
    """A file's content; empty where it must not be used.

    Raises:
        OSError: it cannot be read.
    """
    file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _NO_LINK, dir_fd=directory)
    with open(file, "rb") as stream:
        found = os.fstat(file)
        trusted = (
            stat.S_ISREG(found.st_mode)
            and found.st_uid == os.geteuid()
            and not found.st_mode & _OTHERS_WRITE
            and found.st_size <= _LARGEST
        )
        if not trusted:
            return b""
        if time.time() - found.st_mtime > _DAY:  # it is in use: not among the first to go
            with contextlib.suppress(OSError):
                os.utime(file)
        return stream.read()


def _write(name: str, content: bytes, directory: int) -> None:
    """Put a file in place at once: a reader sees the old one or the new one, never a part.

    Raises:
        OSError: it cannot be written.
    """
    temporary = f".{name}.{token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
    file = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        with open(file, "wb") as stream:
            stream.write(content)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        os.unlink(temporary, dir_fd=directory)
        raise
