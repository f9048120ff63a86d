"""Plans compute what the interpreter computes: random graphs."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.engine.loops.programs import compare, programs


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_random_graphs(program):
    graph, inputs, numbers = program
    compare(graph, inputs, numbers)
