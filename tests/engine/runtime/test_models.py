"""Recorded training steps as native programs: right, and the same with any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.graph.interpreter import Interpreted
from flambeau._engine.loops.plan import Callback
from flambeau._engine.runtime import compile_graph, frames
from tests.engine.loops.models import MODELS, record
from tests.engine.loops.programs import copies


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step(name, with_threads, monkeypatch):
    graph, recorder = record(MODELS[name]())
    drawn = {n.params.get("generator") for n in graph.nodes} - {None}

    def run(program) -> list[np.ndarray]:
        for generator in drawn:
            generator.manual_seed(7)
        inputs = copies(recorder.input_arrays)
        return [*program.run(inputs, recorder.numbers), *inputs]

    expected = run(Interpreted(graph))
    monkeypatch.setattr(frames, "_LEAST_WORK", 0)  # every step is divided that can be
    monkeypatch.setattr(frames, "_LEAST_CHUNK", 1)
    program = compile_graph(graph, name)
    steps = [step for step in program.plan.steps if isinstance(step, Callback)]
    assert [step.node.name for step in steps] == []
    first = None
    for count in (1, 2, 4):
        with_threads(count)
        for _ in range(3):
            got = run(program)
            first = got if first is None else first
            assert [a.tobytes() for a in got] == [a.tobytes() for a in first]
    for one, other in zip(first or [], expected, strict=True):
        scale = np.abs(other).max(initial=1e-3)
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5 * scale)
