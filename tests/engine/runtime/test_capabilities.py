"""What bodies have no code for is called back."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.graph.interpreter import Interpreted
from flambeau._engine.loops.plan import Callback
from flambeau._engine.runtime import available, compile_graph
from tests.engine.loops.programs import Making, assert_close

pytest.importorskip("llvmlite")


def test_special_functions():
    assert available()
    making = Making()
    a = making.input(np.linspace(0.5, 4, 12, dtype=np.float32).reshape(3, 4))
    inner = making.call("lgamma", making.call("exp", a))
    graph = making.graph([making.call("neg", inner), making.call("i0e", a)])
    program = compile_graph(graph)
    assert any(isinstance(step, Callback) for step in program.plan.steps)
    expected = Interpreted(graph).run(making.arrays, [])
    for one, other in zip(program.run(making.arrays, []), expected, strict=True):
        assert_close(one, other)
