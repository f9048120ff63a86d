"""Differences that are rounding only are told from wrong numbers."""

from __future__ import annotations

import pytest

import flambeau
from flambeau._engine.graph.ir import Graph
from flambeau._engine.passes import pipeline
from flambeau._engine.passes.building import Builder, renamed, with_nodes
from tests.modes import MODES, mode

from .conditioning import explained, in_double, numbers, shaken
from .jit_against_eager import disagreement
from .loops import Line, Loop, difference, run

TRAIN = (
    "out = model(x)", "loss = F.cross_entropy(out, y)", "log(loss.item())", "opt.zero_grad()",
    "loss.backward()", "opt.step()",
)  # fmt: skip
DATA = "X, Y, B = torch.arange(96.).reshape(24, 4).sin(), torch.arange(24) % 3, 6"


def training(layers: str, optimizer: str, batch: str) -> Loop:
    setup = (
        f"model = torch.nn.Sequential({layers})", DATA, "params = list(model.parameters())",
        f"opt = torch.optim.{optimizer}",
    )  # fmt: skip
    lines = (Line(f"x, y = {batch}"), *map(Line, TRAIN))
    return Loop(setup, lines, steps=9, tolerance=3e-4)


PLAIN = training(
    "torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)", "SGD(params, lr=0.1)",
    "X[:B], Y[:B]",
)  # fmt: skip
# batches of two rows, some of them equal but for rounding, and steps of a size of their own
ILL = training(
    "torch.nn.Linear(4, 8, bias=False), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), "
    "torch.nn.Linear(8, 3)", "RMSprop(params, lr=0.01)",
    "X[torch.randperm(24)[:2 + i % 4]], Y[:2 + i % 4]",
)  # fmt: skip


def off(loop: Loop) -> list:
    with mode("off"):
        return run(loop, flambeau)


def wrong_by(factor: float, dtypes: tuple[str, ...]) -> pipeline.Pass:
    """A pass that makes every compiled tanh of these dtypes wrong."""

    def mistake(graph: Graph) -> Graph:
        builder, by = Builder(), {}
        for node in graph.nodes:
            node = renamed(node, by)
            builder.nodes.append(node)
            if node.name == "tanh" and str(node.outputs[0].dtype) in dtypes:
                by[node.outputs[0]] = builder.call("mul", node.outputs[0], factor)
        return with_nodes(graph, builder.nodes, by)

    return mistake


@pytest.mark.skipif(len(MODES) == 1, reason="nothing is compiled")
@pytest.mark.parametrize("loop, factor", [(PLAIN, 1.001), (ILL, 1.02)], ids=["plain", "ill"])
@pytest.mark.parametrize("dtypes", [("float32",), ("float32", "float64")], ids=len)
def test_a_wrong_kernel_is_found(loop, factor, dtypes, monkeypatch):
    assert not disagreement(loop, alone=True, turns=1)
    mistake = wrong_by(factor, dtypes)
    monkeypatch.setattr(pipeline, "PIPELINE", (*pipeline.PIPELINE, mistake))
    excused: list[str] = []
    assert "differ at" in disagreement(loop, alone=True, excused=excused)
    assert not excused


def test_rounding_is_what_shaken_runs_show():
    eager, larger = off(ILL), off(shaken(ILL, 7))
    samples = [off(shaken(ILL, turn)) for turn in range(3)]
    assert explained(eager, larger, samples)
    assert explained(off(PLAIN), off(PLAIN), [])
    wrong = off(training("torch.nn.Linear(4, 3)", "SGD(params, lr=0.1)", "X[:B], Y[:B]"))
    assert not explained(eager, wrong, samples)


def test_a_sum_that_cancels_is_rounding_and_a_wrong_term_is_not():
    eager, other, sample = [[0.0], [1.0]], [[1.9e22], [1.0]], [[2.8e22], [1.0]]
    assert explained(eager, other, [sample])
    assert not explained(eager, [[1.9e24], [1.0]], [sample])
    assert not explained(eager, [[1.9e22], [1.001]], [sample])
    assert not explained(eager, [[float("nan")], [1.0]], [sample])
    assert not explained(eager, [["text"], [1.0]], [sample])


@pytest.mark.parametrize("loop", [PLAIN, ILL], ids=["plain", "ill-conditioned"])
def test_the_double_is_the_same_program(loop):
    first = dict(numbers(off(loop)[0]))
    assert first and not difference(off(loop)[0], off(in_double(loop))[0], 2e-3)
    assert dict(numbers(off(in_double(loop))[-2])).keys() == dict(numbers(off(loop)[-2])).keys()
    assert off(loop)[-1] == off(in_double(loop))[-1], "the same random numbers are drawn"


def test_what_has_no_double():
    half = Loop((), (Line("x = torch.ones(2, dtype=torch.bfloat16)"),))
    made = Loop((), (Line("model = torch.nn.Linear(2, 3)"),))
    assert in_double(half) is None and in_double(made) is None
    assert shaken(Loop(("u0 = torch.ones(2)",), ()), 0) is None
