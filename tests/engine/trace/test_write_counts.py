"""Versions of memory that programs write to: as if each write had been counted by itself."""

from __future__ import annotations

import pytest

import flambeau
from tests.modes import MODES, mode

X = flambeau.linspace(-1, 1, 30).reshape(5, 6)


class Training:
    """A model and its optimizer; `step` trains on the first rows of X."""

    def __init__(self):
        flambeau.manual_seed(0)
        self.model = flambeau.nn.Linear(6, 4)
        self.optimizer = flambeau.optim.Adam(self.model.parameters())

    def step(self, rows=5):
        self.optimizer.zero_grad()
        loss = self.model(X[:rows]).square().sum()
        loss.backward()
        self.optimizer.step()
        return loss

    def written(self):
        """All tensors that a step writes to."""
        state = self.optimizer.state
        return [
            *self.model.parameters(),
            *(state[p][name] for p in state for name in ("step", "exp_avg", "exp_avg_sq")),
        ]


def _replaced(training):
    """Other memory for a parameter, and another tensor in the state."""
    training.model.weight.data = training.model.weight.data + 1
    state = training.optimizer.state[training.model.bias]
    before, state["exp_avg"] = state["exp_avg"], state["exp_avg"].clone()
    return before


def _versions(name):
    with mode(name):
        training = Training()
        for count in range(30):
            training.step(3 if count % 4 == 3 else 5)
        found = [t._version for t in training.written()]
        stale = _replaced(training)
        for _ in range(10):
            training.step()
        with flambeau.no_grad():
            training.model.weight.mul_(0.5)
        training.step()
        return found + [t._version for t in training.written()] + [stale._version]


@pytest.mark.parametrize("name", MODES)
def test_versions_are_those_of_eager_steps(name):
    assert _versions(name) == _versions("off")


@pytest.mark.parametrize("name", MODES)
def test_a_backward_through_what_a_step_has_written_is_refused(name):
    with mode(name):
        training = Training()
        weight = training.model.weight
        for _ in range(10):
            training.step()
            late = (weight * weight).sum()
            training.step()
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                late.backward()


@pytest.mark.parametrize("name", MODES)
def test_a_view_follows_its_parameter(name):
    with mode(name):
        training = Training()
        for _ in range(10):
            training.step()
        view = training.model.weight[0]
        training.step()
        assert view._version == training.model.weight._version
        assert view.tolist() == training.model.weight[0].tolist()


@pytest.mark.parametrize("name", MODES)
def test_batches_that_are_written_and_lie_in_each_other(name):
    with mode(name):
        for count in range(12):
            target = flambeau.tensor([1.0] * 6)
            source = target[:] if count % 3 == 2 else flambeau.tensor([1.0, 2.0, 3.0] * 2)
            total = (source * 2).sum() + source.sum()
            target.add_(source)
            assert target.sum().item() == (12.0 if count % 3 == 2 else 18.0)
            assert total.item() == (18.0 if count % 3 == 2 else 36.0)
            assert source.sum().item() == 12.0
            assert target._version == 1


@pytest.mark.parametrize("name", MODES)
def test_results_that_are_written(name):
    with mode(name):
        for _ in range(12):
            x = flambeau.ones(6) * 2
            x.add_(1).mul_(2)
            assert x.sum().item() == 36.0
            assert x._version == 2
