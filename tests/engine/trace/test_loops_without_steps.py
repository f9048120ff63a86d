"""Loops in which no optimizer steps are found by their period, or by what is read in them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

import flambeau
from flambeau import nn
from flambeau.nn import functional as F
from tests.modes import MODES, mode

pytest.importorskip("llvmlite")

from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG

from .injection import exits

Loop = Callable[[int], Any]


def _model() -> tuple[nn.Module, Any, Any]:
    model = nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 3))
    return model, flambeau.rand(64, 20), flambeau.randint(0, 3, (64,))


def descent(read: bool = False) -> Loop:
    """Gradient descent by hand; gradients are dropped."""
    model, x, y = _model()

    def step(i: int) -> Any:
        loss = F.cross_entropy(model(x), y)
        assert not read or loss.item() > 0
        loss.backward()
        with flambeau.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
                p.grad = None
        return loss.detach()

    return step


def descent_read() -> Loop:
    """Likewise, and the loss is read before the backward of each round."""
    return descent(read=True)


def momentum() -> Loop:
    """With momentum, and gradients that are set to zero."""
    model, x, y = _model()
    speeds = [flambeau.zeros_like(p) for p in model.parameters()]

    def step(i: int) -> Any:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with flambeau.no_grad():
            for p, speed in zip(model.parameters(), speeds, strict=True):
                speed.mul_(0.9).add_(p.grad)
                p.sub_(0.1 * speed)
                p.grad.zero_()
        return loss.detach()

    return step


def attention() -> Loop:
    """Forward and backward; nothing is updated."""
    query, key, value = (flambeau.randn(2, 4, 16, 32).requires_grad_() for _ in range(3))

    def step(i: int) -> Any:
        loss = F.scaled_dot_product_attention(query, key, value, is_causal=True).square().mean()
        loss.backward()
        found = query.grad
        query.grad = key.grad = value.grad = None
        return found

    return step


def inference() -> Loop:
    """Results of batches are kept."""
    model, x, _ = _model()
    kept: list[Any] = []

    def step(i: int) -> Any:
        start = 8 * (i % 8)
        with flambeau.no_grad():
            scores = model[2](model[1](model[0](x[start : start + 8])))
            kept.append((scores * 2).softmax(-1).log().exp())
        return kept[-1]

    return step


def counting() -> Loop:
    """A count of right answers grows."""
    model, x, y = _model()
    total = flambeau.zeros((), dtype=flambeau.int64)

    def step(i: int) -> Any:
        nonlocal total
        with flambeau.no_grad():
            hidden = model[0](x).tanh().mul(1.5).relu()
            total = total + (model[2](hidden).argmax(1) == y).sum()
        return total

    return step


def recurrence() -> Loop:
    """A state goes from round to round."""
    cell, x = nn.Linear(96, 64), flambeau.rand(32, 32)
    state = flambeau.zeros(32, 64)

    def step(i: int) -> Any:
        nonlocal state
        with flambeau.no_grad():
            state = flambeau.tanh(cell(flambeau.cat([x, state], 1)) * 0.5 + 0.1).clamp(-1, 1).abs()
        return state

    return step


LOOPS = (descent, descent_read, momentum, attention, inference, counting, recurrence)
ROUNDS = 30


def rounds(make: Callable[[], Loop]) -> list[Any]:
    """What the rounds of a loop give, copied when all is over."""
    flambeau.manual_seed(0)
    step = make()
    kept = [step(i) for i in range(ROUNDS)]
    return [t.clone() for t in kept]


@pytest.mark.parametrize("jit", MODES[1:])
@pytest.mark.parametrize("make", LOOPS, ids=lambda make: make.__name__)
def test_results_are_those_of_eager(make, jit):
    with mode("off"):
        wanted = rounds(make)
    with mode(jit):
        found = rounds(make)
    for one, other in zip(found, wanted, strict=True):
        flambeau.testing.assert_close(one, other)


@pytest.mark.parametrize("jit", MODES[1:])
@pytest.mark.parametrize("make", LOOPS, ids=lambda make: make.__name__)
def test_one_round_is_one_segment(make, jit):
    with mode(jit):
        HUB.clear()
        step = make()
        for i in range(ROUNDS):
            step(i)
        before = LOG.counts.copy()
        with exits("guard", -1, -1) as counted:
            for i in range(ROUNDS):
                step(i)
        if jit == "auto":
            assert LOG.counts["recorded"] <= 2
            assert LOG.counts["abandoned"] == 0
        assert before == LOG.counts
    # the first round may have begun before: a segment need not begin where the function does
    assert ROUNDS <= len(counted.lengths) <= ROUNDS + 1
    assert len(set(counted.lengths[1:-1])) == 1


def test_a_loop_is_found_in_its_fifth_round():
    step = descent()
    with mode("auto"):
        HUB.clear()
        for i in range(6):
            step(i)
    assert LOG.counts["recorded"] == 1


@pytest.mark.parametrize("jit", MODES[1:])
def test_alike_layers_are_no_loop(jit):
    layers = [(flambeau.randn(32, 32, requires_grad=True), nn.LayerNorm(32)) for _ in range(24)]
    x = flambeau.rand(16, 32)
    with mode(jit), flambeau.no_grad():
        HUB.clear()
        for _ in range(8):
            h = x
            for weight, norm in layers:
                h = norm((h @ weight).relu())
            h.sum().item()
        with exits("guard", -1, -1) as counted:
            h = x
            for weight, norm in layers:
                h = norm((h @ weight).relu())
            h.sum().item()
    assert len(counted.lengths) == 1


@pytest.mark.parametrize("jit", MODES[1:])
def test_another_way_through_the_loop(jit):
    model, x, _ = _model()

    def results(rounds: int) -> list[Any]:
        out = []
        with flambeau.no_grad():
            for i in range(rounds):
                hidden = model[0](x[:8]).tanh()
                if i % 7 == 6:
                    hidden = hidden.cos() + 1
                out.append((model[2](hidden) * 2).softmax(-1).log())
        return out

    with mode("off"):
        wanted = results(60)
    with mode(jit):
        for one, other in zip(results(60), wanted, strict=True):
            flambeau.testing.assert_close(one, other)
    assert LOG.counts["side exits"] <= 24


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_way_that_data_decides_is_replayed_too(place):
    model, x, _ = _model()
    random = Random(0)
    ways = [random.random() < 0.3 for _ in range(180)]

    def results(ways: list[bool]) -> list[Any]:
        out = []
        with flambeau.no_grad():
            for other in ways:
                hidden = x[:8] * 0.5
                if place == "first":
                    hidden = hidden.cos() + 1 if other else hidden.sin()
                hidden = model[0](hidden).tanh()
                if other and place == "middle":
                    hidden = hidden.cos() + 1
                hidden = (model[2](hidden) * 2).softmax(-1).log()
                if other and place == "last":
                    hidden = hidden.exp().square()
                out.append(hidden)
        return out

    with mode("off"):
        wanted = results(ways)
    with mode("auto"):
        HUB.clear()
        found = results(ways[:120])
        with exits("guard", -1, -1) as counted:
            found += results(ways[120:])
    for one, other in zip(found, wanted, strict=True):
        flambeau.testing.assert_close(one, other)
    assert LOG.counts["recorded"] <= 6
    assert LOG.counts["side exits"] <= 8
    assert sum(counted.lengths) >= 6 * 60
