"""Every test here compiles with the tests' own emitter, and keeps code in its own folder."""

from __future__ import annotations

import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.runtime import kernels, threads  # noqa: E402
from flambeau._engine.runtime.cache import ObjectCache  # noqa: E402

from .kernels import Emitter  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """Where compiled code is kept."""
    return tmp_path / "objects"


@pytest.fixture(autouse=True)
def emitter(monkeypatch, folder):
    """The emitter that stands in for the real ones; nothing is loaded at first."""
    made = Emitter()
    monkeypatch.setattr(kernels, "emitter_of", lambda kernel: made)
    monkeypatch.setattr(kernels, "objects", lambda: ObjectCache(folder, kernels.stamp()))
    monkeypatch.setattr(kernels, "_loaded", type(kernels._loaded)())
    return made


@pytest.fixture
def with_threads():
    """A function that sets the number of threads, for this test only."""
    before = threads.get_num_threads()
    yield threads.set_num_threads
    threads.set_num_threads(before)
