"""Passes for weights that are used at each step of time, by text; cells with their gradients."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.graph.interpreter import Interpreted
from flambeau._engine.graph.ir import Graph, Node
from flambeau._engine.passes.cse import cse
from flambeau._engine.passes.dce import dce
from flambeau._engine.passes.decompose import decompose
from flambeau._engine.passes.gather import MOST_ROWS, gather
from flambeau._engine.passes.turn import turn
from tests.engine.loops.programs import F32, Making, assert_close, compare, copies
from tests.engine.passes.test_passes import body

RANDOM = np.random.default_rng(0)


def random(*shape, dtype=F32):
    return RANDOM.standard_normal(shape).astype(dtype)


def pieces(m, count, rows=2, width=3, dtype=F32):
    return [m.input(random(rows, width, dtype=dtype)) for _ in range(count)]


def total(m, terms):
    out = terms[0]
    for term in terms[1:]:
        out = m.call("add", out, term)
    return out


def product(m, a, b):
    return m.call("matmul", m.call("permute", a, dims=(1, 0)), b)


def after(m, *results):
    """The text after gathering; what the graph computes is the same."""
    graph = m.graph(list(results))
    made = dce(cse(gather(graph)))
    for one, other in zip(Interpreted(made).run(copies(m.arrays), m.numbers),
                          Interpreted(graph).run(copies(m.arrays), m.numbers)):  # fmt: skip
        assert_close(one, other)
    compare(graph, m.arrays, m.numbers)
    return body(made)


def test_products_become_one():
    m = Making()
    a, b = pieces(m, 4), pieces(m, 4, width=5)
    assert after(m, total(m, [product(m, x, y) for x, y in zip(a, b)])) == [
        "%8: float32[8, 3] = cat(%0, %1, %2, %3, dim=0)",
        "%9: float32[8, 5] = cat(%4, %5, %6, %7, dim=0)",
        "%10: float32[3, 8] = permute(%8, dims=(1, 0))",
        "%11: float32[3, 5] = matmul(%10, %9)",
        "return %11",
    ]


def test_sums_become_one_and_other_terms_stay():
    m = Making()
    a = pieces(m, 4)
    other = m.input(random(3))
    terms = [m.call("sum", x, dims=(0,), keepdim=False) for x in a]
    assert after(m, total(m, [other, *terms])) == [
        "%5: float32[8, 3] = cat(%0, %1, %2, %3, dim=0)",
        "%6: float32[3] = sum(%5, dims=(0,), keepdim=False)",
        "%7: float32[3] = add(%6, %4)",
        "return %7",
    ]


def test_columns_that_are_there_are_used():
    # as in a recurrent layer: outputs h1 ... h5 are kept, the products need h0 ... h4; the
    # gradients come last one first, and their column stands further down
    m = Making()
    a, b = pieces(m, 5), pieces(m, 6, width=5)
    kept = m.call("cat", *b[1:], dim=0)
    out = total(m, [product(m, x, y) for x, y in reversed(list(zip(a, b)))])
    column = m.call("cat", *a, dim=0)
    assert after(m, kept, out, column) == [
        "%11: float32[10, 5] = cat(%6, %7, %8, %9, %10, dim=0)",
        "%12: float32[3, 2] = permute(%0, dims=(1, 0))",
        "%13: float32[3, 5] = matmul(%12, %5)",
        "%14: float32[10, 3] = cat(%0, %1, %2, %3, %4, dim=0)",
        "%15: float32[8, 3] = slice(%14, index=((2, 10, 1), (0, 3, 1)))",
        "%16: float32[8, 5] = slice(%11, index=((0, 8, 1), (0, 5, 1)))",
        "%17: float32[3, 8] = permute(%15, dims=(1, 0))",
        "%18: float32[3, 5] = matmul(%17, %16)",
        "%19: float32[3, 5] = add(%18, %13)",
        "return %11, %19, %14",
    ]


def few(m):
    return [product(m, x, y) for x, y in zip(pieces(m, 3), pieces(m, 3))]


def long(m):
    rows = MOST_ROWS + 1
    return [product(m, x, y) for x, y in zip(pieces(m, 4, rows), pieces(m, 4, rows))]


def half(m):
    a, b = pieces(m, 4, dtype=np.float16), pieces(m, 4, dtype=np.float16)
    return [product(m, x, y) for x, y in zip(a, b)]


@pytest.mark.parametrize("build", [few, long, half])
def test_what_gains_nothing_stays(build):
    m = Making()
    graph = m.graph([total(m, build(m))])
    assert body(gather(graph)) == body(graph)


def test_terms_that_are_read_elsewhere_stay():
    m = Making()
    terms = [product(m, x, y) for x, y in zip(pieces(m, 4), pieces(m, 4))]
    graph = m.graph([total(m, terms), terms[2]])
    assert body(gather(graph)) == body(graph)


def test_sums_of_several_events_stay():
    # gradients that are accumulated over small batches: each batch's memory is given back
    m = Making()
    terms = [product(m, x, y) for x, y in zip(pieces(m, 4), pieces(m, 4))]
    out = total(m, terms)
    nodes = [Node(n.name, n.inputs, n.params, n.outputs, event) for event, n in enumerate(m.nodes)]
    graph = Graph(tuple(m.inputs), 0, tuple(nodes), m.graph([out]).outputs)
    assert body(gather(graph)) == body(graph)


def test_a_weight_is_transposed_once():
    m = Making()
    weight, bias = m.input(random(32, 16)), m.input(random(32))
    x = m.input(random(8, 16))
    out = [m.call("linear", m.call("mul", x, float(i)), weight, bias) for i in range(2, 6)]
    graph = m.graph(out)
    lines = body(turn(graph))
    assert lines[1:5] == [
        "%4: float32[16, 32] = permute(%0, dims=(1, 0))",
        "%5: float32[16, 32] = copy(%4, order='C')",
        "%6: float32[32, 16] = permute(%5, dims=(1, 0))",
        "%7: float32[8, 32] = linear(%3, %6, %1)",
    ]
    assert sum("copy" in line for line in lines) == 1
    compare(graph, m.arrays, m.numbers)


@pytest.mark.parametrize("shape, count", [((1, 16), 4), ((MOST_ROWS, 16), 4), ((8, 16), 3)])
def test_weights_that_stay_as_they_are(shape, count):
    m = Making()
    weight, x = m.input(random(32, 16)), m.input(random(*shape))
    graph = m.graph([m.call("linear", x, weight, None) for _ in range(count)])
    assert turn(graph) is graph


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_cell_and_its_gradient_share_the_gates(kind):
    m = Making()
    gates = 4 if kind == "lstm" else 3
    x, hidden = m.input(random(2, gates * 3)), m.input(random(2, gates * 3))
    state, g = m.input(random(2, 3)), m.input(random(2, 3))
    made = m.call(f"{kind}_gates", x, hidden, state)
    given = (g, g) if kind == "lstm" else (g,)
    slopes = m.call(f"{kind}_gates_grad", *given, x, hidden, state)
    graph = m.graph([*(made if kind == "lstm" else (made,)), *slopes])
    names = [node.name for node in decompose(graph).nodes]
    assert names.count("sigmoid") == gates - 1
    assert names.count("tanh") == (2 if kind == "lstm" else 1)
    compare(graph, m.arrays, m.numbers)
