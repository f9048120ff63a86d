"""Truncated, corrupted and lying files are clear errors; nothing is half-loaded."""

from __future__ import annotations

import io
import pickle
import random
import struct
import zipfile
import zlib

import pytest

import flambeau as ft
from flambeau._serialization.zip_writer import ZipWriter

REFUSALS = (RuntimeError, pickle.UnpicklingError, EOFError, NotImplementedError)


def checkpoint() -> bytes:
    stream = io.BytesIO()
    weight = ft.arange(6.0).reshape(2, 3)
    ft.save({"weight": weight, "row": weight[1], "flag": ft.tensor(True), "epoch": 3}, stream)
    return stream.getvalue()


def load(data: bytes):
    return ft.load(io.BytesIO(data))


def archive(data_pkl: bytes, storages: dict[str, bytes], version: bytes = b"3\n") -> bytes:
    stream = io.BytesIO()
    writer = ZipWriter(stream, "archive")
    writer.write_record("data.pkl", data_pkl)
    for key, memory in storages.items():
        writer.write_record(f"data/{key}", memory)
    writer.write_record("version", version)
    writer.finish()
    return stream.getvalue()


def tensor_pickle(
    size: bytes = b"K\x02\x85", stride: bytes = b"K\x01\x85", offset: bytes = b"K\x00",
    count: bytes = b"K\x02", location: bytes = b"cpu", kind: bytes = b"ctorch\nFloatStorage\n",
    rest: bytes = b"\x89}",
) -> bytes:  # fmt: skip
    """A pickle of one float tensor of two elements, any part of which may lie."""
    where = b"X" + struct.pack("<L", len(location)) + location
    key = b"X\x07\x00\x00\x00storage" + kind + b"X\x01\x00\x00\x000"
    identity = b"(" + key + where + count + b"tQ"
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + (identity + offset + size + stride + rest)
        + b"tR."
    )


def number(value: int) -> bytes:
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


TWO_FLOATS = struct.pack("<ff", 1, 2)


def test_every_truncation_is_an_error():
    whole = checkpoint()
    for length in range(len(whole)):
        with pytest.raises(REFUSALS):
            load(whole[:length])


def test_every_changed_byte_is_an_error_or_harmless():
    whole = checkpoint()
    expected = load(whole)
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x41
        try:
            found = load(bytes(changed))
        except REFUSALS:
            continue
        # padding, time stamps and the like carry nothing
        assert found["weight"].tolist() == expected["weight"].tolist()
        assert found["row"].tolist() == expected["row"].tolist()
        assert found["flag"].item() is True and found["epoch"] == 3


def test_random_pickles_with_right_checksums():
    """Past the checksum, the pickle machine itself must hold."""
    stream = io.BytesIO(checkpoint())
    good = zipfile.ZipFile(stream).read("archive/data.pkl")
    chance = random.Random(0)
    for _ in range(1500):
        changed = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            load(archive(bytes(changed), {"0": bytes(24), "1": b"\x01"}))
        except REFUSALS:
            pass


def test_a_flipped_bit_in_the_data_is_named():
    data = bytearray(checkpoint())
    at = data.find(struct.pack("<ff", 1, 2))
    data[at] ^= 1
    with pytest.raises(RuntimeError, match="checksum of record 'archive/data/0'"):
        load(bytes(data))


def test_a_whole_pickle_of_ours_loads():
    assert load(archive(tensor_pickle(), {"0": TWO_FLOATS})).tolist() == [1, 2]


@pytest.mark.parametrize(
    "lie, message",
    [
        ({"size": b"K\x03\x85"}, "needs 3 elements, but its storage holds 2"),
        ({"stride": b"K\x02\x85"}, "needs 3 elements"),
        ({"offset": b"K\x01"}, "needs 3 elements"),
        ({"offset": b"J\xff\xff\xff\xff"}, "do not describe a tensor"),
        ({"size": b"J\xff\xff\xff\xff\x85"}, "do not describe a tensor"),
        ({"stride": b"J\xff\xff\xff\xff\x85"}, "do not describe a tensor"),
        ({"size": b"K\x02K\x02\x86"}, "do not describe a tensor"),
        ({"size": number(1 << 62) + b"\x85"}, "needs"),
        ({"size": number(1 << 80) + b"\x85"}, "do not describe a tensor"),
        ({"size": b"G?\xf0\x00\x00\x00\x00\x00\x00\x85"}, "do not describe a tensor"),
        ({"count": b"K\x03"}, "should have 12 bytes, its record has 8"),
        ({"count": b"K\x01"}, "should have 4 bytes, its record has 8"),
        ({"count": b"J\xff\xff\xff\xff"}, "does not name a storage"),
        ({"count": number(1 << 70)}, "its record has 8"),
        ({"kind": b"ctorch\nTensor\n"}, "does not name a storage"),
        ({"kind": b"ctorch\nLongStorage\n"}, "should have 16 bytes"),
        ({"location": b"cuda:0"}, "torch.cuda.is_available"),
        ({"location": b"moon"}, "don't know how to restore data location"),
    ],
)
def test_lying_tensors(lie, message):
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match=message):
        load(archive(tensor_pickle(**lie), {"0": TWO_FLOATS}))


def test_a_huge_expansion_of_a_conjugated_tensor_is_refused():
    flags = b"\x89}}X\x04\x00\x00\x00conj\x88s"
    data = tensor_pickle(size=number(1 << 40) + b"\x85", stride=b"K\x00\x85", rest=flags)
    with pytest.raises(RuntimeError, match="larger than its storage"):
        load(archive(data, {"0": TWO_FLOATS}))


def test_an_integer_tensor_cannot_require_grad():
    data = tensor_pickle(kind=b"ctorch\nIntStorage\n", rest=b"\x88}")
    with pytest.raises(RuntimeError, match="can require gradients"):
        load(archive(data, {"0": TWO_FLOATS}))


def test_a_missing_record():
    with pytest.raises(RuntimeError, match="record 'data/0' is missing"):
        load(archive(tensor_pickle(), {}))


def test_a_newer_format():
    with pytest.raises(RuntimeError, match="version 11"):
        load(archive(b"\x80\x02N.", {}, version=b"11\n"))
    with pytest.raises(RuntimeError, match="version"):
        load(archive(b"\x80\x02N.", {}, version=b"new"))


def test_records_that_share_their_bytes():
    """The trick of overlapping zip bombs."""
    data = bytearray(archive(b"\x80\x02N.", {"0": TWO_FLOATS, "1": TWO_FLOATS}))
    directory = data.find(b"PK\x01\x02")
    first = data.find(b"archive/data/0", directory) - 46
    second = data.find(b"archive/data/1", directory) - 46
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    with pytest.raises(RuntimeError, match="share their bytes"):
        load(bytes(data))


def test_a_record_listed_twice():
    data = archive(b"\x80\x02N.", {"0": TWO_FLOATS, "1": TWO_FLOATS})
    with pytest.raises(RuntimeError, match="listed twice"):
        load(data.replace(b"archive/data/1", b"archive/data/0"))


def test_compressed_archives_are_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("archive/data.pkl", b"\x80\x02N.")
        bomb.writestr("archive/version", b"3\n")
        bomb.writestr("archive/data/0", bytes(10_000_000))
    with pytest.raises(RuntimeError, match="compressed"):
        load(stream.getvalue())


def test_an_archive_zipped_by_hand_without_compression():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as plain:
        plain.writestr("model/data.pkl", tensor_pickle())
        plain.writestr("model/data/0", TWO_FLOATS)
        plain.writestr("model/version", b"3\n")
    assert load(stream.getvalue()).tolist() == [1, 2]


def test_other_zip_files():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as other:
        other.writestr("letter.txt", "hello")
    with pytest.raises(RuntimeError, match=r"not written by torch\.save"):
        load(stream.getvalue())


def test_a_program_is_not_a_checkpoint():
    stream = io.BytesIO()
    writer = ZipWriter(stream, "archive")
    writer.write_record("constants.pkl", b"\x80\x02).")
    writer.finish()
    with pytest.raises(RuntimeError, match="TorchScript"):
        load(stream.getvalue())


def test_big_endian_files():
    stream = io.BytesIO()
    writer = ZipWriter(stream, "archive")
    writer.write_record("data.pkl", tensor_pickle())
    writer.write_record("byteorder", b"big")
    writer.write_record("data/0", struct.pack(">ff", 1, 2))
    writer.write_record("version", b"3\n")
    writer.finish()
    assert load(stream.getvalue()).tolist() == [1, 2]


@pytest.mark.parametrize("data", [b"hello, world", b"\x89PNG\r\n\x1a\n", b"{}", b"\x00" * 100])
@pytest.mark.parametrize("weights_only", [True, False])
def test_files_of_another_kind(data, weights_only):
    with pytest.raises(pickle.UnpicklingError, match=r"not written by torch\.save"):
        ft.load(io.BytesIO(data), weights_only=weights_only)


def test_an_empty_file():
    with pytest.raises(EOFError, match="empty"):
        load(b"")


def test_a_plain_pickle():
    with pytest.raises(RuntimeError, match="Invalid magic number"):
        load(pickle.dumps({"a": 1}, 2))


def test_wrong_arguments(tmp_path):
    with pytest.raises(FileNotFoundError):
        ft.load(tmp_path / "nothing.pt")
    with pytest.raises(AttributeError, match="seekable"):
        ft.load(3)
    with pytest.raises(TypeError, match="binary file"):
        ft.load(io.StringIO("text"))
    with pytest.raises(ValueError, match="must be a file path"):
        ft.load(io.BytesIO(checkpoint()), mmap=True)
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        ft.load(io.BytesIO(checkpoint()), pickle_module=pickle, weights_only=True)


def test_checksums_can_be_switched_off_only_for_all():
    data = bytearray(checkpoint())
    directory = data.find(b"PK\x01\x02")
    entry = data.find(b"archive/data/0", directory) - 46
    assert struct.unpack_from("<L", data, entry + 16)[0] == zlib.crc32(
        struct.pack("<6f", *range(6))
    )
    data[entry + 16 : entry + 20] = bytes(4)
    with pytest.raises(RuntimeError, match="checksum"):
        load(bytes(data))
