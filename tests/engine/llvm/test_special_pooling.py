"""Native pooling, against the eager rules."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.eager import RULES
from flambeau._engine.prims.resampling import Taps

from .specials import HOSTS, compare

RNG = np.random.default_rng(0)

CASES = [
    # operand, kernel, stride, padding, dilation, places
    ((2, 3, 8, 10), (2, 2), (2, 2), (0, 0), (1, 1), (4, 5)),
    ((2, 7, 37), (3, 3), (2, 1), (1, 1), (1, 1), (4, 37)),
    ((3, 20), (4,), (3,), (2,), (1,), (7,)),
    ((2, 9, 9), (3, 2), (2, 3), (1, 1), (2, 1), (4, 4)),
    ((1, 2, 5, 6, 7), (2, 3, 2), (2, 1, 2), (0, 1, 1), (1, 1, 1), (3, 6, 4)),
    ((6, 5), (2, 2), (1, 1), (0, 0), (1, 1), (5, 4)),
]


@pytest.mark.parametrize("shape, kernel, stride, padding, dilation, places", CASES)
def test_max_pool(shape, kernel, stride, padding, dilation, places):
    how = {
        "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation,
        "places": places,
    }  # fmt: skip
    for dtype, host in (("float32", HOSTS[0]), ("float64", HOSTS[1])):
        a = RNG.integers(-2, 3, shape).astype(dtype)  # with ties
        compare("max_pool", a, host=host, **how)
        a[..., ::2] = -np.inf
        a[..., -1:, 0] = np.nan
        compare("max_pool", a, host=host, **how)
        compare("max_pool", a.T.copy().T, host=host, **how)


@pytest.mark.parametrize("shape, kernel, stride, padding, dilation, places", CASES)
def test_sums_of_windows(shape, kernel, stride, padding, dilation, places):
    a = RNG.standard_normal(shape).astype("float32")
    (found,) = compare("window_sum", a, kernel=kernel, stride=stride)
    ones = (1,) * len(kernel)
    size = shape[len(shape) - len(kernel) :]
    how = {"size": size, "stride": stride, "dilation": ones}
    everywhere = np.broadcast_to(found, (*kernel, *found.shape))
    compare("fold_windows", everywhere, **how)
    scalar = np.broadcast_to(np.float64(1.5), everywhere.shape)
    compare("fold_windows", scalar, **how)


def test_folds_of_dilated_windows():
    a = RNG.standard_normal((2, 11, 12)).astype("float32")
    how = {"stride": (1, 2), "dilation": (2, 3)}
    found = RULES["windows"](a, kernel=(3, 2), **how).copy()
    compare("fold_windows", found, size=(11, 12), **how)
    compare("fold_windows", found.swapaxes(0, 2).copy().swapaxes(0, 2), size=(11, 12), **how)


def _taps(weighted):
    rows = [([0, 2, 2], [0.5, 0.25, 0.125]), ([], []), ([4], [-1.0]), ([3, 1], [2.0, 1.0])]
    return Taps.rows(
        5, [(np.array(p, np.int64), np.array(x) if weighted else None) for p, x in rows]
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_resampling(weighted):
    taps = _taps(weighted)
    for dim, shape in ((0, (5,)), (1, (3, 5)), (0, (5, 37)), (1, (2, 5, 3, 4))):
        for dtype in ("float32", "float64"):
            a = RNG.standard_normal(shape).astype(dtype)
            compare("resample", a, taps=taps, dim=dim, tolerance=1e-6)
            compare("resample", a.T.copy().T, taps=taps, dim=dim, tolerance=1e-6)
    g = RNG.standard_normal((2, 4, 3)).astype("float32")
    compare("resample", g, taps=taps.transposed, dim=1, tolerance=1e-6)
