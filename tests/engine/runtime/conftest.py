"""Every test here has an emitter for the tests' own kernels, and keeps code in its own folder."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if find_spec("llvmlite") is None:
    collect_ignore_glob = ["*"]
else:
    from flambeau._engine.runtime import kernels, threads
    from flambeau._engine.runtime.cache import ObjectCache

    from .kernels import Emitter


@pytest.fixture
def folder(tmp_path):
    """Where compiled code is kept."""
    return tmp_path / "objects"


@pytest.fixture(autouse=True)
def emitter(monkeypatch, folder):
    """The emitter of the tests' kernels; nothing is loaded at first."""
    made, real = Emitter(), kernels.emitter_of
    ours = {"test_scale": made}
    monkeypatch.setattr(
        kernels, "emitter_of", lambda k: ours.get(getattr(k, "name", "")) or real(k)
    )
    monkeypatch.setattr(kernels, "objects", lambda: ObjectCache(folder, kernels.stamp()))
    monkeypatch.setattr(kernels, "_loaded", type(kernels._loaded)())
    return made


@pytest.fixture
def with_threads():
    """A function that sets the number of threads, for this test only."""
    before = threads.get_num_threads()
    yield threads.set_num_threads
    threads.set_num_threads(before)
