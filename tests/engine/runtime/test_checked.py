"""Programs that look at what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.base import config
from flambeau._engine.graph.ir import Graph, Node, Number, Output, Value
from flambeau._engine.runtime import compile_graph

F32 = np.dtype(np.float32)


@pytest.fixture
def program(monkeypatch):
    """target += column * number; gives the column's negative, for a column of a matrix."""
    monkeypatch.setattr(config, "DEBUG", 1)
    column, target = Value((4,), F32, strides=(3,)), Value((4,), F32)
    scaled, total, negative = (Value((4,), F32) for _ in range(3))
    nodes = (
        Node("mul", (column, Number(0)), {}, (scaled,)),
        Node("add", (target, scaled), {}, (total,)),
        Node("neg", (column,), {}, (negative,)),
    )
    graph = Graph((column, target), 1, nodes, (Output(negative),), ((target, total),))
    return compile_graph(graph, "checked")


@pytest.fixture
def column():
    return np.arange(12, dtype=np.float32).reshape(4, 3)[:, 1]


def test_what_fits_runs(program, column):
    target = np.ones(4, np.float32)
    (negative,) = program.run([column, target], [2.0])
    np.testing.assert_array_equal(negative, -column)
    np.testing.assert_array_equal(target, 1 + 2 * column)


def read_only() -> np.ndarray:
    array = np.ones(4, np.float32)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("target", "match"),
    [
        (np.ones(5, np.float32), r"input 1 of program 'checked' is float32\[5\]"),
        (np.ones(4, np.float64), "made for float32"),
        (np.ones(8, np.float32)[::2], "not C-contiguous"),
        (read_only(), "cannot be written to"),
    ],
)
def test_what_does_not_fit_is_refused(program, column, target, match):
    with pytest.raises(ValueError, match=match):
        program.run([column, target], [2.0])


def test_other_strides_counts_and_shared_memory_are_refused(program, column):
    with pytest.raises(ValueError, match="strides"):
        program.run([column.copy(), np.ones(4, np.float32)], [2.0])
    with pytest.raises(ValueError, match="1 inputs and 1 numbers"):
        program.run([column], [2.0])
    with pytest.raises(ValueError, match="2 inputs and 0 numbers"):
        program.run([column, np.ones(4, np.float32)], [])
    base = np.zeros(12, np.float32)
    with pytest.raises(ValueError, match="inputs 1 and 0 of program 'checked' share memory"):
        program.run([base[::3], base[:4]], [2.0])
