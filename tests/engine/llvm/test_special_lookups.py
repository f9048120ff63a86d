"""Native reading and writing by index, against the eager rules."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.loops.special import OUT_OF_RANGE, special, supports

from .specials import HOSTS, Fault, call, compare, compiled, layout, node_of, run

RNG = np.random.default_rng(0)


def _normal(*shape, dtype="float32"):
    return np.asarray(RNG.standard_normal(shape)).astype(dtype)


def _index(high, *shape, dtype="int64", low=0):
    return np.asarray(RNG.integers(low, high, shape)).astype(dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(8, 5), (1, 3), (5,), (4, 3, 2, 5), (300, 10)])
@pytest.mark.parametrize("weighted", [False, True])
def test_nll_loss_and_gradient(shape, reduction, weighted):
    classes = shape[1 if len(shape) > 1 else 0]
    target_shape = (shape[0], *shape[2:]) if len(shape) > 1 else ()
    for dtype, ignored in (("float32", -100), ("float64", 2)):
        a, target = _normal(*shape, dtype=dtype), _index(classes, *target_shape)
        if ignored == -100 and target.size:
            target.flat[0] = -100
        weight = abs(_normal(classes, dtype=dtype)) if weighted else None
        params = {"reduction": reduction, "ignore_index": ignored}
        loss, total = compare("nll_loss", a, target, weight, tolerance=2e-6, **params)
        g = _normal(*loss.shape, dtype=dtype)
        compare("nll_loss_grad", g, target, weight, total, shape=shape, tolerance=1e-6, **params)


def test_an_ignored_entry_may_be_infinite():
    a = np.array([[-np.inf, -1.0], [-2.0, -3.0]], np.float32)
    params = {"reduction": "mean", "ignore_index": 0}
    loss, total = compare("nll_loss", a, np.array([0, 1]), None, **params)
    assert loss == 3.0 and total == 1.0


def test_ignored_targets_get_no_gradient_even_if_all_are():
    target, one = np.array([-100, -100]), np.ones((), np.float32)
    params = {"reduction": "mean", "ignore_index": -100}
    (g,) = compare("nll_loss_grad", one, target, None, np.zeros_like(one), shape=(2, 3), **params)
    assert (g == 0).all()


@pytest.mark.parametrize("wrong", [5, -1, 1 << 40])
def test_targets_out_of_range_are_faults(wrong):
    a, target = _normal(4, 5), np.array([0, 1, wrong, 2])
    params = {"reduction": "mean", "ignore_index": -100}
    like = [np.empty((), np.float32)] * 2
    with pytest.raises(Fault) as error:
        run("nll_loss", a, target, None, results=like, **params)
    assert error.value.args == (OUT_OF_RANGE,)
    g, total = np.ones((), np.float32), np.ones((), np.float32)
    with pytest.raises(Fault):
        run("nll_loss_grad", g, target, None, total, results=[a], shape=(4, 5), **params)


@pytest.mark.parametrize("host", HOSTS, ids=lambda h: h.name)
def test_embedding(host):
    params = {"padding_idx": None, "scale_grad_by_freq": False, "host": host}
    for dtype in ("float32", "float64", "int64", "bfloat16", "bool"):
        for row in ((), (1,), (7,), (64,), (3, 5)):
            weight = _normal(10, *row, dtype="float32").astype(dtype)
            compare("embedding", weight, _index(10, 3, 5), **params)
    weight = _normal(6, 10).T
    compare("embedding", weight, _index(10, 4, dtype="int32"), **params)
    compare("embedding", weight, _index(10, 4, 6).T, **params)
    for wrong in (-1, 10):
        with pytest.raises(Fault):
            run("embedding", weight, np.array([0, wrong]), results=[_normal(2, 6)], **params)


INDEX_CASES = [
    ((6, 5), (True, False), [(3,)]),
    ((6, 5), (False, True), [(3,)]),
    ((6, 5), (True, True), [(4,), (4,)]),
    ((6, 5), (True, True), [(4, 1), (3,)]),
    ((6, 5, 4), (False, True, False), [(2, 3)]),
    ((6, 5, 4), (True, False, True), [(3,), (3,)]),
    ((6, 5, 4, 3), (True, False, True, False), [(2, 1), (1, 3)]),
    ((6, 5, 4, 3), (False, True, True, False), [(2,), ()]),
    ((6, 5), (True, False), [()]),
    ((7,), (True,), [(9,)]),
    ((6, 1, 33), (True, False, False), [(3,)]),
]


@pytest.mark.parametrize("shape, pattern, shapes", INDEX_CASES)
def test_index_and_index_put(shape, pattern, shapes):
    sizes = [n for n, taken in zip(shape, pattern) if taken]
    indices = [_index(n, *s, low=-n) for n, s in zip(sizes, shapes)]
    for dtype in ("float32", "int64"):
        a = (_normal(*shape) * 10).astype(dtype)
        (found,) = compare("index", a, *indices, pattern=pattern)
        compare("index", a.T.copy().T, *indices, pattern=pattern)
        for accumulate in (False, True):
            how = {"pattern": pattern, "accumulate": accumulate}
            value = (_normal(*found.shape) * 10).astype(dtype)
            for in_place in (False, True):
                compare("index_put", a, value, *indices, in_place=in_place, tolerance=1e-6, **how)
            part = value[tuple(slice(0, 1) for _ in value.shape[:1])]
            compare("index_put", a, part, *indices, tolerance=1e-6, **how)
            compare("index_put", a.T.copy().T, value, *indices, tolerance=1e-6, **how)


@pytest.mark.parametrize("wrong", [6, -7])
def test_indices_out_of_range_write_nothing(wrong):
    a, value, index = _normal(6, 100), _normal(3, 100), np.array([0, 1, wrong])
    with pytest.raises(Fault):
        run("index", a, index, pattern=(True, False), results=[value])
    target = a.copy()
    how = {"pattern": (True, False), "accumulate": True}
    node = node_of("index_put", (a, value, index), how, [a])
    kernel = special(node, layout)
    with pytest.raises(Fault):
        call(kernel, compiled(kernel), [target, value, index, target])
    assert (target == a).all()


def test_index_put_over_a_number():
    value, index = _normal(5, 70), _index(9, 5)
    how = {"pattern": (True, False), "accumulate": True}
    wanted = np.zeros((9, 70), np.float32)
    np.add.at(wanted, index, value)
    (found,) = run("index_put", 0, value, index, results=[wanted], **how)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    half = np.full((9, 70), 0.5, np.float32)
    half[index] = 2
    how["accumulate"] = False
    (found,) = run("index_put", 0.5, 2, index, results=[half], **how)
    assert (found == half).all()


SCATTER_CASES = [
    ((6,), (9,), (9,), 0),
    ((6, 5), (3, 5), (3, 5), 0),
    ((6, 5), (6, 3), (6, 3), 1),
    ((6, 5), (2, 3), (4, 5), 1),
    ((6, 5), (2, 3), (4, 5), 0),
    ((3, 4, 5), (2, 7, 3), (2, 7, 3), 1),
    ((), (), (), 0),
    ((6, 5), (0, 5), (0, 5), 0),
]


@pytest.mark.parametrize("shape, index_shape, source_shape, dim", SCATTER_CASES)
def test_gather_and_scatter(shape, index_shape, source_shape, dim):
    index = _index(shape[dim] if shape else 1, *index_shape)
    for dtype in ("float32", "int32"):
        a = np.asarray(_normal(*shape) * 10).astype(dtype)
        source = np.asarray(_normal(*source_shape) * 10).astype(dtype)
        flipped = index.T.copy().T
        if index.size:
            compare("gather", a, flipped, dim=dim)
            compare("gather", a.T.copy().T, index, dim=dim)
        for in_place in (False, True):
            compare("scatter", a, index, source, dim=dim, in_place=in_place)
            compare("scatter_add", a, flipped, source, dim=dim, in_place=in_place, tolerance=1e-6)
        for reduce in ("prod", "amax", "amin"):
            compare("scatter_reduce", a, index, source, dim=dim, reduce=reduce, tolerance=1e-5)
        compare("scatter", a, index, 3, dim=dim)


def test_scattered_extremes_of_nan():
    a = np.array([1, np.nan, 3], np.float32)
    source = np.array([np.nan, 5, 2, 4, np.inf], np.float32)
    index = np.array([0, 1, 2, 2, 0])
    for reduce in ("amax", "amin"):
        compare("scatter_reduce", a, index, source, dim=0, reduce=reduce)


@pytest.mark.parametrize("name", ["scatter", "scatter_add"])
def test_scatter_out_of_range(name):
    a, source = _normal(4, 3), _normal(2, 3)
    for wrong in (-1, 4):
        index = np.array([[0, 1, 2], [0, wrong, 1]])
        with pytest.raises(Fault):
            run(name, a, index, source, dim=0, results=[a])
        with pytest.raises(Fault):
            run("gather", a, index, dim=0, results=[source])


def test_check_index():
    params = {"low": 0, "high": 4, "ignored": -100}
    for dtype in ("int64", "int32", "uint8"):
        target = _index(4, 21, 3, dtype=dtype)
        if dtype != "uint8":
            target[5, 1] = -100
        for layout_of in (target, target.T, target[::2, :2]):
            run("check_index", layout_of, results=[], **params)
        target[-1, 2] = 4
        for layout_of in (target, target.T, target[::2, 1:]):
            with pytest.raises(Fault):
                run("check_index", layout_of, results=[], **params)


def test_sums_over_no_target_have_code_and_empty_results_have_not():
    a, target = _normal(0, 4), _index(4, 0)
    params = {"reduction": "sum", "ignore_index": -100}
    assert compare("nll_loss", a, target, None, **params)[0] == 0
    node = node_of("embedding", (_normal(5, 3), target), {}, [_normal(0, 3)])
    assert not supports(node)
