"""Memory that is visible outside: replayed from copies, and known to be nobody else's again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau import nn
from flambeau._engine.autograd.exposure import visible
from tests.footguns.exposed import data, shared
from tests.modes import mode

pytest.importorskip("llvmlite")

from flambeau._engine.trace import snapshots
from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG

from .injection import exits

WARM, STEPS = 12, 10


class Training:
    """A loop whose batches are made of arrays in some way."""

    def __init__(self, make: Callable[[np.ndarray], Any] = flambeau.from_numpy):
        flambeau.manual_seed(0)
        self.make = make
        self.x, self.y = data(6 * 8)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        self.optimizer = flambeau.optim.Adam(self.model.parameters(), lr=0.01)

    def run(self, steps: int, between: Callable[[], Any] = lambda: None) -> list[Any]:
        """So many steps; the losses."""
        losses = []
        for i in range(steps):
            rows = slice(6 * (i % 8), 6 * (i % 8) + 6)
            x, y = self.make(self.x[rows]), self.make(self.y[rows])
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(x), y)
            between()
            loss.backward()
            between()
            self.optimizer.step()
            losses.append(loss)
        return losses


def replays() -> int:
    """How often programs have run."""
    lasts = [segment.last() for segment in LOG.segments]
    return sum(last.ending.runs for last in lasts if last is not None and last.ending is not None)


def counts(act: Callable[[], Any]) -> tuple[int, int]:
    """Replays and side exits while something is done."""
    before = replays(), LOG.counts["side exits"]
    act()
    return replays() - before[0], LOG.counts["side exits"] - before[1]


@pytest.fixture(autouse=True)
def compiled():
    with mode("auto"):
        HUB.clear()
        yield


@pytest.mark.parametrize("way", range(7))
def test_batches_of_arrays_are_replayed(way):
    training = Training(shared(flambeau)[way])
    training.run(WARM)
    assert counts(lambda: training.run(STEPS)) == (STEPS, 0)


def test_what_is_written_in_the_middle_leaves():
    training = Training()
    training.run(WARM)

    def write() -> None:
        training.x[:] += 1

    assert counts(lambda: training.run(1, write)) == (0, 1)
    assert counts(lambda: training.run(STEPS)) == (STEPS, 0)


def test_too_large_memory_is_not_copied(monkeypatch):
    monkeypatch.setattr(snapshots, "SMALL", 0)
    monkeypatch.setattr(snapshots, "RESULTS", 0)
    with mode("off"):
        expected = [loss.item() for loss in Training().run(2 * WARM)]
    assert [loss.item() for loss in Training().run(2 * WARM)] == pytest.approx(expected)
    assert any("too large" in failure.reason for failure in LOG.failures)


def test_steps_go_on_while_somebody_has_the_weights():
    training = Training()
    training.run(WARM)
    seen = [p.detach().numpy() for p in training.model.parameters()]
    before = [a.copy() for a in seen]
    assert counts(lambda: training.run(STEPS)) == (STEPS, 0)
    assert all(map(visible, training.model.parameters()))
    assert all((a != b).any() for a, b in zip(seen, before, strict=True))
    part = seen[0][1:]
    del seen
    assert [visible(p) for p in training.model.parameters()] == [True, False, False, False]
    del part
    assert not any(map(visible, training.model.parameters()))
    assert counts(lambda: training.run(STEPS)) == (STEPS, 0)


def test_steps_on_state_that_somebody_had_from_the_start():
    training = Training()
    training.run(1)
    states = training.optimizer.state.values()
    seen = [t.numpy() for state in states for t in state.values()]
    seen += [p.detach().numpy() for p in training.model.parameters()]
    training.run(WARM)
    assert counts(lambda: training.run(STEPS)) == (STEPS, 0)
    assert seen[0] == 1 + WARM + STEPS
    del seen[:]
    assert counts(lambda: training.run(STEPS)) == (STEPS, 0)


def test_a_loop_that_logs_its_weights_is_replayed():
    training = Training()

    def log() -> list[Any]:
        return [t.numpy().mean() for t in training.model.state_dict().values()]

    def run() -> None:
        for _ in range(STEPS):
            training.run(1)
            log()

    run()
    run()
    assert counts(run) == (STEPS, 0)


def test_batches_become_visible_between_forward_and_backward():
    training = Training(flambeau.tensor)
    x, y = flambeau.sin(flambeau.arange(24.0)).view(6, 4), flambeau.arange(6) % 3

    def run(write: bool = False) -> None:
        for _ in range(STEPS):
            training.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(training.model(x), y)
            x.numpy()[:] += write
            loss.backward()
            training.optimizer.step()

    run()
    run()
    assert counts(run) == (STEPS, 0)
    assert counts(lambda: run(True))[1] > 0


@pytest.mark.parametrize("kind", ["guard", "settle"])
@pytest.mark.parametrize("written", [False, True])
def test_exits_compute_from_what_was_read(kind, written):
    def act(training: Training) -> list[Any]:
        x = training.x
        before = x.copy()
        held = flambeau.from_numpy(x[:6])
        turned = held.t()
        hidden = (held @ flambeau.ones(4, 3) + turned.sum()).tanh()
        more = hidden * hidden.exp() + held.sum()
        if written:
            x[:] = 0.5
        loss = (training.model(hidden @ flambeau.ones(3, 4)) * more[:, :3]).sum()
        loss.backward()
        kept = [p.grad.tolist() for p in training.model.parameters()]
        assert turned.tolist() == x[:6].T.tolist() and held.tolist() == x[:6].tolist()
        training.optimizer.zero_grad()
        x[:] = before
        return [loss.item(), more.tolist(), kept]

    training = Training()
    with mode("off"):
        expected = act(training)
    for _ in range(WARM):
        act(training)
    fired = 0
    for event in range(1, 14):
        with exits(kind, 0, event) as injection:
            found = act(training)
        fired += injection.fired
        for a, b in zip(flat(found), flat(expected), strict=True):
            assert a == pytest.approx(b, rel=1e-5, abs=1e-6), event
    assert fired > 3


def flat(x: Any) -> list[float]:
    return [y for item in x for y in flat(item)] if isinstance(x, list) else [x]


# --- who sees memory ------------------------------------------------------------------------------


def test_arrays_that_nobody_else_has_are_not_visible():
    t = flambeau.from_numpy(np.ones((3, 4)))
    assert not visible(t)
    a = t.numpy()
    assert visible(t) and visible(t[1])
    row = a[1]
    del a
    assert visible(t)
    del row
    assert not visible(t)


def test_owners_are_seen_through_views():
    array = np.ones((3, 4))
    t = flambeau.from_numpy(array[1:])
    assert visible(t) and visible(t.t())
    view = memoryview(array)
    del array
    assert visible(t)
    view.release()
    del view
    assert not visible(t)


@pytest.mark.parametrize("buffer", [bytearray(8), bytes(8), memoryview(bytearray(8))])
def test_buffers_are_always_visible(buffer):
    t = flambeau.frombuffer(buffer, dtype=flambeau.float32)
    del buffer
    assert visible(t)


def test_capsules_hold_memory():
    t = flambeau.ones(3)
    capsule = t.__dlpack__()
    assert visible(t)
    array = np.from_dlpack(flambeau.ones(3))
    array = np.from_dlpack(t)
    del capsule
    assert visible(t)
    del array
    assert not visible(t)


@pytest.mark.parametrize("bound", [False, True])
def test_what_is_given_out(bound):
    for t in (
        flambeau.ones(2, 3), flambeau.ones(()), flambeau.ones(0, 2), flambeau.ones(4, 4)[1::2, 2:],
        flambeau.ones(3, dtype=flambeau.bool), flambeau.ones(3, dtype=flambeau.complex64),
        flambeau.ones(3, dtype=flambeau.float16),
    ):  # fmt: skip
        t.untyped_storage()._core.bound = bound
        array = t.numpy()
        assert array.dtype is t._array.dtype and array.strides == t._array.strides
        array[...] = 0
        assert t.tolist() == array.tolist() and array.flags.writeable
        assert visible(t)
        part = array[..., None]
        del array
        assert visible(t) or part.size == 0
        del part
        assert visible(t) is (t._is_view() and not bound)  # the base is counted as a stranger


def test_a_storage_seen_as_an_array():
    t = flambeau.ones(3)
    array = np.asarray(t.untyped_storage())
    assert visible(t)
    del array
    assert not visible(t)
