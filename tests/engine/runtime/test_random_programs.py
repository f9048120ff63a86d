"""Random graphs as native programs, beside the interpreter."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from flambeau._engine.graph.interpreter import Interpreted
from flambeau._engine.runtime import compile_graph
from tests.engine.loops.programs import assert_close, copies, programs


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=programs())
def test_native_programs_compute_what_the_interpreter_does(made):
    graph, inputs, numbers = made
    ours, theirs = copies(inputs), copies(inputs)
    program = compile_graph(graph)
    got = program.run(ours, numbers)
    expected = Interpreted(graph).run(theirs, numbers)
    for one, other in zip([*got, *ours], [*expected, *theirs], strict=True):
        assert_close(one, other)
    again = program.run(copies(inputs), numbers)
    assert [a.tobytes() for a in again] == [a.tobytes() for a in got]
