"""Native copying and running sums, against the eager rules."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from .specials import HOSTS, compare

RNG = np.random.default_rng(0)
DTYPES = ("float32", "float64", "int8", "bool", "bfloat16", "complex64")


def _array(shape, dtype):
    return np.asarray(RNG.standard_normal(shape) * 10).astype("float32").astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_copies_between_layouts(dtype):
    for shape in ((), (5,), (3, 4), (70, 33), (130, 17), (2, 3, 4), (9, 16, 20)):
        a = _array(shape, dtype)
        compare("copy", a.T, order="C")
        if a.ndim == 3:
            compare("copy", a.transpose(0, 2, 1), order="C")
            compare("copy", a.transpose(1, 0, 2), order="C")
            compare("copy", a[:, ::-1, ::2], order="C")
    compare("copy", _array((200, 96), dtype).T, order="C", pieces=3)
    compare("copy", np.broadcast_to(_array((4, 1), dtype), (4, 3)), order="C")


@pytest.mark.parametrize("host", HOSTS, ids=lambda h: h.name)
def test_copies_on_other_hosts(host):
    compare("copy", _array((40, 50), "float32").T, order="C", host=host)
    compare("copy", _array((40, 50), "float64").T, order="C", host=host)


def test_flip():
    for shape, dims in (((5,), (0,)), ((4, 6), (1,)), ((100, 3), (0,)), ((3, 4, 5), (0, 2))):
        compare("flip", _array(shape, "float32"), dims=dims)
        compare("flip", _array(shape, "int64").T.copy().T, dims=dims)


def test_cat():
    for dim in (0, 1, 2):
        shapes = [[3, 4, 5] for _ in range(3)]
        shapes[1][dim] = 1
        shapes[2][dim] = 0
        compare("cat", *[_array(shape, "float32") for shape in shapes], dim=dim)
    compare("cat", _array((20, 30), "float32"), _array((30, 20), "float32").T, dim=1)
    compare("cat", _array((3,), "bool"), dim=0)


def test_pad():
    for value in (0, -1.5):
        compare("pad", _array((5,), "float32"), widths=((2, 3),), value=value)
        compare("pad", _array((4, 6), "float64").T, widths=((0, 1), (2, 0)), value=value)
    compare("pad", _array((4, 0), "int64"), widths=((0, 1), (2, 0)), value=7)
    compare("pad", _array((4, 3), "bfloat16"), widths=((0, 1), (2, 0)), value=1.5)


def test_unslice():
    shape = (6, 5, 4)
    for index in ((2,), ((1, 5, 2),), (None, (0, 6, 1), 3), ((0, 6, 3), (1, 2, 1), (0, 4, 1))):
        a = np.zeros(shape)[tuple(slice(*i) if type(i) is tuple else i for i in index)]
        compare("unslice", _array(a.shape, "float32"), shape=shape, index=index)


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_scans(name):
    for dtype, shapes in (("float32", ((7,), (3, 50), (4, 5, 6))), ("int64", ((1, 33), (4, 5)))):
        for shape in shapes:
            a = (RNG.standard_normal(shape) * (10 if dtype == "int64" else 1)).astype(dtype)
            for dim in range(a.ndim):
                compare(name, a, dim=dim)
                compare(name, a.T.copy().T, dim=dim)
