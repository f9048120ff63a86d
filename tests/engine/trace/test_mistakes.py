"""The compiler's own mistakes: the program goes on, eagerly, and `explain` tells what happened."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau import nn
from flambeau._engine.trace.hub import HUB
from tests.modes import mode

pytest.importorskip("llvmlite")

# A function or method of `flambeau._engine`, which raises at its first call: while events are
# described, noted and put into the tree; while a program is made; at replay.
PLACES = [
    "trace.pattern:InputSpec.__init__",
    "trace.memory:Memories.add_result",
    "trace.memory:Memories.value",
    "trace.memory:Memories.write",
    "trace.floats:Floats.begin",
    "trace.floats:Floats.vary",
    "trace.floats:Floats.settle",
    "trace.modules:ModulePlan.__init__",
    "trace.modules:ModuleGuard.__init__",
    "trace.modules:ModuleGuard.fits",
    "trace.recorder:Recorder._note",
    "trace.recorder:Recorder.assign",
    "trace.recording:Recording._pattern",
    "trace.recording:Recording._gradients",
    "trace.recording:Recording.end_part",
    "trace.segment:TraceNode.finish",
    "trace.segment:TraceNode.join",
    "trace.step:StepPlan.__init__",
    "trace.step:StepPlan.fits",
    "trace.short:Short.__init__",
    "trace.ending:Ending.compile",
    "trace.ending:Ending.look",
    "trace.ending:Ending.can_settle",
    "trace.finish:_Writer.write",
    "runtime.program:Program.run",
]


class Mistake(Exception):
    """What goes wrong inside the compiler."""


def train() -> list[Any]:
    """Losses and parameters of a loop with a schedule, a read, another way and another shape."""
    flambeau.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 3))
    optimizer = flambeau.optim.AdamW(model.parameters(), lr=1e-2)
    x, y = flambeau.rand(12, 5), flambeau.randint(0, 3, (12,))
    found = []
    for i in range(12):
        optimizer.param_groups[0]["lr"] = 1e-2 / (i + 1)
        rows = 12 if i % 5 else 7
        out = model(x[:rows])
        if i in (6, 8):
            out = out * (1 + i)
        loss = nn.functional.cross_entropy(out, y[:rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return [found, *(p.detach().numpy().copy() for p in model.parameters())]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    """What the loop gives eagerly."""
    with mode("off"):
        return train()


@pytest.fixture(autouse=True)
def _as_for_users(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(HUB, "strict", False)
    yield
    HUB.clear()


def broken(monkeypatch: pytest.MonkeyPatch, place: str) -> list[int]:
    """Let a place fail once; the number of its calls so far, in a list of one."""
    room, _, path = place.partition(":")
    owner, _, name = path.rpartition(".")
    holder = getattr(import_module(f"flambeau._engine.{room}"), owner)
    right, calls = getattr(holder, name), [0]

    def fail(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == 1:
            raise Mistake(place)
        return right(*args, **kwargs)

    monkeypatch.setattr(holder, name, fail)
    return calls


@pytest.mark.parametrize("name", ["auto", "force"])
@pytest.mark.parametrize("place", PLACES)
def test_a_mistake_is_not_the_users(place, name, expected, monkeypatch):
    with mode(name):
        HUB.clear()
        calls = broken(monkeypatch, place)
        found = train()
        explained = flambeau.explain()
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    assert calls[0], "the loop does not come there"
    assert any("the compiler failed: Mistake" in each.reason for each in explained.abandoned)


def test_tests_see_mistakes(monkeypatch):
    monkeypatch.setattr(HUB, "strict", True)
    with mode("force"), pytest.raises(Mistake):
        HUB.clear()
        broken(monkeypatch, "trace.recording:Recording._gradients")
        train()
