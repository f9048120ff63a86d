"""Custom functions and hooks: how much is compiled, and what is said of the rest."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("llvmlite")

import flambeau
from flambeau import nn
from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG
from flambeau._engine.trace.segment import STEP
from tests.modes import MODES, mode

F = nn.functional
STEPS = 24
Prepare = Callable[[nn.Module], Callable[[Any], Any]]  # given a model: what stands in its middle


class Straight(flambeau.autograd.Function):
    """A straight-through estimator."""

    @staticmethod
    def forward(ctx, x):
        out = x.round()
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, grad):
        x, out = ctx.saved_tensors
        return grad * (x.abs() < 2) + 0.1 * (out - x)


class Doubled(flambeau.autograd.Function):
    """Changes its operand."""

    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def custom_function(model: nn.Module) -> Any:
    return Straight.apply


def hook_of_a_leaf(model: nn.Module) -> Any:
    model[0].weight.register_hook(lambda g: g.clamp(-0.1, 0.1))
    return lambda h: h


def hook_of_a_result(model: nn.Module) -> Any:
    def middle(h: Any) -> Any:
        h.register_hook(lambda g: g * 0.5)
        h.retain_grad()
        return h

    return middle


def hook_that_reads(model: nn.Module) -> Any:
    seen: list[float] = []
    for p in model.parameters():
        p.register_hook(lambda g: seen.append(g.norm().item()))
    return lambda h: h


def hook_of_a_module(model: nn.Module) -> Any:
    model[2].register_full_backward_hook(lambda m, gi, go: (gi[0] * 0.5,))
    return lambda h: h


def step_in_backward(model: nn.Module) -> Any:
    inner = flambeau.optim.SGD(model[2].parameters(), lr=0.1)

    def update(p: Any) -> None:
        inner.step()
        inner.zero_grad()

    model[2].bias.register_post_accumulate_grad_hook(update)
    return lambda h: h


def changed_operand(model: nn.Module) -> Any:
    return lambda h: Doubled.apply(h * 1.0)


def hook_of_a_node(model: nn.Module) -> Any:
    def middle(h: Any) -> Any:
        h.grad_fn.register_hook(lambda inputs, outputs: None)
        return h

    return middle


COMPILED = [
    custom_function, hook_of_a_leaf, hook_of_a_result, hook_that_reads, hook_of_a_module,
    step_in_backward,
]  # fmt: skip
REFUSED = {
    changed_operand: "a custom function that changes its operands",
    hook_of_a_node: "hooks of a node of the tape",
}


@pytest.fixture(autouse=True)
def jit():
    with mode("auto"):
        HUB.clear()
        yield
        HUB.clear()


def loop(prepare: Prepare | None = None) -> Callable[[], Any]:
    """A step of training with `prepare`'s Python in the middle."""
    model = nn.Sequential(nn.Linear(20, 40), nn.Tanh(), nn.Linear(40, 3))
    middle = (lambda h: h) if prepare is None else prepare(model)
    optimizer = flambeau.optim.AdamW(model.parameters(), lr=0.01)
    x, y = flambeau.rand(16, 20), flambeau.randint(0, 3, (16,))

    def step() -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model[2](middle(model[1](model[0](x)))), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def eager_events(step: Callable[[], Any], count: int) -> int:
    tracer = HUB.tracer()
    before = tracer.eager_events
    for _ in range(count):
        step()
    return tracer.eager_events - before


@pytest.mark.parametrize("prepare", COMPILED, ids=lambda prepare: prepare.__name__)
def test_everything_but_the_call_is_compiled(prepare):
    step = loop(prepare)
    eager_events(step, STEPS)
    assert eager_events(step, STEPS) == 0
    ends = [segment.last() for segment in LOG.segments]
    assert sum(end.ending.runs for end in ends if end is not None) >= STEPS
    assert not LOG.failures


@pytest.mark.parametrize("prepare", COMPILED, ids=lambda prepare: prepare.__name__)
def test_the_same_losses(prepare):
    losses = {}
    for name in ("off", "auto", "force"):
        flambeau.manual_seed(0)
        with mode(name):
            step = loop(prepare)
            losses[name] = [step() for _ in range(STEPS)]
    assert losses["auto"] == pytest.approx(losses["off"], rel=1e-4)
    assert losses["force"] == pytest.approx(losses["off"], rel=1e-4)


@pytest.mark.parametrize("prepare", REFUSED, ids=lambda prepare: prepare.__name__)
def test_what_stays_eager_is_named_and_not_tried_for_ever(prepare):
    step = loop(prepare)
    eager_events(step, 200)
    kinds = [*LOG.failures, *LOG.exits]
    assert any(REFUSED[prepare] in kind.reason for kind in kinds), kinds
    assert REFUSED[prepare] in str(flambeau.explain())
    tried = LOG.counts["abandoned"] + LOG.counts["recorded"] + LOG.counts["side exits"]
    assert eager_events(step, 400) > 400
    more = LOG.counts["abandoned"] + LOG.counts["recorded"] + LOG.counts["side exits"] - tried
    assert more <= 20


@pytest.mark.parametrize("prepare", REFUSED, ids=lambda prepare: prepare.__name__)
def test_other_segments_are_compiled_all_the_same(prepare):
    refused, plain = loop(prepare), loop()
    eager_events(lambda: (refused(), plain()), STEPS)
    runs = [s.last().ending.runs for s in LOG.segments if s.last() is not None]
    assert max(runs) >= STEPS // 2


def test_a_removed_hook_is_noticed():
    model = nn.Linear(20, 40)
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.1)
    x = flambeau.rand(16, 20)
    calls: list[int] = []
    handle = model.weight.register_hook(lambda g: calls.append(len(calls)))
    for i in range(STEPS):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        if i == STEPS // 2:
            handle.remove()
    assert len(calls) == STEPS // 2 + 1


def test_contexts_die_with_their_step():
    made: list[Any] = []

    class Counted(flambeau.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            made.append(weakref.ref(ctx))
            ctx.save_for_backward(x)
            ctx.x = x
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.saved_tensors[0]

    step = loop(lambda model: Counted.apply)
    eager_events(step, STEPS)
    gc.collect()
    assert sum(reference() is not None for reference in made) <= 1


def test_no_segment_ends_while_a_backward_waits():
    step = loop(step_in_backward)
    eager_events(step, STEPS)
    events = [node.descriptor for s in LOG.segments if (end := s.last()) for node in end.path()]
    assert events.count(STEP) >= 2 and events[-1] is STEP


@pytest.mark.parametrize("jit", MODES[1:])
def test_a_hook_is_removed_while_its_backward_is_pending(jit):
    """No optimizer steps: the backward of the last round is still pending when the handle goes."""

    class Rounded(flambeau.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return flambeau.round(x * 4) / 4

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * (x.abs() < 2)

    def halve(p: Any) -> None:
        p.grad.mul_(0.5)

    def gradients() -> list[Any]:
        flambeau.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        x = flambeau.rand(16, 4)
        handle = model[2].bias.register_post_accumulate_grad_hook(halve)
        for _ in range(10):
            model.zero_grad()
            (Rounded.apply(model(x)) - 1).square().mean().backward()
        handle.remove()
        return [p.grad for p in model.parameters()]

    with mode("off"):
        wanted = gradients()
    with mode(jit):
        HUB.clear()
        for one, other in zip(gradients(), wanted, strict=True):
            flambeau.testing.assert_close(one, other)
