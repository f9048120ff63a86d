"""Without llvmlite nothing is compiled, and everything else works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import llvmlite
import numpy as np
import pytest

import flambeau
from flambeau._engine.graph.ir import Graph, Node, Output, Value
from flambeau._engine.runtime import available, compile_graph

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
sys.modules["llvmlite"] = None
import flambeau
from flambeau._engine.graph.ir import Graph
from flambeau._engine.runtime import available, compile_graph
assert not available()
flambeau.set_num_threads(2)
assert flambeau.get_num_threads() == 2
assert flambeau.ones(3).sum().item() == 3
try:
    compile_graph(Graph((), 0, (), ()))
except RuntimeError as error:
    print(error)
"""


def test_without_llvmlite():
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True, text=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert ended.stderr == ""
    assert "no llvmlite" in ended.stdout


@pytest.mark.parametrize(
    ("version", "expected"), [("0.45.1", False), ("0.46.0rc1", True), ("1.2", True)]
)
def test_an_llvmlite_that_is_too_old(monkeypatch, version, expected):
    monkeypatch.setattr(llvmlite, "__version__", version)
    assert available.__wrapped__() is expected


def test_a_graph_becomes_a_program(tmp_path):
    assert available()
    x = Value((5, 7), np.dtype(np.float32))
    y = Value((5, 7), np.dtype(np.float32))
    graph = Graph((x,), 0, (Node("relu", (x,), {}, (y,)),), (Output(y),))
    array = np.random.RandomState(0).randn(5, 7).astype(np.float32)
    program = compile_graph(graph, "relu")
    assert program.name == "relu"
    np.testing.assert_array_equal(program.run([array])[0], np.maximum(array, 0))


def test_the_face_sets_the_number_of_threads():
    before = flambeau.get_num_threads()
    try:
        flambeau.set_num_threads(3)
        assert flambeau.get_num_threads() == 3
    finally:
        flambeau.set_num_threads(before)
