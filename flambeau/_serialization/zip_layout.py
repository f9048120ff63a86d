"""The records of a zip archive, byte by byte, in PyTorch's dialect.

PyTorch stores every entry uncompressed, starts its data at a multiple of 64 bytes (so that it can
be memory-mapped), writes the sizes after the data as well, and always adds a zip64 trailer.
"""

from __future__ import annotations

import struct

ALIGNMENT = 64

LOCAL_HEADER = struct.Struct("<4sHHHHHLLLHH")
DESCRIPTOR = struct.Struct("<4sLLL")
DESCRIPTOR_64 = struct.Struct("<4sLQQ")
CENTRAL_HEADER = struct.Struct("<4sHHHHHHLLLHHHHHLL")
END_64 = struct.Struct("<4sQHHLLQQQQ")
LOCATOR_64 = struct.Struct("<4sLQL")
END = struct.Struct("<4sHHHHLLH")

LOCAL_SIGNATURE = b"PK\x03\x04"
DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
CENTRAL_SIGNATURE = b"PK\x01\x02"
END_64_SIGNATURE = b"PK\x06\x06"
LOCATOR_64_SIGNATURE = b"PK\x06\x07"
END_SIGNATURE = b"PK\x05\x06"

STORED = 0
ENCRYPTED_FLAG = 0x1
DESCRIPTOR_FLAG = 0x8
UTF8_FLAG = 0x800

ZIP64_FIELD = 1
PADDING_FIELD = int.from_bytes(b"FB", "little")

FULL_16 = 0xFFFF
FULL_32 = 0xFFFFFFFF
"""A 32-bit field that holds this value has its true value in the zip64 field."""
