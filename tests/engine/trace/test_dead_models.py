"""Models that nobody has any more: the segments that they were trained in do not keep them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import flambeau
from flambeau import nn
from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG
from tests.modes import MODES, mode

STEPS = 12


def train(width: int, steps: int = STEPS) -> list[Any]:
    """Train a model, and drop it; weak references to its parameters and the optimizer's state."""
    model = nn.Sequential(nn.Linear(16, width), nn.Tanh(), nn.Linear(width, 4))
    optimizer = flambeau.optim.Adam(model.parameters())
    x, y = flambeau.rand(32, 16), flambeau.randint(0, 4, (32,))
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    state = [each["exp_avg"] for each in optimizer.state.values()]
    return [weakref.ref(t) for t in (*model.parameters(), *state)]


def alive(references: list[Any]) -> int:
    """How many tensors are still there."""
    return sum(reference() is not None for reference in references)


@pytest.mark.parametrize("jit", MODES)
def test_a_collection_frees_what_is_dropped(jit):
    with mode(jit):
        dropped = train(24)
        gc.collect()
        assert alive(dropped) == 0


@pytest.mark.parametrize("jit", MODES)
def test_models_of_other_widths_do_not_pile_up(jit):
    gc.collect()
    gc.disable()
    try:
        with mode(jit):
            dropped = [train(8 * width) for width in range(1, 9)]
    finally:
        gc.enable()
    assert sum(map(bool, map(alive, dropped))) <= 2  # the last one, and the one before it


@pytest.mark.parametrize("jit", MODES[1:])
def test_segments_go_on_after_a_collection(jit):
    def losses(collect: bool) -> list[float]:
        flambeau.manual_seed(0)
        model = nn.Linear(16, 4)
        optimizer = flambeau.optim.Adam(model.parameters(), lr=0.01)
        x, y = flambeau.rand(32, 16), flambeau.randint(0, 4, (32,))
        found = []
        for i in range(2 * STEPS):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            found.append(loss)
            if collect and i >= STEPS:
                gc.collect()
        return [loss.item() for loss in found]

    with mode(jit):
        HUB.clear()
        wanted = losses(False)
        before = LOG.counts.copy()
        assert before["recorded"]
        assert losses(True) == pytest.approx(wanted, rel=1e-5)
    assert LOG.counts["recorded"] <= before["recorded"] + 1
    assert LOG.counts["compiler errors"] == 0


@pytest.mark.parametrize("jit", MODES)
def test_models_of_one_shape_share_their_segments(jit):
    with mode(jit):
        HUB.clear()
        for _ in range(3):
            train(24)
        before = LOG.counts["recorded"]
        for _ in range(6):
            train(24)
    assert LOG.counts["recorded"] <= before + 1
