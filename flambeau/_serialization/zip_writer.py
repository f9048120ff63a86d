"""Write an archive laid out as PyTorch lays it out (see `zip_layout`)."""

from __future__ import annotations

import struct
import zlib
from typing import IO

from .zip_layout import (
    ALIGNMENT,
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    DESCRIPTOR,
    DESCRIPTOR_64,
    DESCRIPTOR_FLAG,
    DESCRIPTOR_SIGNATURE,
    END,
    END_64,
    END_64_SIGNATURE,
    END_SIGNATURE,
    FULL_16,
    FULL_32,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    LOCATOR_64,
    LOCATOR_64_SIGNATURE,
    PADDING_FIELD,
    STORED,
    UTF8_FLAG,
    ZIP64_FIELD,
)

_MADE_BY, _NEEDS = 0x31E, 45  # Unix, version 3.0; zip64
_FIRST_OF_JANUARY_1980 = 0  # PyTorch stamps no time, so equal contents give equal files


class ZipWriter:
    """Append records to `stream`; `finish` writes the directory. The stream is never read.

    Args:
        stream: anything with `write`.
        root: the folder inside the archive that holds every record.
    """

    def __init__(self, stream: IO[bytes], root: str):
        self._stream = stream
        self._root = root
        self._position = 0
        self._directory: list[bytes] = []
        self._names = self._sums = 0

    def write_record(self, name: str, data: bytes | memoryview) -> None:
        """Append `data` as the record `root/name`."""
        view = memoryview(data).cast("B")
        size, checksum, start = len(view), zlib.crc32(view), self._position
        path = f"{self._root}/{name}".encode()
        flags = UTF8_FLAG | (DESCRIPTOR_FLAG if size else 0)
        large = struct.pack("<HHQQ", ZIP64_FIELD, 16, size, size) if size >= FULL_32 else b""
        extra = large + _padding(start + LOCAL_HEADER.size + len(path) + len(large))
        in_header = FULL_32 if large else 0
        self._write(
            LOCAL_HEADER.pack(
                LOCAL_SIGNATURE, 0, flags, STORED, 0, _FIRST_OF_JANUARY_1980, 0,
                in_header, in_header, len(path), len(extra),
            )
            + path
            + extra
        )  # fmt: skip
        self._write(view)
        if size:
            descriptor = DESCRIPTOR_64 if large else DESCRIPTOR
            self._write(descriptor.pack(DESCRIPTOR_SIGNATURE, checksum, size, size))
        self._directory.append(_central_header(path, flags, checksum, size, start))
        self._names = zlib.crc32(path, self._names)
        self._sums = zlib.crc32(struct.pack("<LQ", checksum, size), self._sums)

    def content_id(self) -> bytes:
        """40 digits that two archives share when their records so far are the same."""
        return b"%020d%020d" % (self._names, self._sums)

    def finish(self) -> None:
        """Write the directory and the trailer."""
        start, count = self._position, len(self._directory)
        directory = b"".join(self._directory)
        size = len(directory)
        self._write(directory)
        end_64 = self._position
        self._write(
            END_64.pack(
                END_64_SIGNATURE, END_64.size - 12, _MADE_BY, _NEEDS, 0, 0,
                count, count, size, start,
            )
            + LOCATOR_64.pack(LOCATOR_64_SIGNATURE, 0, end_64, 1)
            + END.pack(
                END_SIGNATURE, 0, 0, min(count, FULL_16), min(count, FULL_16),
                min(size, FULL_32), min(start, FULL_32), 0,
            )
        )  # fmt: skip

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        self._position += len(view)
        while len(view):
            written = self._stream.write(view)
            # an unbuffered file may take only a part; other writers may return nothing
            view = view[written:] if isinstance(written, int) else view[len(view) :]


def _padding(position: int) -> bytes:
    """An extra field that ends at a multiple of the alignment."""
    fill = -(position + 4) % ALIGNMENT
    return struct.pack("<HH", PADDING_FIELD, fill) + b"Z" * fill


def _central_header(path: bytes, flags: int, checksum: int, size: int, start: int) -> bytes:
    large = b""
    if size >= FULL_32:
        large += struct.pack("<QQ", size, size)
    if start >= FULL_32:
        large += struct.pack("<Q", start)
    extra = struct.pack("<HH", ZIP64_FIELD, len(large)) + large if large else b""
    short = min(size, FULL_32)
    header = CENTRAL_HEADER.pack(
        CENTRAL_SIGNATURE, 0, 0, flags, STORED, 0, _FIRST_OF_JANUARY_1980, checksum,
        short, short, len(path), len(extra), 0, 0, 0, 0, min(start, FULL_32),
    )  # fmt: skip
    return header + path + extra
