"""Native random numbers: the eager tier's, and the generator left in the same state."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.eager import RULES
from flambeau._engine.eager.mt19937 import GeneratorState

from .specials import HOSTS, call, compiled, expected, layout, node_of, run, special

FLOAT32, FLOAT64, INT64 = np.dtype("float32"), np.dtype("float64"), np.dtype("int64")
CASES = [
    ("random_uniform", FLOAT32, {"low": 0.0, "high": 1.0}),
    ("random_uniform", FLOAT32, {"low": -0.3, "high": 0.7}),
    ("random_uniform", FLOAT64, {"low": 0.0, "high": 1.0}),
    ("random_uniform", FLOAT64, {"low": -0.3, "high": 7.7}),
    ("random_bernoulli", FLOAT32, {"p": 0.3}),
    ("random_bernoulli", FLOAT64, {"p": 1.0}),
    ("dropout_mask", FLOAT32, {"keep": 0.9, "scale": 1 / 0.9}),
    ("dropout_mask", FLOAT64, {"keep": 0.5, "scale": 2.0}),
    ("random_integers", INT64, {"low": -5, "high": 17}),
    ("random_integers", np.dtype("uint8"), {"low": 0, "high": 200}),
    ("random_integers", INT64, {"low": -(1 << 40), "high": 1 << 60}),
    ("random_integers", FLOAT32, {"low": 0, "high": 1000}),
]


def _generator(skip=0):
    state = GeneratorState(12345)
    state.words(skip)
    return state


def _agree(name, host=HOSTS[0], skip=0, tolerance=0.0, **params):
    eager, native = _generator(skip), _generator(skip)
    wanted = expected(name, generator=eager, **params)
    found = run(name, generator=native, results=wanted, host=host, **params)
    np.testing.assert_allclose(found[0], wanted[0], rtol=tolerance, atol=tolerance)
    assert native.to_bytes() == eager.to_bytes()


@pytest.mark.parametrize("name, dtype, params", CASES)
def test_draws(name, dtype, params):
    for skip, shape in enumerate(((5, 7), (1500,))):
        _agree(name, HOSTS[0], skip=skip * 33, shape=shape, dtype=dtype, **params)


@pytest.mark.parametrize("name, dtype, params", CASES[1:9:2])
def test_draws_on_other_hosts(name, dtype, params):
    for host in HOSTS[1:]:
        _agree(name, host, shape=(33, 41), dtype=dtype, **params)


def test_every_place_in_the_block():
    for skip in (1, 311, 622, 623, 624, 625):
        _agree("dropout_mask", skip=skip, shape=(700,), dtype=FLOAT32, keep=0.5, scale=2.0)


def test_the_end_of_the_range_is_excluded():
    low, high = 1.0, float(np.nextafter(np.float32(1), np.float32(2)))
    _agree("random_uniform", shape=(100,), dtype=FLOAT32, low=low, high=high)


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
@pytest.mark.parametrize("count", [16, 47, 1024, 2600])
def test_normal_numbers(count, dtype):
    tolerance = 1e-6 if dtype == FLOAT32 else 1e-14
    for mean, std in ((0.0, 1.0), (3.0, 0.5)):
        how = {"shape": (count,), "dtype": dtype, "mean": mean, "std": std, "serial": False}
        _agree("random_normal", skip=count % 5, tolerance=tolerance, **how)


@pytest.mark.parametrize("count", [1, 2, 10, 6000])
def test_permutations(count):
    _agree("random_permutation", count=count, dtype=INT64)


def test_probabilities_that_vary_are_entries_of_the_numbers():
    from flambeau._engine.graph.ir import Number

    params = {"shape": (100,), "dtype": FLOAT32, "generator": _generator()}
    like = np.empty(100, np.float32)
    varying = {**params, "keep": Number(1), "scale": Number(0)}
    kernel = special(node_of("dropout_mask", (), varying, [like]), layout)
    call(kernel, compiled(kernel), [params["generator"].memory(), like], [1 / 0.7, 0.7])
    params["generator"] = _generator()
    assert (like == RULES["dropout_mask"](keep=0.7, scale=1 / 0.7, **params)).all()


def test_the_memory_stays_where_it_is():
    state = _generator()
    memory = state.memory()
    where = memory.ctypes.data
    state.manual_seed(7)
    assert state.memory().ctypes.data == where
    saved = GeneratorState(7)
    assert state.to_bytes() == saved.to_bytes()
    first = state.words(3)
    assert memory[-1] == 3
    state.from_bytes(saved.to_bytes())
    assert state.memory().ctypes.data == where and (state.words(3) == first).all()
