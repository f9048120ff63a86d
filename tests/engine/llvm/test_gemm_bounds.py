"""Matrix products read nothing beyond their operands, which lie between unreadable pages."""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from benchmarks.gemm import product
from flambeau._engine.runtime import kernels
from flambeau._engine.runtime.cache import ObjectCache

from .native import HOSTS

SHAPES = ((1, 256, 100), (7, 13, 5), (33, 17, 129), (129, 65, 70), (31, 100, 300))
PAGE = mmap.PAGESIZE


def against_a_wall(values: np.ndarray, last: bool) -> np.ndarray:
    """A copy that ends where a page begins that cannot be read, or begins where one ends."""
    pages = -(-values.nbytes // PAGE)
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for page in (0, pages + 1):
        assert protect(begin + page * PAGE, PAGE, 0) == 0
    offset = (pages + 1) * PAGE - values.nbytes if last else PAGE
    copy = np.frombuffer(memory, values.dtype, values.size, offset).reshape(values.shape)
    copy[...] = values
    return copy


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is protected as on Linux")
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name or "host")
def test_nothing_beyond_the_operands_is_read(host, layout, last, monkeypatch):
    monkeypatch.setattr(kernels, "detect", lambda: host)
    monkeypatch.setattr(kernels, "_loaded", type(kernels._loaded)())
    monkeypatch.setattr(kernels, "objects", lambda: ObjectCache(None, ""))
    random = np.random.default_rng(0)
    for m, n, k in SHAPES:
        sides = [random.standard_normal(shape, np.float32) for shape in ((m, k), (k, n))]
        a, b = (
            against_a_wall(x.T, last).T if side == "T" else against_a_wall(x, last)
            for x, side in zip(sides, layout, strict=True)
        )
        product(a, b)()  # compares with NumPy, too
