"""Plans compute what the interpreter computes: random graphs.

The same ones each time: a sign or a comparison of what is zero but for rounding may differ.
"""

from __future__ import annotations

from unittest import mock

from hypothesis import HealthCheck, given, settings

from flambeau._engine.loops import lower
from tests.engine.loops.programs import compare, programs


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(programs())
def test_random_graphs(program):
    graph, inputs, numbers = program
    compare(graph, inputs, numbers)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs())
def test_the_way_out(program):
    """Where no attempt succeeds, all nodes are calls."""
    graph, inputs, numbers = program
    with mock.patch.object(lower, "ATTEMPTS", 0):
        compare(graph, inputs, numbers)
