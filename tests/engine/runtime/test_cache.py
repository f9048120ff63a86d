"""Compiled code on disk: found again, and never used when it is not as it was written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from flambeau._engine.runtime import cache, kernels
from flambeau._engine.runtime.cache import ObjectCache
from flambeau._engine.runtime.program import Program

from .kernels import chain, scale

SHAPE = (3, 70)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(folder):
    return ObjectCache(folder, "stamp")


def one_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def fresh(folder: Path) -> ObjectCache:
    """The cache of a process that begins."""
    return ObjectCache(folder, "stamp")


# --- through programs ------------------------------------------------------------------------


def compile_again(monkeypatch, emitter, factor: float = 2.0) -> int:
    """Compile as a new process would; how often the emitter was asked."""
    monkeypatch.setattr(kernels, "_loaded", type(kernels._loaded)())
    before = len(emitter.emitted)
    program = Program(chain(SHAPE, scale(SHAPE, factor=factor)))
    x = np.random.RandomState(0).randn(*SHAPE).astype(np.float32)
    np.testing.assert_array_equal(program.run([x])[0], x * np.float32(factor))
    return len(emitter.emitted) - before


def test_whatever_writes_code_is_in_the_stamp():
    engine = ROOT / "flambeau/_engine"
    writers = [p for p in engine.rglob("*.py") if "import llvmlite.ir" in p.read_text()]
    assert writers
    stamped = [engine / source for source in kernels._SOURCES]
    assert all(source.exists() for source in stamped)
    for writer in writers:
        assert any(writer.is_relative_to(source) for source in stamped), writer


def test_code_is_found_again(monkeypatch, emitter):
    assert compile_again(monkeypatch, emitter) == 1
    assert compile_again(monkeypatch, emitter) == 0
    assert compile_again(monkeypatch, emitter, 3.0) == 1


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_in_header(content: bytes) -> bytes:
    return content[:30] + bytes([content[30] ^ 1]) + content[31:]


def flip_at_end(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


def empty(content: bytes) -> bytes:
    return b""


def longer(content: bytes) -> bytes:
    return content + b"\0"


def noise(content: bytes) -> bytes:
    return os.urandom(len(content))


@pytest.mark.parametrize("damage", [cut, flip_in_header, flip_at_end, empty, longer, noise])
def test_a_damaged_file_is_written_anew(monkeypatch, emitter, folder, damage):
    compile_again(monkeypatch, emitter)
    file = one_file(folder)
    content = file.read_bytes()
    file.write_bytes(damage(content))
    assert compile_again(monkeypatch, emitter) == 1
    assert file.read_bytes() == content
    assert compile_again(monkeypatch, emitter) == 0


def test_another_kernels_file_is_not_used(monkeypatch, emitter, folder):
    compile_again(monkeypatch, emitter, 2.0)
    first = one_file(folder)
    compile_again(monkeypatch, emitter, 3.0)
    (second,) = set(folder.iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    assert compile_again(monkeypatch, emitter, 3.0) == 1


def test_another_version_of_the_code_generator_compiles_anew(monkeypatch, emitter):
    compile_again(monkeypatch, emitter)
    monkeypatch.setattr(kernels, "_SOURCES", (*kernels._SOURCES, "runtime/program.py"))
    assert compile_again(monkeypatch, emitter) == 1


def test_a_cache_that_is_off(monkeypatch, emitter, folder):
    monkeypatch.setattr(kernels, "objects", lambda: ObjectCache(None, ""))
    assert compile_again(monkeypatch, emitter) == 1
    assert compile_again(monkeypatch, emitter) == 1
    assert not folder.exists()


SCRIPT = """
import numpy as np
from flambeau._engine.runtime import kernels
from flambeau._engine.runtime.program import Program
from tests.engine.runtime.kernels import Emitter, chain, scale
emitter = Emitter()
kernels.emitter_of = lambda kernel: emitter
x = np.ones((3, 70), np.float32)
for factor in range(6):
    program = Program(chain((3, 70), scale((3, 70), factor=float(factor))))
    assert program.run([x])[0].sum() == factor * x.size
print(len(emitter.emitted))
"""


def test_processes_write_at_once(folder):
    environment = {**os.environ, "FLAMBEAU_CACHE": str(folder)}

    def start() -> subprocess.Popen:
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )

    both = [start() for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(list(folder.iterdir())) == 7  # the executor among them
    last = start()
    assert last.communicate(timeout=60)[0] == "0\n"


# --- the folder ------------------------------------------------------------------------------


def test_the_folder_and_files_are_private(store, folder):
    store.write("key", b"code")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(one_file(folder).stat().st_mode) == 0o600
    assert fresh(folder).read("key") == b"code"
    assert fresh(folder).read("other") is None
    assert ObjectCache(folder, "another stamp").read("key") is None


def refuses(folder: Path, match: str) -> None:
    """The folder is not used, and that is said once."""
    store = fresh(folder)
    with pytest.warns(RuntimeWarning, match=match):
        store.write("key", b"code")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.write("key", b"code")
        assert store.read("key") is None


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_may_write_to_is_not_used(folder, mode):
    folder.mkdir()
    folder.chmod(mode)
    refuses(folder, "writable by others")
    assert not list(folder.iterdir())


def test_a_link_is_not_followed(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    refuses(folder, "a symbolic link")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_another_users_folder_is_not_used(folder, monkeypatch):
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(cache.os, "geteuid", lambda: folder.stat().st_uid + 1)
    refuses(folder, "another user's")


def test_a_warning_that_is_an_error_stops_nothing(folder):
    folder.mkdir()
    folder.chmod(0o777)
    store = fresh(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.read("key") is None
        store.write("key", b"code")
    assert not list(folder.iterdir())


def test_a_file_in_place_of_the_folder(folder):
    folder.write_text("not a folder")
    store = fresh(folder)
    store.write("key", b"code")
    assert store.read("key") is None
    assert folder.read_text() == "not a folder"


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    store = fresh(tmp_path / "file" / "objects")
    store.write("key", b"code")
    assert store.read("key") is None


def test_a_folder_that_cannot_be_written_to_is_read(store, folder, monkeypatch):
    store.write("key", b"code")

    def refuse(*args, **how):
        raise PermissionError

    monkeypatch.setattr(cache, "_write", refuse)
    reader = fresh(folder)
    assert reader.read("key") == b"code"
    reader.write("other", b"code")
    assert reader.read("other") is None


def test_a_read_only_folder(store, folder):
    store.write("key", b"code")
    folder.chmod(0o500)
    try:
        reader = fresh(folder)
        reader.write("other", b"more")  # root may, others may not: no error either way
        assert reader.read("key") == b"code"
    finally:
        folder.chmod(0o700)


# --- single files ----------------------------------------------------------------------------


def test_a_file_that_others_may_write_to_is_not_used(store, folder):
    store.write("key", b"code")
    one_file(folder).chmod(0o622)
    assert store.read("key") is None
    store.write("key", b"code")
    assert store.read("key") == b"code"


def test_another_users_file_is_not_used(store, monkeypatch):
    store.write("key", b"code")
    mine = os.geteuid()
    asked = iter([mine, mine + 1])
    monkeypatch.setattr(cache.os, "geteuid", lambda: next(asked))
    assert store.read("key") is None


def test_a_link_to_a_file_is_not_followed(store, folder, tmp_path):
    store.write("key", b"code")
    file = one_file(folder)
    file.rename(tmp_path / "moved")
    file.symlink_to(tmp_path / "moved")
    assert store.read("key") is None


def test_a_pipe_is_not_waited_for(store, folder):
    store.write("key", b"code")
    file = one_file(folder)
    file.unlink()
    os.mkfifo(file)
    assert store.read("key") is None


def test_a_writer_that_fails_leaves_nothing(store, folder, monkeypatch):
    store.write("first", b"code")

    def fail(*args, **how):
        raise OSError("no space left")

    monkeypatch.setattr(cache.os, "rename", fail)
    store.write("second", b"code")
    assert len(list(folder.iterdir())) == 1


def test_the_oldest_files_go(folder):
    store = ObjectCache(folder, "stamp", limit=10_000)
    for number in range(20):
        store._writes = 0  # look at the size each time
        store.write(str(number), bytes(1000))
        file = folder / store._name(str(number))
        if file.exists():
            os.utime(file, (number, number))
    kept = [number for number in range(20) if store.read(str(number)) is not None]
    assert 19 in kept and 0 not in kept
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 10_000 + 1200


def test_files_are_bounded_in_number(folder):
    store = ObjectCache(folder, "stamp", most=8)
    for number in range(20):
        store._writes = 0
        store.write(str(number), b"code")
        assert len(list(folder.iterdir())) <= 8
    assert store.read("19") == b"code"


def test_short_processes_look_at_all_files_seldom(folder, monkeypatch):
    looked = []
    monkeypatch.setattr(ObjectCache, "_trim", lambda store, directory: looked.append(store))
    numbers = iter(range(128))
    monkeypatch.setattr(cache, "randbelow", lambda most: next(numbers) % most)
    for _ in range(128):
        fresh(folder).write("key", b"code")
    assert len(looked) == 2


def test_use_keeps_a_file_from_going(store, folder):
    store.write("key", b"code")
    file = one_file(folder)
    os.utime(file, (0, 0))
    store.read("key")
    assert time.time() - file.stat().st_mtime < 60


def test_abandoned_files_go(folder):
    fresh(folder).write("key", b"code")
    for name, age in ((".old", 7200), (".new", 0)):
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (time.time() - age,) * 2)
    store = fresh(folder)
    store._writes = 0
    store.write("other", b"code")
    assert {file.name for file in folder.iterdir() if file.name.startswith(".")} == {".new"}
