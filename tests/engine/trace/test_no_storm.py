"""What changes from step to step does not make the compiler work for ever."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau import nn
from tests.modes import MODES, mode

pytest.importorskip("llvmlite")

from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG

from .injection import exits

WARM, STEPS = 16, 60
WATCHED = ("recorded", "side exits", "abandoned", "compiler errors")


class Training:
    """A small training run, one step at a time."""

    def __init__(self, make: Callable[[Any], Any] = flambeau.optim.Adam):
        flambeau.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        self.optimizer = make(self.model.parameters())
        self.x, self.y = flambeau.rand(64, 4), flambeau.randint(0, 3, (64,))
        self.total: Any = 0.0
        self.kept: list[Any] = []
        self.scaler: Any = None

    def step(self, rows: int = 8, weight: float = 1.0) -> Any:
        """One step on the first rows."""
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(self.x[:rows]), self.y[:rows]) * weight
        loss.backward()
        self.optimizer.step()
        return loss


def _rate(run: Training, i: int) -> None:
    run.optimizer.param_groups[0]["lr"] = 1e-2 / (1 + i)
    run.step()


def _schedule(run: Training, i: int) -> None:
    group = run.optimizer.param_groups[0]
    group["lr"] = 0.01 * (1 + math.cos(i / 20))
    group["betas"] = (0.9 - 0.001 * i, 0.999)
    run.step()


def _weight(run: Training, i: int) -> None:
    run.step(weight=1 / (1 + i))


def _whole_weight(run: Training, i: int) -> None:
    run.step(weight=i)


def _weight_of_an_epoch(run: Training, i: int) -> None:
    run.step(weight=0.9 ** (i // 6))


def _numpy_weight(run: Training, i: int) -> None:
    run.step(weight=np.cos(0.01 * i))


def _tensor_weight(run: Training, i: int) -> None:
    run.step(weight=flambeau.tensor(1 / (1 + i)))


def _annealed(run: Training, i: int) -> None:
    """A dropout module's rate falls with each step."""
    if not run.kept:
        run.kept.append(nn.Sequential(run.model, nn.Dropout(0.5)))
    run.kept[0][1].p = 0.5 / (1 + 0.1 * i)
    run.optimizer.zero_grad()
    nn.functional.cross_entropy(run.kept[0](run.x), run.y).backward()
    run.optimizer.step()


def _weights(run: Training, i: int) -> None:
    """A temperature, noise, a penalty, dropout, clipping and an average, all on schedules."""
    run.optimizer.zero_grad()
    logits = run.model(run.x + flambeau.randn(64, 4) * (0.1 / (1 + i))) / (1 + 0.1 * i)
    logits = nn.functional.dropout(logits, 0.5 / (2 + i)).clamp(-5 - i, 5.0 + i)
    loss = nn.functional.cross_entropy(logits, run.y)
    penalty = sum(p.square().sum() for p in run.model.parameters())
    loss = flambeau.add(loss, penalty, alpha=1e-3 * i)
    loss.backward()
    nn.utils.clip_grad_norm_(run.model.parameters(), 1 + 1 / (1 + i))
    run.optimizer.step()
    if not run.kept:
        run.kept += [p.detach().clone() for p in run.model.parameters()]
    with flambeau.no_grad():
        for average, p in zip(run.kept, run.model.parameters(), strict=True):
            average.lerp_(p, 1 / (3 + i))
            average.mul_(1 - 1e-4 * i).add_(p, alpha=1e-4 * i)


def _summed_numbers(run: Training, i: int) -> None:
    run.total += run.step().item()


def _number_in_tensor(run: Training, i: int) -> None:
    run.total = flambeau.zeros(()) + run.step().item()
    assert run.total.isfinite()


def _every_fifth_read(run: Training, i: int) -> None:
    loss = run.step()
    if i % 5 == 0:
        assert math.isfinite(loss.item())


def _two_sizes(run: Training, i: int) -> None:
    run.step(8 if i % 4 else 5)


def _evaluated(run: Training, i: int) -> None:
    run.step()
    if i % 6 == 5:
        run.model.eval()
        with flambeau.no_grad():
            run.total = run.model(run.x).argmax(1).eq(run.y).float().mean().item()
        run.model.train()


def _clipped(run: Training, i: int) -> None:
    run.optimizer.zero_grad()
    nn.functional.cross_entropy(run.model(run.x), run.y).backward()
    nn.utils.clip_grad_norm_(run.model.parameters(), 0.5)
    run.optimizer.step()


def _scaled(run: Training, i: int) -> None:
    run.scaler = run.scaler or flambeau.amp.GradScaler("cpu")
    run.optimizer.zero_grad()
    run.scaler.scale(nn.functional.cross_entropy(run.model(run.x), run.y)).backward()
    run.scaler.step(run.optimizer)
    run.scaler.update()


def _slices(run: Training, i: int) -> None:
    start = 8 * (i % 8)
    run.optimizer.zero_grad()
    x, y = run.x[start : start + 8], run.y[start : start + 8]
    nn.functional.cross_entropy(run.model(x), y).backward()
    run.optimizer.step()


def _detached_kept(run: Training, i: int) -> None:
    run.kept.append(run.step().detach())


def _kept(run: Training, i: int) -> None:
    run.kept.append(run.step())


def _right_answers(run: Training, i: int) -> None:
    run.optimizer.zero_grad()
    logits = run.model(run.x)
    loss = nn.functional.cross_entropy(logits, run.y)
    loss.backward()
    run.optimizer.step()
    run.kept.append((logits.argmax(1) == run.y).sum())


# what may still be recorded, and how often a replay may be left, in the steps after the first
SETTLED: dict[Callable[[Training, int], None], tuple[int, int]] = {
    _rate: (0, 0), _schedule: (0, 0), _summed_numbers: (0, 0), _number_in_tensor: (0, 0),
    _every_fifth_read: (1, 12), _two_sizes: (1, 15), _evaluated: (2, 20), _clipped: (0, 0),
    _slices: (0, 1), _detached_kept: (1, 0), _kept: (0, 0), _right_answers: (2, 1),
    _weight: (0, 0), _whole_weight: (0, 0), _weight_of_an_epoch: (0, 0), _numpy_weight: (0, 0),
    _tensor_weight: (0, 0), _scaled: (1, 1), _annealed: (0, 0),
    _weights: (1, 1),  # the averages begin the next segment, which is open in the end
}  # fmt: skip


@pytest.mark.parametrize("jit", MODES[1:])
@pytest.mark.parametrize("step", SETTLED, ids=lambda step: step.__name__[1:])
def test_a_loop_settles(step, jit):
    run = Training()
    with mode(jit):
        for i in range(WARM):
            step(run, i)
        before = {name: LOG.counts[name] for name in WATCHED}
        for i in range(WARM, WARM + STEPS):
            step(run, i)
    more = {name: LOG.counts[name] - before[name] for name in WATCHED}
    recorded, left = SETTLED[step]
    assert more["recorded"] + more["abandoned"] <= recorded, more
    assert more["side exits"] <= left, more
    assert more["compiler errors"] == 0, more


@pytest.mark.parametrize("step", SETTLED, ids=lambda step: step.__name__[1:])
def test_a_loop_is_replayed(step):
    run = Training()
    HUB.clear()
    with mode("auto"):
        for i in range(2 * WARM):
            step(run, i)
        with exits("guard", -1, -1) as counted:
            for i in range(2 * WARM, 3 * WARM):
                step(run, i)
    assert sum(counted.lengths) >= 3 * WARM, counted.lengths


def test_an_annealed_dropout_is_recorded_twice():
    run = Training()
    HUB.clear()
    with mode("auto"):
        for i in range(2 * WARM):
            _annealed(run, i)
    assert LOG.counts["recorded"] <= 2


def test_epochs_are_recorded_in_their_first_three():
    """Batches, a smaller last one, and a validation likewise; a schedule."""
    run = Training()
    schedule = flambeau.optim.lr_scheduler.StepLR(run.optimizer, 2, 0.5)
    data = flambeau.utils.data.TensorDataset(run.x[:44], run.y[:44])

    def epoch() -> None:
        run.model.train()
        for x, y in flambeau.utils.data.DataLoader(data, 8, shuffle=True):
            run.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(run.model(x), y)
            loss.backward()
            run.optimizer.step()
            run.total += loss.item()
        schedule.step()
        run.model.eval()
        with flambeau.no_grad():
            for x, y in flambeau.utils.data.DataLoader(data, 8):
                run.total += nn.functional.cross_entropy(run.model(x), y).item()

    HUB.clear()
    with mode("auto"):
        for _ in range(3):
            epoch()
        before = {name: LOG.counts[name] for name in WATCHED}
        for _ in range(3):
            epoch()
        assert before == {name: LOG.counts[name] for name in WATCHED}
        with exits("guard", -1, -1) as counted:
            epoch()
    assert len(counted.lengths) >= 6, counted.lengths  # validation is too little work


@pytest.mark.parametrize("jit", MODES[1:])
def test_ever_new_shapes_stay_eager_in_the_end(jit):
    run = Training()
    before = LOG.counts["recorded"]
    with mode(jit):
        for rows in range(1, 61):
            run.step(rows)
    assert LOG.counts["recorded"] - before <= 24


@pytest.mark.parametrize("jit", MODES[1:])
def test_compile_time_is_near_linear(jit):
    def seconds(count: int) -> float:
        x = flambeau.linspace(0, 1, 7)
        with mode(jit):
            started = time.process_time()
            for _ in range(4):
                y = x
                for i in range(count):
                    y = (y * 1.001).sin() if i % 2 else y + x
                y.sum().item()
            return time.process_time() - started

    seconds(100)
    short, long = seconds(300), seconds(1500)
    assert long < 12 * short + 1.0, (short, long)
