"""Optimizers, changed between steps that replay: everything is noticed."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau
from flambeau._engine.trace.hub import HUB
from tests.modes import MODES, mode

X = flambeau.linspace(-1, 1, 60).reshape(10, 6)
BEFORE, AFTER = 12, 12


class Training:
    """A model of two layers and its optimizer; the loss of each step."""

    def __init__(self, make):
        flambeau.manual_seed(0)
        self.first, self.second = flambeau.nn.Linear(6, 5), flambeau.nn.Linear(5, 3)
        self.extra = flambeau.nn.Parameter(flambeau.ones(3), requires_grad=False)
        self.optimizer = make([*self.first.parameters(), *self.second.parameters()])
        self.group = self.optimizer.param_groups[0]
        self.losses = []
        self.reads = False  # before each step

    def step(self):
        self.optimizer.zero_grad()
        out = self.second(self.first(X).tanh()) * self.extra
        loss = out.square().sum()
        loss.backward()
        if self.reads:
            loss.item()
        self.optimizer.step()
        self.losses.append(loss)

    def state(self, parameter=None):
        return self.optimizer.state[self.first.weight if parameter is None else parameter]


def _new_state(t):
    state = t.state()
    for key in state:
        state[key] = state[key] * 0.5 + 1


def _new_parameter(t):
    """Another parameter in the model and in the group."""
    made = flambeau.nn.Parameter(t.first.weight.detach() * 0.5)
    before = t.optimizer.state.pop(t.first.weight, {})
    t.optimizer.state[made] = {key: value.clone() for key, value in before.items()}
    t.first.weight = t.group["params"][0] = made


def _lost_from_the_group(t):
    t.group["params"] = t.group["params"][:2]


def _another_group(t):
    t.optimizer.add_param_group({"params": [t.extra.requires_grad_()], "lr": 0.3})


def _another_state_dict(t):
    t.optimizer.state[t.first.weight] = {k: v + 1 for k, v in t.state().items()}


def _reloaded(t):
    t.optimizer.load_state_dict(t.optimizer.state_dict())


CHANGES = {
    "nothing": lambda t: None,
    "rate": lambda t: t.group.update(lr=t.group["lr"] * 0.5),
    "rate as a tensor": lambda t: t.group.update(lr=flambeau.tensor(0.02)),
    "rate as an int": lambda t: t.group.update(lr=0),
    "maximize": lambda t: t.group.update(maximize=True),
    "another option": lambda t: t.group.update(initial_lr=0.5),
    "decay": lambda t: t.group.update(weight_decay=0.5),
    "group": _another_group,
    "state": _new_state,
    "state of its own": _another_state_dict,
    "parameter": _new_parameter,
    "fewer parameters": _lost_from_the_group,
    "loaded": _reloaded,
    "data": lambda t: setattr(t.first.weight, "data", t.first.weight.detach() + 1),
    "written": lambda t: t.first.weight.data.mul_(0.5),
    "frozen": lambda t: t.first.weight.requires_grad_(False),
    "state emptied": lambda t: t.optimizer.state.clear(),
    "one counter": lambda t: t.state().get("step", flambeau.zeros(())).add_(3),
}
OPTIMIZERS = {
    "adamw": lambda p: flambeau.optim.AdamW(p, lr=0.01),
    "sgd": lambda p: flambeau.optim.SGD(p, lr=0.01),
    "momentum": lambda p: flambeau.optim.SGD(p, lr=0.01, momentum=0.9),
}


def _losses(name, make, change, reads=False):
    with mode(name):
        HUB.clear()
        training = Training(make)
        training.reads = reads
        for _ in range(BEFORE):
            training.step()
        change(training)
        for _ in range(AFTER):
            training.step()
        return [loss.item() for loss in training.losses]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_changes_between_steps(optimizer, change):
    expected = _losses("off", OPTIMIZERS[optimizer], CHANGES[change])
    for name in MODES[1:]:
        found = _losses(name, OPTIMIZERS[optimizer], CHANGES[change])
        np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("change", CHANGES)
def test_changes_between_steps_that_are_segments_of_their_own(change):
    expected = _losses("off", OPTIMIZERS["adamw"], CHANGES[change])
    for name in MODES[1:]:
        found = _losses(name, OPTIMIZERS["adamw"], CHANGES[change], reads=True)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def _shared(name, made):
    """Two parameters with one gradient, and after a while one state, too."""
    with mode(name):
        HUB.clear()
        p, q = (flambeau.nn.Parameter(flambeau.full((3,), value)) for value in (1.0, 5.0))
        optimizer = flambeau.optim.SGD([p, q], lr=0.1, momentum=0.5)
        for count in range(14):
            if made:
                grad = flambeau.full((3,), 1.0)
            else:
                optimizer.zero_grad()
                (p * 1.0).sum().backward()
                grad = p.grad
            p.grad = q.grad = grad
            optimizer.step()
            if count == 6:
                optimizer.state[q] = optimizer.state[p]
        return [*p.tolist(), *q.tolist()]


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("name", MODES[1:])
def test_a_gradient_and_a_state_that_two_parameters_share(name, made):
    assert _shared(name, made) == pytest.approx(_shared("off", made), rel=1e-5)


def _seen_outside(name):
    with mode(name):
        HUB.clear()
        seen = []
        for _ in range(3):  # another model each time, that known segments fit
            training = Training(OPTIMIZERS["adamw"])
            for _ in range(AFTER):
                training.optimizer.zero_grad()
                training.second(training.first(X)).square().sum().backward()
                seen.append(training.first.weight.detach().numpy())  # and held
                training.optimizer.step()
        return [array.sum() for array in seen]


@pytest.mark.parametrize("name", MODES[1:])
def test_parameters_that_are_seen_outside_before_their_step(name):
    np.testing.assert_allclose(_seen_outside(name), _seen_outside("off"), rtol=1e-3)


@pytest.mark.parametrize("name", MODES)
def test_another_gradient_is_used(name):
    with mode(name):
        training = Training(lambda p: flambeau.optim.SGD(p, lr=1.0))
        bias = training.second.bias
        for count in range(20):
            training.optimizer.zero_grad()
            training.second(training.first(X)).sum().backward()
            before = bias.detach().clone()
            if count % 5 == 4:
                bias.grad = flambeau.full((3,), 2.0)
            training.optimizer.step()
            wanted = 2.0 if count % 5 == 4 else 10.0
            assert (before - bias.detach()).tolist() == pytest.approx([wanted] * 3, rel=1e-4)


def test_a_step_like_the_last_is_a_replay():
    if "auto" not in MODES:
        pytest.skip("no compiler")
    with mode("auto"):
        HUB.clear()
        training = Training(OPTIMIZERS["adamw"])
        for _ in range(BEFORE):
            training.step()
        (root,) = [r for r in HUB.tracer().roots.values() if r.children]
        node = root.children[0]
        while node.children:
            node = node.children[0]
        asked = []
        node.step._all_fit = lambda *args: asked.append(args)
        ran = node.ending.runs
        for rate in (0.1, 0.2, 0.3):
            training.group["lr"] = rate
            training.step()
        assert node.ending.runs == ran + 3 and not asked


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize("make", ["Adam", "AdamW", "NAdam", "RMSprop", "SGD"])
def test_counters_where_a_history_outlives_its_step(make, jit):
    """The segment goes on after such a step, to another one that counts from there."""

    def run():
        flambeau.manual_seed(0)
        model = flambeau.nn.Linear(6, 3)
        optimizer = getattr(flambeau.optim, make)(model.parameters(), lr=0.01)
        for i in range(16):
            x = X.clone().requires_grad_()
            if i % 3 == 2:
                x = x + 0.1 * flambeau.rand(6)  # its history is there until x is another tensor
            loss = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        state = optimizer.state[model.weight]
        return [
            *model.parameters(),
            *(state[key] for key in sorted(state) if state[key] is not None),
        ]

    with mode("off"):
        expected = run()
    with mode(jit):
        HUB.clear()
        for _ in range(4):
            for a, b in zip(run(), expected, strict=True):
                flambeau.testing.assert_close(a, b)
