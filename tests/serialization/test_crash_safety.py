"""A kill, a full disk or an error in mid-save leaves the checkpoint that was there."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import flambeau as ft
from flambeau._serialization.atomic_file import replacing

ROOT = Path(__file__).parents[2]


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


KILLED_IN_MID_SAVE = """
import os, signal, sys
import flambeau as ft

class Bomb:
    def __init__(self, stream):
        self.stream = stream
    def write(self, data):
        count = self.stream.write(bytes(data)[:100_000])
        if self.stream.tell() > 200_000:
            self.stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return count

import flambeau.serialization as serialization
write_archive = serialization._write_archive
serialization._write_archive = lambda stream, *rest: write_archive(Bomb(stream), *rest)
ft.save(ft.zeros(1_000_000), sys.argv[1])
"""


@pytest.mark.parametrize("existed", [True, False])
def test_killed_at_a_chosen_byte(tmp_path, existed):
    path = tmp_path / "model.pt"
    if existed:
        ft.save({"epoch": 1}, path)
    done = subprocess.run(python(KILLED_IN_MID_SAVE, str(path)), env=environment(), timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert any(name.endswith(".partial") for name in os.listdir(tmp_path))  # it was in mid-save
    assert path.exists() == existed
    if existed:
        assert ft.load(path) == {"epoch": 1}


SAVES_FOREVER = """
import sys
import flambeau as ft
for epoch in range(10**6):
    ft.save({"epoch": epoch, "weight": ft.full((500_000,), float(epoch))}, sys.argv[1])
    print(epoch, flush=True)
"""


def test_killed_at_any_moment(tmp_path):
    path = tmp_path / "model.pt"
    for delay in (0.0, 0.004, 0.009, 0.015):
        process = subprocess.Popen(
            python(SAVES_FOREVER, str(path)), env=environment(), stdout=subprocess.PIPE
        )
        process.stdout.readline()  # the first save is done: from here on there is always one
        time.sleep(delay)
        process.kill()
        process.wait()
        process.stdout.close()
        found = ft.load(path)
        assert found["weight"].shape == (500_000,)
        assert bool((found["weight"] == found["epoch"]).all())


FULL_DISK = """
import resource, signal, sys
import flambeau as ft
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    ft.save(ft.zeros(1_000_000), sys.argv[1])
except OSError as error:
    print(error.strerror)
"""


def test_a_full_disk(tmp_path):
    path = tmp_path / "model.pt"
    ft.save({"epoch": 1}, path)
    done = subprocess.run(
        python(FULL_DISK, str(path)), env=environment(), timeout=60, capture_output=True, text=True
    )
    assert done.stdout.strip() == "File too large", done.stderr
    assert ft.load(path) == {"epoch": 1}
    assert os.listdir(tmp_path) == ["model.pt"]


def test_an_object_that_does_not_pickle(tmp_path):
    path = tmp_path / "model.pt"
    ft.save({"epoch": 1}, path)
    with pytest.raises((AttributeError, TypeError, Exception), match="pickle"):
        ft.save({"function": lambda: 1}, path)
    assert ft.load(path) == {"epoch": 1}
    assert os.listdir(tmp_path) == ["model.pt"]


def test_an_interrupt_in_the_block(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), replacing(path) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before" and os.listdir(tmp_path) == ["file"]


def test_links_permissions_and_new_files(tmp_path):
    real, link = tmp_path / "real.pt", tmp_path / "latest.pt"
    ft.save(1, real)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(real.stat().st_mode) == 0o666 & ~mask
    real.chmod(0o640)
    link.symlink_to(real)
    ft.save(2, link)
    assert link.is_symlink() and ft.load(real) == 2
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
