"""Half precision becomes float32 between conversions: the same bits as the eager rules give."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from flambeau._engine.eager.mt19937 import GeneratorState
from flambeau._engine.graph.interpreter import Interpreted
from flambeau._engine.graph.ir import Graph, Node, Output, Value
from flambeau._engine.passes.widen import widen

HALVES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
RNG = np.random.default_rng(0)


def _graph(name, arrays, params, results):
    inputs = tuple(Value(a.shape, a.dtype) for a in arrays)
    outputs = tuple(Value(shape, dtype) for shape, dtype in results)
    node = Node(name, inputs, params, outputs)
    return Graph(inputs, 0, (node,), tuple(Output(v) for v in outputs))


def _same(graph, arrays, seed=None):
    wide = widen(graph)
    found = []
    for g in (graph, wide):
        if seed is not None:
            seed()
        found.append(Interpreted(g).run([a.copy() for a in arrays], []))
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.astype(np.float32), b.astype(np.float32))
    return wide


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_operands_and_results_are_converted(half):
    a, w = (RNG.standard_normal(s).astype(half) for s in ((2, 3, 6, 6), (4, 3, 3, 3)))
    how = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    wide = _same(_graph("convolution", (a, w), how, [((2, 4, 6, 6), half)]), (a, w))
    assert [node.name for node in wide.nodes] == ["convert", "convert", "convolution", "convert"]
    assert wide.nodes[2].outputs[0].dtype == np.float32

    how = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1)}
    results = [((2, 3, 3, 3), half), ((2, 3, 3, 3), np.dtype(np.int64))]
    _same(_graph("max_pool", (a,), {**how, "places": (3, 3)}, results), (a,))

    base, rows, index = a.reshape(-1, 6), a.reshape(-1, 6)[:9], RNG.integers(0, 5, 9)
    how = {"pattern": (True, False), "accumulate": True}
    arrays = (base, rows, index)
    _same(_graph("index_put", arrays, how, [(base.shape, half)]), arrays)
    graph = _graph("index_put", arrays, {**how, "accumulate": False}, [(base.shape, half)])
    assert widen(graph).nodes == graph.nodes


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_masks_have_their_number_rounded(half):
    state = GeneratorState(3)
    params = {"shape": (40,), "dtype": half, "keep": 0.7, "scale": 1 / 0.7, "generator": state}
    graph = _graph("dropout_mask", (), params, [((40,), half)])
    wide = _same(graph, (), lambda: state.manual_seed(3))
    assert [node.name for node in wide.nodes] == ["dropout_mask", "convert"]
    single = _graph("dropout_mask", (), {**params, "dtype": np.dtype("f4")}, [((40,), HALVES[0])])
    single.nodes[0].outputs[0].dtype = np.dtype("f4")
    assert widen(single).nodes == single.nodes
