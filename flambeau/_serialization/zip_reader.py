"""Read an archive with every size, offset and checksum held against the file itself.

Only uncompressed archives are read (PyTorch writes no others), so what a file can make us allocate
is bounded by the file's own size.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from typing import IO, NamedTuple

import numpy as np

from .zip_layout import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    ENCRYPTED_FLAG,
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
    STORED,
    ZIP64_FIELD,
)

_LONGEST_COMMENT = 0xFFFF


def corrupted(reason: str) -> RuntimeError:
    """The error for an archive that is not whole."""
    return RuntimeError(
        f"PytorchStreamReader failed reading zip archive: {reason}. The file is truncated or "
        "corrupted: it was not saved completely, was damaged in transfer, or was changed after "
        "saving. Nothing was loaded."
    )


class Record(NamedTuple):
    """One entry of the directory: where it starts, how long it is, what it must sum to."""

    path: str
    header: int
    size: int
    checksum: int


class ZipReader:
    """The records of the archive that lies in `stream` from `base` to its end.

    Raises:
        RuntimeError: the directory is missing, or claims what the file does not hold.
    """

    def __init__(self, stream: IO[bytes], base: int = 0):
        self._stream = stream
        self._base = base
        self._size = stream.seek(0, os.SEEK_END) - base
        start, size, count = self._find_directory()
        self._directory_start = start
        self._records = self._read_directory(self._read(start, size), count)
        self._headers = sorted(record.header for record in self._records.values())
        self._check_checksums = any(record.checksum for record in self._records.values())
        self.root = self._find_root()

    def __contains__(self, name: str) -> bool:
        return f"{self.root}/{name}" in self._records

    def size_of(self, name: str) -> int:
        """Bytes in the record `name`."""
        return self._record(name).size

    def offset_of(self, name: str) -> int:
        """Where the record's bytes start in the file."""
        return self._base + self._data_start(self._record(name))

    def read_record(self, name: str) -> bytes:
        """The record's bytes, checked."""
        return self.read_array(name).tobytes()

    def read_array(self, name: str) -> np.ndarray:
        """The record's bytes, checked, as a new uint8 array that may be written to."""
        record = self._record(name)
        start = self._data_start(record)
        array = np.empty(record.size, np.uint8)
        self._read_into(start, memoryview(array))
        # PyTorch leaves every checksum 0 after set_crc32_options(False)
        if self._check_checksums and zlib.crc32(array) != record.checksum:
            raise corrupted(f"the checksum of record {record.path!r} does not match its bytes")
        return array

    def _record(self, name: str) -> Record:
        try:
            return self._records[f"{self.root}/{name}"]
        except KeyError:
            raise corrupted(f"record {name!r} is missing") from None

    def _find_root(self) -> str:
        roots = {path.partition("/")[0] for path in self._records}
        if len(roots) != 1 or not all("/" in path for path in self._records):
            raise RuntimeError(
                "this zip archive was not written by torch.save: its records are not all "
                f"in one folder, but in {sorted(roots)[:5]}"
            )
        return roots.pop()

    def _data_start(self, record: Record) -> int:
        """Where the data starts, by the entry's own header, which the directory must agree with."""
        fields = LOCAL_HEADER.unpack(self._read(record.header, LOCAL_HEADER.size))
        path_size, extra_size = fields[9:]
        start = record.header + LOCAL_HEADER.size + path_size + extra_size
        path = self._read(record.header + LOCAL_HEADER.size, path_size)
        if fields[0] != LOCAL_SIGNATURE or path != record.path.encode():
            raise corrupted(f"record {record.path!r} is not where the directory says")
        following = bisect_right(self._headers, record.header)
        limit = (
            self._headers[following] if following < len(self._headers) else self._directory_start
        )
        if start + record.size > limit:
            raise corrupted(f"record {record.path!r} overlaps what follows it")
        return start

    def _find_directory(self) -> tuple[int, int, int]:
        """Start, size and number of entries of the directory."""
        tail_start = max(0, self._size - END.size - _LONGEST_COMMENT)
        tail = self._read(tail_start, self._size - tail_start)
        found = tail.rfind(END_SIGNATURE)
        if found < 0 or len(tail) - found < END.size:
            raise corrupted("failed finding central directory")
        end = tail_start + found
        _, _, _, _, count, size, start, _ = END.unpack_from(tail, found)
        if count == FULL_16 or FULL_32 in (size, start):
            start, size, count, end = self._find_directory_64(end)
        if start + size > end or count * CENTRAL_HEADER.size > size:
            raise corrupted("the central directory lies outside the file")
        return start, size, count

    def _find_directory_64(self, end: int) -> tuple[int, int, int, int]:
        signature, _, position, _ = LOCATOR_64.unpack(
            self._read(end - LOCATOR_64.size, LOCATOR_64.size)
        )
        if signature != LOCATOR_64_SIGNATURE:
            raise corrupted("failed finding the zip64 central directory")
        fields = END_64.unpack(self._read(position, END_64.size))
        if fields[0] != END_64_SIGNATURE:
            raise corrupted("failed finding the zip64 central directory")
        count, size, start = fields[7:]
        return start, size, count, position

    def _read_directory(self, directory: bytes, count: int) -> dict[str, Record]:
        records: dict[str, Record] = {}
        position = 0
        for _ in range(count):
            record, position = self._read_entry(directory, position)
            if record.path in records:
                raise corrupted(f"record {record.path!r} is listed twice")
            records[record.path] = record
        if len({record.header for record in records.values()}) < len(records):
            raise corrupted("two records share their bytes")
        return records

    def _read_entry(self, directory: bytes, position: int) -> tuple[Record, int]:
        if position + CENTRAL_HEADER.size > len(directory):
            raise corrupted("the central directory is too short")
        fields = CENTRAL_HEADER.unpack_from(directory, position)
        signature, flags, method, checksum = fields[0], fields[3], fields[4], fields[7]
        packed, size, path_size, extra_size, comment_size = fields[8:13]
        header = fields[16]
        start = position + CENTRAL_HEADER.size
        end = start + path_size + extra_size + comment_size
        if signature != CENTRAL_SIGNATURE or end > len(directory):
            raise corrupted("the central directory is damaged")
        try:
            path = directory[start : start + path_size].decode()
        except UnicodeDecodeError:
            raise corrupted("a record's name is not text") from None
        extra = directory[start + path_size : start + path_size + extra_size]
        size, packed, header = _with_zip64(extra, size, packed, header)
        if method != STORED or flags & ENCRYPTED_FLAG or size != packed:
            raise RuntimeError(
                f"record {path!r} of this zip archive is compressed or encrypted (method {method});"
                " torch.save stores records as they are, and only such archives are read. Unzip it "
                "and zip it again without compression (zip -0)."
            )
        return Record(path, header, size, checksum), end

    def _read(self, start: int, size: int) -> bytes:
        if start < 0 or size < 0 or start + size > self._size:
            raise corrupted("unexpected end of file")
        self._stream.seek(self._base + start)
        data = self._stream.read(size)
        if len(data) != size:
            raise corrupted("unexpected end of file")
        return data

    def _read_into(self, start: int, view: memoryview) -> None:
        if start + len(view) > self._size:
            raise corrupted("unexpected end of file")
        self._stream.seek(self._base + start)
        fill(self._stream, view)


def fill(stream: IO[bytes], view: memoryview) -> None:
    """Fill `view` with the stream's next bytes; too few are an error."""
    read_into = getattr(stream, "readinto", None)
    while len(view):
        if read_into is not None:
            count = read_into(view)
        else:
            data = stream.read(len(view))
            count = len(data)
            view[:count] = data
        if not count:
            raise corrupted("unexpected end of file")
        view = view[count:]


def _with_zip64(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Replace the fields that are too large for 32 bits by those of the zip64 field."""
    values = [size, packed, header]
    if FULL_32 not in values:
        return size, packed, header
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        position += 4
        if kind == ZIP64_FIELD and position + length <= len(extra):
            for index, value in enumerate(values):
                if value == FULL_32:
                    if length < 8:
                        raise corrupted("a zip64 field is too short")
                    values[index] = struct.unpack_from("<Q", extra, position)[0]
                    position, length = position + 8, length - 8
            return values[0], values[1], values[2]
        position += length
    raise corrupted("a zip64 field is missing")
