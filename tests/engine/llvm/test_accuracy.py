"""Vector maths against wider precision: units in the last place, over all magnitudes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.eager import RULES

from .native import HOSTS, Native, elementwise, joined

# the largest error allowed on a host that fuses multiplication and addition, in units in the
# last place: float32, float64
LIMITS = {
    "exp": (1.0, 1.1), "exp2": (1.1, 1.2), "expm1": (1.5, 2.0), "sigmoid": (1.6, 1.6),
    "tanh": (1.7, 2.0), "cosh": (1.6, 1.6), "sinh": (2.2, 2.4), "log": (0.9, 0.9),
    "log2": (1.8, 1.6), "log10": (1.9, 1.8), "log1p": (1.5, 1.5), "erf": (1.3, None),
    "sin": (1.6, 1.0), "cos": (1.6, 1.0), "tan": (3.2, 1.0), "asin": (1.8, 1.0),
    "acos": (1.5, 1.0), "atan": (1.4, 1.0),
}  # fmt: skip
UNFUSED = 1.0  # what may come on top without fused multiplication
NUMPY = {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan}


def sigmoid(x):
    z = np.exp(-np.abs(x))
    return np.where(x < 0, z, 1) / (1 + z)


def exact(name: str, x: np.ndarray) -> np.ndarray:
    """The function in the next wider precision."""
    wide = x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)
    if name == "sigmoid":
        return sigmoid(wide)
    if name == "erf":
        return RULES["erf"](wide)
    return NUMPY.get(name, getattr(np, name, None))(wide)


def samples(dtype: np.dtype) -> np.ndarray:
    """Bit patterns all over the format, normal numbers, and the edges of exponentials."""
    random = np.random.default_rng(0)
    bits = random.integers(0, 1 << 8 * dtype.itemsize, 60000, dtype=f"u{dtype.itemsize}")
    edge = 88.73 if dtype == np.float32 else 709.79
    around = [edge * factor * (1 + random.normal(size=500) * 1e-3) for factor in (1, -1, -1.17)]
    tiny = np.finfo(dtype).tiny * random.uniform(-2, 2, 1000)
    moderate = [random.normal(size=20000) * spread for spread in (0.1, 1, 10, 100)]
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, np.finfo(dtype).max, np.finfo(dtype).min]
    rest = np.concatenate([*around, tiny, *moderate, special]).astype(dtype)
    return np.concatenate([bits.view(dtype), rest])


def ulps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """How far `got` is off, in units in its last place; NaN where only one of them is NaN."""
    rounded = want.astype(got.dtype)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    # infinity counts as the number that would follow
    spacing = np.spacing(np.minimum(np.abs(rounded), np.finfo(got.dtype).max))
    off = np.abs(got.astype(want.dtype) - want) / spacing
    return np.where(same & ~np.isfinite(rounded), 0, off)


@pytest.mark.parametrize("host", HOSTS, ids=lambda h: h.name)
@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.float64)], ids=str)
def test_errors(dtype, host):
    x = samples(dtype)
    column = 0 if dtype == np.float32 else 1
    names = [name for name in LIMITS if LIMITS[name][column] is not None]
    outs = [np.empty_like(x) for _ in names]
    Native(joined([elementwise(n, [x], o) for n, o in zip(names, outs)]), host)([x, *outs])
    wrong = {}
    with np.errstate(all="ignore"):
        for name, got in zip(names, outs):
            want = exact(name, x)
            off = ulps(got, want)
            worst = int(np.nanargmax(np.where(np.isnan(off), np.inf, off)))
            if not off[worst] <= LIMITS[name][column] + (0 if host.fma else UNFUSED):
                wrong[name] = (x[worst], got[worst], want[worst], off[worst])
            zeros = got == 0
            if (np.signbit(got) != np.signbit(want.astype(dtype)))[zeros].any():
                wrong[name] = "the sign of zero"
    assert not wrong


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pow(dtype):
    random = np.random.default_rng(1)
    x = np.abs(random.normal(size=20000)).astype(dtype) * 3
    y = (random.normal(size=20000) * 20).astype(dtype)
    out = np.empty_like(x)
    Native(elementwise("pow", [x, y], out))([x, y, out])
    wide = np.float64 if dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        assert ulps(out, np.power(x.astype(wide), y.astype(wide))).max() < 1.1
