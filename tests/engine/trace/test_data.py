"""`.data` in segments: writes that autograd does not see, and tensors that get other memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau import nn
from flambeau.nn import functional as F
from tests.modes import MODES, mode

pytest.importorskip("llvmlite")

from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG

from .injection import KINDS, exits

Update = Callable[[list[Any], list[Any]], None]  # of parameters; with a list for what is kept


def subtracted(ps: list[Any], kept: list[Any]) -> None:
    for p in ps:
        p.data -= 0.1 * p.grad.data
        p.grad.data.zero_()


def added(ps: list[Any], kept: list[Any]) -> None:
    for p in ps:
        p.data.add_(p.grad, alpha=-0.1)
        p.grad = None


def assigned(ps: list[Any], kept: list[Any]) -> None:
    for p in ps:
        p.data = p.data - 0.1 * p.grad
        p.grad.zero_()


def assigned_by_name(ps: list[Any], kept: list[Any]) -> None:
    for p in ps:
        new = p.data - 0.1 * p.grad.data
        p.data = new
        p.grad = None


def old_kept(ps: list[Any], kept: list[Any]) -> None:
    old = [p.data for p in ps]
    for p, before in zip(ps, old, strict=True):
        p.data = before - 0.1 * p.grad
        p.grad = None
    kept[:] = old


def new_kept(ps: list[Any], kept: list[Any]) -> None:
    new = [p.data - 0.1 * p.grad for p in ps]
    for p, after in zip(ps, new, strict=True):
        p.data = after
        after.mul_(0.99)
        p.grad = None
    kept[:] = new


def data_kept(ps: list[Any], kept: list[Any]) -> None:
    kept[:] = [p.data for p in ps] + [p.grad.data for p in ps]
    for p, data, grad in zip(ps, kept, kept[len(ps) :], strict=False):
        data -= 0.1 * grad
        data.view(-1)[:1].mul_(0.5)
        grad.mul_(0.9)
        p.grad = p.grad if p.dim() == 1 else None


def views_kept(ps: list[Any], kept: list[Any]) -> None:
    kept[:] = [p.data[:1] for p in ps]
    for p in ps:
        p.data.sub_(p.grad, alpha=0.1)
        kept.append(p.data.view(-1))
        p.grad.data.zero_()


def moved_twice(ps: list[Any], kept: list[Any]) -> None:
    for p in ps:
        p.data = p.data * 0.999
        p.data = p.data - 0.1 * p.grad
        with flambeau.no_grad():
            p.mul_(1.001)
        p.grad = None


def swapped(ps: list[Any], kept: list[Any]) -> None:
    kept[:] = [p.detach() for p in ps]
    for p in ps:
        p.data = p.detach() - 0.1 * p.grad
        p.grad = None


def detached(ps: list[Any], kept: list[Any]) -> None:
    with flambeau.no_grad():
        for p in ps:
            p -= 0.1 * p.grad
            p.grad.detach_()
            p.grad.zero_()


UPDATES = (
    subtracted, added, assigned, assigned_by_name, old_kept, new_kept, data_kept, views_kept,
    moved_twice, swapped, detached,
)  # fmt: skip
WHEN = ("never", "before", "after")  # the loss is read: before the backward, or after the update
ROUNDS = 26


def told(tensors: list[Any]) -> list[Any]:
    """What can be told of tensors: elements, counters, and who shares memory with whom."""
    arrays = [t.detach().numpy() for t in tensors]
    first = [next(i for i, b in enumerate(arrays) if np.shares_memory(a, b)) for a in arrays]
    return [*(a.copy() for a in arrays), [t._version for t in tensors], first]


def trained(update: Update, when: str, rounds: int = ROUNDS) -> list[Any]:
    """Rounds of a training loop by hand; what is told from time to time."""
    flambeau.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    x, y = flambeau.rand(16, 6), flambeau.randint(0, 3, (16,))
    ps, kept, found = list(model.parameters()), [], []
    for i in range(rounds):
        loss = F.cross_entropy(model(x), y)
        if when == "before":
            found.append(loss.item())
        loss.backward()
        update(ps, kept)
        if when == "after":
            found.append(loss.item())
        if i % 10 == 9:
            found += told(ps + kept)
            if i == 19:
                with flambeau.no_grad():
                    ps[0].add_(1)  # whoever shares memory sees it
                found += told(ps + kept)
    return found


def same(found: list[Any], wanted: list[Any]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        if isinstance(one, list):
            assert one == other
        else:
            np.testing.assert_allclose(one, other, 1e-4, 1e-5)


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("update", UPDATES, ids=lambda update: update.__name__)
def test_results_are_those_of_eager(update, when):
    with mode("off"):
        wanted = trained(update, when)
    for jit in MODES[1:]:
        HUB.clear()
        with mode(jit):
            same(trained(update, when), wanted)


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("update", [*UPDATES[:4], detached], ids=lambda update: update.__name__)
def test_a_round_is_a_segment(update, when):
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    x, y = flambeau.rand(64, 6), flambeau.randint(0, 3, (64,))
    ps = list(model.parameters())

    def rounds(count: int) -> None:
        for _ in range(count):
            loss = F.cross_entropy(model(x), y)
            if when == "before":
                loss.item()
            loss.backward()
            update(ps, [])
            if when == "after":
                loss.item()

    with mode("auto"):
        HUB.clear()
        rounds(40)
        before = LOG.counts.copy()
        with exits("guard", -1, -1) as counted:
            rounds(20)
        assert before == LOG.counts
    assert before["recorded"] == 1 and not before["side exits"]
    assert 20 <= len(counted.lengths) <= 21  # it may begin within a round


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("update", UPDATES, ids=lambda update: update.__name__)
def test_side_exits(update, kind):
    with mode("off"):
        wanted = trained(update, "before", 14)
    for event in range(1, 30, 9 if kind != "fault" else 1):
        with mode("force"):
            HUB.clear()
            trained(update, "before", 4)
            with exits(kind, 3, event) as injected:
                found = trained(update, "before", 14)
            same(found, wanted)
            if not injected.fired:
                break


def test_data_of_what_is_no_leaf_is_no_obstacle():
    cell, head = nn.GRUCell(6, 8), nn.Linear(8, 3)
    optimizer = flambeau.optim.SGD([*cell.parameters(), *head.parameters()], lr=0.1)
    x, y = flambeau.rand(16, 6), flambeau.randint(0, 3, (16,))
    state = flambeau.zeros(16, 8)
    with mode("auto"):
        HUB.clear()
        for i in range(24):
            if i == 16:
                before = LOG.counts.copy()
            optimizer.zero_grad()
            state = cell(x.data, state.data)
            F.cross_entropy(head(state), y).backward()
            optimizer.step()
        assert before == LOG.counts
        with exits("guard", -1, -1) as counted:
            for _ in range(8):
                optimizer.zero_grad()
                state = cell(x.data, state.data)
                F.cross_entropy(head(state), y).backward()
                optimizer.step()
    assert sum(counted.lengths) >= 8 * 4
