"""Random graphs as native programs, beside the interpreter."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings

from flambeau._engine.graph.interpreter import Interpreted
from flambeau._engine.graph.ir import Graph, values_of
from flambeau._engine.runtime import compile_graph
from tests.engine.loops.programs import TOLERANCE, copies, programs


def tolerance(graph: Graph) -> float:
    """Of the least precise dtype: what is converted later has been rounded to it before."""
    values = [v for node in graph.nodes for v in (*values_of(node.inputs), *node.outputs)]
    return 5 * max((TOLERANCE.get(v.dtype.name, 0.0) for v in values), default=0.0)


def compare(one: np.ndarray, other: np.ndarray, limit: float) -> None:
    """Equal up to rounding; integers and booleans may differ where a rounded number decides."""
    assert one.dtype == other.dtype and one.shape == other.shape
    if one.dtype.name not in TOLERANCE:
        assert limit or (one == other).all()
        return
    wide, expected = one.astype(np.float64), other.astype(np.float64)
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    np.testing.assert_allclose(wide, expected, rtol=limit, atol=limit * scale)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(made=programs())
def test_native_programs_compute_what_the_interpreter_does(made):
    graph, inputs, numbers = made
    ours, theirs = copies(inputs), copies(inputs)
    program = compile_graph(graph)
    got = program.run(ours, numbers)
    expected = Interpreted(graph).run(theirs, numbers)
    for one, other in zip([*got, *ours], [*expected, *theirs], strict=True):
        compare(one, other, tolerance(graph))
    again = program.run(copies(inputs), numbers)
    assert [a.tobytes() for a in again] == [a.tobytes() for a in got]
