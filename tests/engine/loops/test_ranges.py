"""Which lookups may meet an index out of range."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.graph.ir import Graph, Node, Value
from flambeau._engine.loops.ranges import may_fault
from flambeau._engine.loops.special import supports

I64, F32 = np.dtype(np.int64), np.dtype(np.float32)


class Writer:
    """A graph while it is written; gives the names of the nodes that may fault."""

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []

    def input(self, *shape: int, dtype: np.dtype = I64) -> Value:
        self.inputs.append(Value(shape, dtype))
        return self.inputs[-1]

    def node(self, name: str, *inputs, shape=(4,), dtype=I64, results=1, **params):
        outputs = tuple(Value(shape, dtype) for _ in range(results))
        self.nodes.append(Node(name, inputs, params, outputs))
        return outputs[-1] if results else None

    def embedding(self, rows: int, index: Value):
        table = self.input(rows, 3, dtype=F32)
        return self.node("embedding", table, index, shape=(*index.shape, 3), dtype=F32)

    def faulting(self) -> list[str]:
        graph = Graph(tuple(self.inputs), 0, tuple(self.nodes), ())
        found = may_fault(graph, supports)
        return [node.name for node in self.nodes if node.name == "embedding" and node in found]


@pytest.fixture
def w():
    return Writer()


def test_an_input_is_unknown_until_it_has_been_looked_up(w):
    index = w.input(4)
    w.embedding(10, index)
    w.embedding(10, index)
    w.embedding(12, index)
    w.embedding(9, index)  # a smaller table
    assert len(w.faulting()) == 2


def test_checks(w):
    for ignored, count in ((None, 1), (-100, 2), (5, 1)):
        index = w.input(4)
        w.node("check_index", index, low=0, high=10, ignored=ignored, results=0)
        w.embedding(10, index)
        w.embedding(5, index)
        assert len(w.faulting()) == count
        w.nodes.clear()


def test_indices_that_are_made_here(w):
    a = w.input(6, 10, dtype=F32)
    w.embedding(10, w.node("argmax", a, dim=1))
    w.embedding(60, w.node("argmax", a, dim=None))
    w.embedding(6, w.node("sort", a, dim=0, descending=False, stable=False, results=2))
    w.embedding(17, w.node("arange", start=16, step=-4, count=5))
    windows = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1)}
    image = w.input(2, 5, 6, dtype=F32)
    pooled = w.node("max_pool", image, results=2, places=(2, 3), **windows)
    w.embedding(30, pooled)
    assert w.faulting() == []
    w.embedding(29, pooled)
    w.embedding(20, w.node("arange", start=-1, step=1, count=5))
    assert len(w.faulting()) == 2


def test_arithmetic(w):
    index = w.node("arange", start=0, step=1, count=5)  # 0 to 4
    w.embedding(15, w.node("add", index, 10))
    w.embedding(9, w.node("add", index, index))
    w.embedding(13, w.node("mul", index, 3))
    w.embedding(5, w.node("sub", 4, index))
    w.embedding(5, w.node("view", index, shape=(5, 1)))
    assert w.faulting() == []
    w.embedding(14, w.node("add", index, 10))
    w.embedding(15, w.node("add", index, w.input(4)))
    w.embedding(5, w.node("sub", index, 1))
    w.embedding(2**62, w.node("mul", w.node("add", index, 2**62), 4))  # wraps around
    assert len(w.faulting()) == 4


def test_what_has_no_native_code_may_refuse(w):
    a = w.input(3, 3, dtype=F32)
    node = Node("cholesky", (a,), {"upper": False}, (Value((3, 3), F32),))
    assert may_fault(Graph((a,), 0, (node,), ()), supports) == {node}
