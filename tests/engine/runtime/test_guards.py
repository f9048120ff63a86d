"""Native guards: what they leave to Python, and that they neither leak nor lose references."""

from __future__ import annotations

import gc
import sys
import threading

import pytest

pytest.importorskip("llvmlite")

import flambeau
from flambeau import nn
from flambeau._engine.runtime import guards
from flambeau._engine.trace.hub import HUB
from tests.modes import mode


class Training:
    def __init__(self):
        flambeau.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
        self.optimizer = flambeau.optim.SGD(self.model.parameters(), lr=0.05)
        self.x, self.y = flambeau.randn(10, 6), flambeau.randint(0, 3, (10,))

    def step(self, factor=2):
        self.optimizer.zero_grad()
        scaled = flambeau.cat([self.x, self.x], dim=0)[:10] * factor
        loss = nn.functional.cross_entropy(self.model(scaled), self.y, label_smoothing=0.1)
        loss.backward()
        self.optimizer.step()
        return loss


@pytest.fixture
def training():
    with mode("auto"):
        HUB.clear()
        found = Training()
        for _ in range(12):
            found.step()
        assert flambeau.explain().segments[0].runs
        yield found
        HUB.clear()


def slow_calls(*steps):
    """Names of the events that went through Python's dispatcher."""
    names = []
    for node in list(HUB.tracer().roots.values()):
        stack = list(node.children)
        while stack:
            child = stack.pop()
            stack += child.children
            play = child.play

            def counted(args, kwargs, run, child=child, play=play):
                names.append(child.descriptor.name)
                return play(args, kwargs, run)

            child.play = counted
    for step in steps:
        step()
    return names


def test_native_code_looks_at_all_but_the_step(training):
    if not guards.known():
        pytest.skip("objects lie otherwise here")
    assert type(HUB.on_op).__name__ == "builtin_function_or_method"
    names = slow_calls(training.step, training.step)
    assert set(names) == {"getitem", "step"}  # a slice is another object each time


def looked_at_by_python(training, make_batch):
    """Events of a step on a new batch that native guards leave to Python."""
    training.x = make_batch()
    training.step()
    training.x = make_batch()
    return set(slow_calls(training.step)) - {"getitem", "step"}


def test_native_code_looks_at_views_from_inside(training):
    if not guards.known():
        pytest.skip("objects lie otherwise here")
    rows = flambeau.randn(40, 6)
    assert looked_at_by_python(training, lambda: rows[10:20]) == set()
    assert looked_at_by_python(training, lambda: rows[10:30][5:15]) == set()


def test_python_looks_at_memory_that_others_see(training):
    rows = flambeau.randn(40, 6)
    kept = rows.numpy()
    assert "cat" in looked_at_by_python(training, lambda: rows[10:20])
    kept[10:20] = 0
    training.x = rows[10:20]
    before = training.step()
    kept[10:20] = 9
    after = training.step()
    assert before != after


def test_a_view_of_a_leaf_with_a_gradient_is_left_to_eager(training):
    leaf = flambeau.randn(40, 6, requires_grad=True)
    training.x = leaf[10:20].detach()
    training.step()
    training.x = leaf[10:20]
    training.step()
    assert leaf.grad is not None and leaf.grad[10:20].abs().sum() > 0


def test_to_that_changes_nothing_is_no_event(training):
    before = HUB.tracer().eager_events
    x = training.x
    for _ in range(3):
        assert x.to(flambeau.device("cpu")) is x and x.to(flambeau.float32) is x
        assert x.cpu() is x and x.float() is x
        training.step()
    assert x.to("cpu") is x and x.to(x) is x
    assert x.to(flambeau.float64) is not x and x.to(flambeau.device("cpu"), copy=True) is not x
    assert HUB.tracer().eager_events - before <= 6


def test_references_are_neither_kept_nor_lost(training):
    held = (None, True, training.model, training.x, training.y, training.model[0].weight, "dim")
    training.step(), training.step()
    gc.collect()
    before = [sys.getrefcount(x) for x in held]
    objects = len(gc.get_objects())
    for _ in range(300):
        training.step()
    gc.collect()
    after = [sys.getrefcount(x) for x in held]
    assert all(abs(a - b) < 40 for a, b in zip(after, before, strict=True)), (before, after)
    assert abs(len(gc.get_objects()) - objects) < 200


def test_misses_leave_no_trace(training):
    run = None
    for i in range(60):
        flambeau.cat([training.x, training.x], dim=0)
        run = HUB.tracer().run
        if run is not None:
            sizes = len(run.inputs), len(run.slots), len(run.numbers)
            with pytest.raises((IndexError, RuntimeError)):
                flambeau.cat([training.x, training.y[:3]], dim=7 + i)
            assert run is not HUB.tracer().run or sizes == (
                len(run.inputs), len(run.slots), len(run.numbers)
            )  # fmt: skip
        training.step(factor=2 if i % 3 else 2.0)
    assert flambeau.isfinite(training.step())


def test_equal_constants_of_other_types_are_others(training):
    same, other = training.step(2), training.step(True + 1)
    assert same.isfinite() and other.isfinite()
    assert (training.step(2.0) * 1).dtype == flambeau.float32


def test_another_thread_looks_at_what_is_pending(training):
    found = []
    for _ in range(20):
        training.optimizer.zero_grad()
        out = training.model(training.x)
        reader = threading.Thread(target=lambda out=out: found.append(float(out.sum())))
        reader.start()
        loss = nn.functional.cross_entropy(out, training.y)
        loss.backward()
        training.optimizer.step()
        reader.join()
    assert len(found) == 20 and all(map(abs, found))
