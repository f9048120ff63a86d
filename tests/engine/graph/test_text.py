"""Graphs as text, and what is said of illegal ones."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.graph.check import IllegalGraph, check
from flambeau._engine.graph.ir import Graph, Node, Number, Output, Value
from flambeau._engine.graph.printer import text_of

F32 = np.dtype(np.float32)


def value(*shape, dtype=F32, strides=None):
    return Value(shape, np.dtype(dtype), strides)


def test_text():
    a, w, out, total = value(4, 3), value(2, 3, strides=(1, 2)), value(4, 2), value()
    graph = Graph(
        (a, w),
        1,
        (
            Node("linear", (a, w, None), {}, (out,)),
            Node("sum", (out,), {"dims": (0, 1), "keepdim": False}, (total,)),
            Node("mul", (total, Number(0)), {}, (scaled := value(),)),
        ),
        (Output(scaled), Output(out, static=True)),
        ((a, a),),
    )
    assert text_of(graph) == "\n".join(
        [
            "inputs %0: float32[4, 3], %1: float32[2, 3] strides (1, 2)",
            "%2: float32[4, 2] = linear(%0, %1, None)",
            "%3: float32[] = sum(%2, dims=(0, 1), keepdim=False)",
            "%4: float32[] = mul(%3, #0)",
            "return %4, static %2",
            "%0 <- %0",
        ]
    )
    check(graph)


def one_node(node, inputs, outputs=(), updates=()):
    return Graph(tuple(inputs), 1, (node,), tuple(Output(v) for v in outputs), tuple(updates))


A = value(2, 3)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (one_node(Node("neg", (value(2),), {}, (value(2),)), []), "before it is defined"),
        (one_node(Node("neg", (A,), {}, (A,)), [A]), "defined twice"),
        (one_node(Node("neg", (A,), {}, (value(3, 2),)), [A]), r"should be float32\[2, 3\]"),
        (one_node(Node("neg", (A,), {}, (value(2, 3, dtype="int64"),)), [A]), "should be"),
        (one_node(Node("negate", (A,), {}, (value(2, 3),)), [A]), "no primitive 'negate'"),
        (one_node(Node("mul", (A, Number(5)), {}, (value(2, 3),)), [A]), "no number 5"),
        (one_node(Node("sum", (A,), {"dim": 0}, (value(3),)), [A]), "no parameter 'dim'"),
        (one_node(Node("neg", (A,), {}, (value(2, 3),)), [A], [value(1)]), "is not defined"),
        (one_node(Node("neg", (A,), {}, (o := value(2, 3),)), [A], [], [(o, o)]), "no input"),
        (one_node(Node("neg", (A,), {}, ()), [A], [], [(A, A), (A, A)]), "results are expected"),
    ],
)
def test_illegal_graphs(graph, message):
    with pytest.raises(IllegalGraph, match=message):
        check(graph)
