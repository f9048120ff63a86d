"""Each pass by text, before and after; and that passes keep what a graph computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from flambeau._engine.eager.mt19937 import GeneratorState
from flambeau._engine.graph.check import check
from flambeau._engine.graph.interpreter import Interpreted
from flambeau._engine.graph.printer import text_of
from flambeau._engine.passes.chunk import chunk
from flambeau._engine.passes.cse import cse
from flambeau._engine.passes.dce import dce
from flambeau._engine.passes.decompose import decompose
from flambeau._engine.passes.fold import fold
from flambeau._engine.passes.pipeline import PIPELINE, optimise
from flambeau._engine.passes.scale import scale
from tests.engine.loops.programs import F32, Making, assert_close, copies, programs, rounding


def array(*shape, dtype=np.float32):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def body(graph):
    """The text of a graph's nodes and results."""
    check(graph)
    return [line for line in text_of(graph).splitlines() if not line.startswith("inputs")]


def folded(build, *inputs):
    """The text after folding what `build(making, *inputs)` makes, dead nodes left out."""
    making = Making()
    result = build(making, *(making.input(a) for a in inputs))
    return body(dce(fold(making.graph([result]))))


X = array(2, 3)


@pytest.mark.parametrize(
    "build",
    [
        lambda m, x: m.call("mul", x, 1),
        lambda m, x: m.call("mul", 1.0, x),
        lambda m, x: m.call("mul", x, m.call("full", shape=(), value=1, dtype=F32)),
        lambda m, x: m.call("div", x, 1.0),
        lambda m, x: m.call("sub", x, 0.0),
        lambda m, x: m.call("add", x, -0.0),
        lambda m, x: m.call("neg", m.call("neg", x)),
        lambda m, x: m.call("convert", x, dtype=F32),
        lambda m, x: m.call("copy", x, order="C"),
        lambda m, x: m.call("view", m.call("view", x, shape=(6,)), shape=(2, 3)),
        lambda m, x: m.call("permute", m.call("permute", x, dims=(1, 0)), dims=(1, 0)),
        lambda m, x: m.call("slice", x, index=((0, 2, 1), (0, 3, 1))),
        lambda m, x: m.call("expand", x, shape=(2, 3)),
        lambda m, x: m.call("pow", x, 1),
        lambda m, x: m.call("alias", x),
    ],
)
def test_what_changes_nothing_goes(build):
    assert folded(build, X) == ["return %0"]


@pytest.mark.parametrize(
    "build",
    [
        lambda m, x: m.call("add", x, 0.0),  # -0 + 0 is 0
        lambda m, x: m.call("sub", x, -0.0),
        lambda m, x: m.call("sub", 0.0, x),
        lambda m, x: m.call("mul", x, 0.0),  # NaN
        lambda m, x: m.call("div", 1.0, x),
        lambda m, x: m.call("mul", x, m.number(1.0)),
    ],
)
def test_what_changes_something_stays(build):
    assert len(folded(build, X)) == 2


def test_adding_zero_to_integers():
    assert folded(lambda m, x: m.call("add", x, 0), array(3, dtype=np.int64)) == ["return %0"]


def test_arithmetic_on_constants():
    def build(m, x):
        one = m.call("full", shape=(3,), value=2.0, dtype=F32)
        return m.call("add", m.call("exp", m.call("neg", one)), 1)

    number = float(np.float32(np.exp(np.float32(-2))) + np.float32(1))
    assert folded(build, X) == [
        f"%1: float32[3] = full(shape=(3,), value={number}, dtype=float32)",
        "return %1",
    ]


def test_uniform_operands_become_numbers():
    def build(m, x):
        return m.call("maximum", x, m.call("full", shape=(1, 3), value=2, dtype=F32))

    assert folded(build, X) == ["%1: float32[2, 3] = maximum(%0, 2.0)", "return %1"]


def test_views_of_views():
    def build(m, x):
        return m.call("permute", m.call("permute", x, dims=(1, 2, 0)), dims=(1, 2, 0))

    assert folded(build, array(2, 3, 4)) == [
        "%1: float32[4, 2, 3] = permute(%0, dims=(2, 0, 1))",
        "return %1",
    ]


def test_a_copy_of_a_view_stays():
    def build(m, x):
        return m.call("copy", m.call("permute", x, dims=(1, 0)), order="C")

    assert len(folded(build, X)) == 3


def test_reductions_over_single_elements():
    def build(m, x):
        return m.call("sum", x, dims=(1,), keepdim=False)

    assert folded(build, array(3, 1)) == ["%1: float32[3] = view(%0, shape=(3,))", "return %1"]


def test_widening_and_back():
    def build(m, x):
        wide = m.call("convert", x, dtype=np.dtype(np.float32))
        return m.call("convert", wide, dtype=np.dtype(np.float16))

    assert folded(build, array(3, dtype=np.float16)) == ["return %0"]


def test_equal_nodes_are_one():
    m = Making()
    x = m.input(X)
    found = m.call("mul", m.call("exp", x), m.call("exp", x))
    assert body(cse(m.graph([found]))) == [
        "%1: float32[2, 3] = exp(%0)",
        "%2: float32[2, 3] = mul(%1, %1)",
        "return %2",
    ]


def test_numbers_that_look_equal_are_not():
    m = Making()
    x = m.input(X)
    first, second = m.call("add", x, 0.0), m.call("add", x, -0.0)
    assert len(cse(m.graph([first, second])).nodes) == 2


def test_random_nodes_are_never_equal_and_never_dead():
    m = Making()
    generator = GeneratorState(1)
    params = {"shape": (2,), "dtype": F32, "low": 0.0, "high": 1.0, "generator": generator}
    first, second = (m.call("random_uniform", **params) for _ in range(2))
    graph = m.graph([first])
    assert len(cse(graph).nodes) == len(dce(graph).nodes) == 2
    assert second is not first


def test_dead_nodes_go_and_checks_stay():
    m = Making()
    x = m.input(array(3, dtype=np.int64))
    m.call("neg", x)
    m.call("check_index", x, low=0, high=5, ignored=None)
    assert body(dce(m.graph([x]))) == [
        "check_index(%0, low=0, high=5, ignored=None)",
        "return %0",
    ]


def test_softmax_in_steps():
    m = Making()
    x = m.input(X)
    assert body(decompose(m.graph([m.call("softmax", x, dim=1)]))) == [
        "%1: float32[2, 1] = amax(%0, dims=(1,), keepdim=True)",
        "%2: float32[2, 3] = sub(%0, %1)",
        "%3: float32[2, 3] = exp(%2)",
        "%4: float32[2, 1] = sum(%3, dims=(1,), keepdim=True)",
        "%5: float32[2, 1] = reciprocal(%4)",
        "%6: float32[2, 3] = mul(%3, %5)",
        "return %6",
    ]


def test_scaled_operands_of_products():
    m = Making()
    a, b = m.input(array(2, 3)), m.input(array(4, 3))
    turned = m.call("permute", m.call("mul", b, 0.5), dims=(1, 0))
    graph = m.graph([m.call("matmul", m.call("mul", a, 0.5), turned)])
    assert body(dce(scale(graph))) == [
        "%2: float32[3, 4] = permute(%1, dims=(1, 0))",
        "%3: float32[2, 4] = matmul(%0, %2)",
        "%4: float32[2, 4] = mul(%3, 0.25)",
        "return %4",
    ]


def test_large_reductions_in_two_steps():
    m = Making()
    x = m.input(np.ones((64, 1024), np.float32))
    assert body(chunk(m.graph([m.call("sum", x, dims=(0, 1), keepdim=True)]))) == [
        "%1: float32[64] = sum(%0, dims=(1,), keepdim=False)",
        "%2: float32[] = sum(%1, dims=(0,), keepdim=False)",
        "%3: float32[1, 1] = view(%2, shape=(1, 1))",
        "return %3",
    ]


def test_large_reductions_of_columns():
    m = Making()
    x = m.input(np.ones((8192, 8), np.float32))
    lines = body(chunk(m.graph([m.call("amax", x, dims=(0,), keepdim=False)])))
    assert lines[:2] == [
        "%1: float32[16, 512, 8] = view(%0, shape=(16, 512, 8))",
        "%2: float32[16, 8] = amax(%1, dims=(1,), keepdim=False)",
    ]


def nll(reduction, ignore_index, target):
    rng = np.random.default_rng(0)
    m = Making()
    shape = (target.shape[0], 4, *target.shape[1:]) if target.ndim else (4,)
    a, t = m.input(rng.standard_normal(shape).astype(np.float32)), m.input(target)
    params = {"reduction": reduction, "ignore_index": ignore_index}
    loss, total = m.call("nll_loss", a, t, None, **params)
    grad = m.call("nll_loss_grad", loss, t, None, total, shape=shape, **params)
    return m, m.graph([loss, total, grad])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore_index", [-100, 2])
@pytest.mark.parametrize(
    "target", [np.array([0, 2, 3]), np.array(1), np.array([[0, 2], [2, 1]])], ids=str
)
def test_losses_in_steps(reduction, ignore_index, target):
    m, graph = nll(reduction, ignore_index, target)
    assert_same(graph, optimise(graph), m.arrays, m.numbers)


def assert_same(graph, other, arrays, numbers):
    """Two graphs compute the same."""
    check(other)
    ours, theirs = copies(arrays), copies(arrays)
    got = Interpreted(other).run(ours, numbers)
    expected = Interpreted(graph).run(theirs, numbers)
    for one, two in zip([*got, *ours], [*expected, *theirs], strict=True):
        assert_close(one, two, rounding(graph))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs())
def test_passes_keep_what_is_computed(program):
    graph, arrays, numbers = program
    assert_same(graph, optimise(graph), arrays, numbers)


def test_the_pipeline_is_documented():
    assert all(run.__module__.startswith("flambeau._engine.passes") for run in PIPELINE)


def test_transposed_products():
    m = Making()
    a, b = m.input(array(2, 3)), m.input(array(4, 3))
    product = m.call("matmul", a, m.call("permute", b, dims=(1, 0)))
    graph = m.graph([m.call("permute", product, dims=(1, 0))])
    assert body(dce(fold(graph))) == [
        "%2: float32[3, 2] = permute(%0, dims=(1, 0))",
        "%3: float32[4, 2] = matmul(%1, %2)",
        "return %3",
    ]
    both = m.graph([product, m.call("permute", product, dims=(1, 0))])
    assert len(dce(fold(both)).nodes) == 3  # once is enough
