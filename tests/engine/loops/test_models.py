"""Recorded training steps: their plans compute what the interpreter does, in few kernels."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.graph.check import check
from flambeau._engine.graph.interpreter import Interpreted
from flambeau._engine.loops.kernel import Gemm, Loop
from flambeau._engine.loops.lower import plan_of
from flambeau._engine.loops.plan import ARENA, Callback, Plan
from flambeau._engine.passes.pipeline import optimise
from tests.engine.loops.interpret import GENERATORS, run_plan
from tests.engine.loops.models import MODELS, mlp, record
from tests.engine.loops.programs import copies


def generators(graph):
    """The random generators that a graph draws from."""
    found = [node.params.get("generator") for node in graph.nodes]
    return [g for g in found if g is not None]


def seed(graph):
    """Put all of them at a known place, and let the oracle find them by their memory."""
    for generator in generators(graph):
        generator.manual_seed(7)
        GENERATORS[generator.memory().__array_interface__["data"][0]] = generator


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step(name):
    graph, recorder = record(MODELS[name]())
    check(graph)
    check(optimise(graph))
    seed(graph)
    plan = plan_of(graph)
    ours, theirs = copies(recorder.input_arrays), copies(recorder.input_arrays)
    seed(graph)
    got = run_plan(plan, ours, recorder.numbers)
    seed(graph)
    expected = Interpreted(graph).run(theirs, recorder.numbers)
    for one, other in zip([*got, *ours], [*expected, *theirs], strict=True):
        scale = np.abs(other).max(initial=1e-3)
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5 * scale)


def plan_for(name: str) -> Plan:
    graph, _ = record(MODELS[name]())
    return plan_of(graph)


def kernels(plan: Plan, kind: type) -> list:
    return [s.kernel for s in plan.steps if not isinstance(s, Callback) and type(s.kernel) is kind]


def test_the_seed_step_is_few_kernels():
    plan = plan_for("mlp")
    assert not any(isinstance(step, Callback) for step in plan.steps)
    assert len(kernels(plan, Gemm)) == 5
    assert len(plan.steps) <= 11


def test_weight_gradients_feed_the_optimizer():
    updating = [g for g in kernels(plan_for("mlp"), Gemm) if len(g.stores) == 3]
    assert len(updating) == 2  # p, exp_avg and exp_avg_sq, and no gradient in memory


def test_softmax_loss_and_gradient_are_one_kernel():
    rows = [k for k in kernels(plan_for("mlp"), Loop) if len(k.stages) == 3]
    assert len(rows) == 1
    assert [r.kind for stage in rows[0].stages for r in stage.reductions] == [
        "sum", "amax", "sum", "sum",
    ]  # fmt: skip


def test_recurrent_steps_are_a_product_and_a_kernel():
    plan = plan_for("lstm")
    assert not any(isinstance(step, Callback) for step in plan.steps)
    assert len(plan.steps) <= 42  # 5 steps forward and back


def test_attention_copies_nothing():
    plan = plan_for("transformer")
    moves = [
        k
        for k in kernels(plan, Loop)
        if len(k.stages) == 1 and [i.name for i in k.stages[0].body] == ["load"] and k.inner
    ]
    assert not [k for k in moves if not k.stages[0].reductions]


def test_the_arena_is_reused():
    plan = plan_of(record(mlp(256, 256, 256, 64))[0])
    arena = [b for b in plan.buffers if b.kind == ARENA]
    assert plan.arena_bytes < sum(b.nbytes for b in arena)


def test_lowering_gives_the_same_plan_again():
    graph, _ = record(MODELS["transformer"]())
    first, second = plan_of(graph), plan_of(graph)
    for one, other in zip(first.steps, second.steps, strict=True):
        if not isinstance(one, Callback):
            assert (one.kernel, one.arguments) == (other.kernel, other.arguments)
