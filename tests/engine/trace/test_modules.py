"""Built-in modules are called as one event, and whatever is changed about them is noticed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import flambeau
from flambeau import nn
from tests.modes import MODES, mode

pytest.importorskip("llvmlite")

from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG

STEPS, CHANGE = 20, 11


class Training:
    """A loop over one model, which something is done to at step CHANGE."""

    def __init__(self, *layers: nn.Module):
        flambeau.manual_seed(0)
        layers = layers or (nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.25), nn.Linear(12, 3))
        self.model: Any = nn.Sequential(*layers)
        self.optimizer = flambeau.optim.SGD(self.model.parameters(), lr=0.05)
        self.criterion: Any = nn.CrossEntropyLoss()
        self.x, self.y = flambeau.randn(10, 6), flambeau.randint(0, 3, (10,))
        self.calls = 0

    def step(self) -> Any:
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def hook(self, *ignored: Any) -> None:
        self.calls += 1


def losses(change: Callable[[Training, int], Any], jit: str, *layers: nn.Module) -> list[Any]:
    """The losses of a training, and how often its hook has been called."""
    with mode(jit):
        HUB.clear()
        training = Training(*copy.deepcopy(layers))
        kept = []
        for i in range(STEPS):
            change(training, i)
            kept.append(training.step())
        found = [loss.item() for loss in kept]
        HUB.clear()
    return [*found, training.calls]


def at(what: Callable[[Training], Any], end: Callable[[Training], Any] | None = None) -> Any:
    """A change at step CHANGE, perhaps with an end four steps later."""

    def change(training: Training, i: int) -> None:
        if i == CHANGE:
            what(training)
        if i == CHANGE + 4 and end is not None:
            end(training)

    return change


def _new_layer(t: Training) -> None:
    flambeau.manual_seed(1)
    t.model[0] = nn.Linear(6, 12)


def _past_the_methods(t: Training) -> None:
    t.model[3]._parameters["bias"] = nn.Parameter(flambeau.ones(3))


def _another_tree(t: Training) -> None:
    t.model._modules["1"] = nn.Tanh()


def _one_more_past_the_methods(t: Training) -> None:
    t.model._modules["more"] = nn.Tanh()


def _one_less_past_the_methods(t: Training) -> None:
    del t.model._modules["2"]


def _others_past_the_methods(t: Training) -> None:
    del t.model._modules["2"]
    t.model._modules["more"] = nn.Tanh()


def _another_order(t: Training) -> None:
    first, second, *others = t.model._modules.items()
    t.model._modules.clear()
    t.model._modules.update([first, *others, second])


def _own_forward(t: Training) -> None:
    layer = t.model[1]
    layer.forward = lambda x: (t.hook(), nn.functional.gelu(x))[1]


def _own_class_forward(t: Training) -> None:
    nn.ReLU.forward = lambda self, x: (t.hook(), nn.functional.gelu(x))[1]


def _own_function(t: Training) -> None:
    nn.functional.relu = lambda x, inplace=False: (t.hook(), nn.functional.gelu(x))[1]


_RELU, _FUNCTION = nn.ReLU.forward, nn.functional.relu
CHANGES = {
    "nothing": at(lambda t: None),
    "eval": at(lambda t: t.model.eval(), lambda t: t.model.train()),
    "option": at(lambda t: setattr(t.model[2], "p", 0.75)),
    "option each time": lambda t, i: setattr(t.model[2], "p", i / 40),
    "option past its methods": at(lambda t: t.criterion.__setattr__("label_smoothing", 0.25)),
    "layer": at(_new_layer),
    "parameter": at(_past_the_methods),
    "tree": at(_another_tree),
    "one more": at(lambda t: t.model.append(nn.Tanh())),
    "one less": at(lambda t: t.model.pop(2)),
    "one more past the methods": at(_one_more_past_the_methods),
    "one less past the methods": at(_one_less_past_the_methods),
    "another order": at(_another_order),
    "option past the methods": at(lambda t: vars(t.model[2]).update(p=0.75)),
    "mode past the methods": at(lambda t: vars(t.model[2]).update(training=False)),
    "option past the methods each time": lambda t, i: vars(t.model[2]).update(p=i / 40),
    "others past the methods": at(_others_past_the_methods),
    "hook": at(lambda t: setattr(t, "h", t.model[1].register_forward_hook(t.hook)),
               lambda t: t.h.remove()),
    "hook above": at(lambda t: setattr(t, "h", t.model.register_forward_pre_hook(t.hook)),
                     lambda t: t.h.remove()),
    "hook of all": at(
        lambda t: setattr(t, "h", nn.modules.module.register_module_forward_hook(t.hook)),
        lambda t: t.h.remove()),
    "forward": at(_own_forward, lambda t: delattr(t.model[1], "forward")),
    "forward of the class": at(_own_class_forward, lambda t: setattr(nn.ReLU, "forward", _RELU)),
    "function": at(_own_function, lambda t: setattr(nn.functional, "relu", _FUNCTION)),
    "frozen": at(lambda t: t.model[0].requires_grad_(False)),
    "data": at(lambda t: setattr(t.model[0].weight, "data", flambeau.zeros(12, 6))),
    "double": at(lambda t: (t.model.double(), setattr(t, "x", t.x.double()))),
    "criterion each time": lambda t, i: setattr(t, "criterion", nn.CrossEntropyLoss()),
    "weighted criterion": at(
        lambda t: setattr(t, "criterion", nn.CrossEntropyLoss(flambeau.tensor([1.0, 2, 3])))
    ),
    "copy": at(lambda t: setattr(t, "model", copy.deepcopy(t.model))),
    "sum instead of mean": at(lambda t: setattr(t.criterion, "reduction", "sum")),
}  # fmt: skip


@pytest.mark.parametrize("jit", ["auto", "force"])
@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_noticed(name, jit):
    expected = losses(CHANGES[name], "off")
    found = losses(CHANGES[name], jit)
    assert found == pytest.approx(expected, rel=1e-5)


class Counting(nn.Module):
    """A module of a user's, whose Python runs each time."""

    seen = 0

    def forward(self, x: Any) -> Any:
        Counting.seen += 1
        return x * 2 if Counting.seen % 7 else x


@pytest.mark.parametrize("jit", ["auto", "force"])
def test_the_users_code_runs_each_time(jit):
    layers = nn.Linear(6, 12), Counting(), nn.Linear(12, 3)
    expected = losses(lambda t, i: None, "off", *layers)
    Counting.seen = 0
    assert losses(lambda t, i: None, jit, *layers) == pytest.approx(expected, rel=1e-5)
    assert Counting.seen == STEPS
    Counting.seen = 0


def test_a_sequence_is_one_event():
    with mode("auto"):
        HUB.clear()
        training = Training()
        for _ in range(STEPS):
            training.step()
        (segment,) = flambeau.explain().segments
        HUB.clear()
    names = [name for name, _ in segment.events]
    assert names == ["Sequential", "CrossEntropyLoss", "backward", "step"]
    assert segment.runs > STEPS // 2


def test_what_is_in_the_way_of_one_event_leaves_the_rest_compiled():
    class Peeking(nn.Sequential):
        pass

    Peeking.__module__ = "flambeau.nn.modules.container"
    Peeking._is_builtin = True  # as a built-in one whose forward looks at elements
    Peeking.forward = lambda self, x: self[0](x) * (2 if x.sum() > -1e9 else 1)
    layers = Peeking(nn.Linear(6, 12)), nn.ReLU(), nn.Linear(12, 3)
    expected = losses(lambda t, i: None, "off", *layers)
    assert losses(lambda t, i: None, "auto", *layers) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("jit", ["auto", "force"])
def test_a_change_after_the_call_does_not_change_what_was_called(jit):
    def train(jit: str) -> list[float]:
        with mode(jit):
            HUB.clear()
            training, kept = Training(), []
            layer = training.model[3]
            for i in range(STEPS):
                if i < CHANGE:
                    training.step()
                    continue
                out = training.model(training.x)
                if i % 3 == 0:
                    training.model[2].p = 0.9  # the call above was promised with another
                elif i % 3 == 1:
                    weight = layer._parameters["weight"]
                    layer._parameters["weight"] = nn.Parameter(flambeau.zeros(3, 12))
                kept.append((out * out).exp().sum().item())  # a side exit
                if i % 3 == 0:
                    training.model[2].p = 0.25
                elif i % 3 == 1:
                    layer._parameters["weight"] = weight
            HUB.clear()
        return kept

    assert train(jit) == pytest.approx(train("off"), rel=1e-5)


@pytest.mark.parametrize("jit", ["auto", "force"])
def test_a_hook_after_the_call_is_not_called(jit):
    def train(jit: str) -> list[Any]:
        with mode(jit):
            HUB.clear()
            training, kept = Training(), []
            for i in range(STEPS):
                out = training.model(training.x)
                handles = []
                if i > CHANGE:
                    module = training.model[i % 4]
                    handles = [module.register_forward_hook(training.hook)]
                    handles += [nn.modules.module.register_module_forward_hook(training.hook)]
                kept.append((out * out).sum().item())
                for handle in handles:
                    handle.remove()
            HUB.clear()
        return [*kept, training.calls]

    assert train(jit) == pytest.approx(train("off"), rel=1e-5)
    assert train(jit)[-1] == 0


@pytest.mark.parametrize("jit", ["auto", "force"])
def test_functional_call(jit):
    def train(jit: str) -> list[float]:
        with mode(jit):
            HUB.clear()
            training, kept = Training(), []
            names = dict(training.model.named_parameters())
            for i in range(STEPS):
                scaled = {name: p * (1 + i / 10) for name, p in names.items()}
                out = flambeau.func.functional_call(training.model, scaled, (training.x,))
                if i % 5 == 4:
                    out = out.cosh()
                training.criterion(out, training.y).backward()
                kept.append(float(training.model[0].weight.grad.sum()))
            HUB.clear()
        return kept

    assert train(jit) == pytest.approx(train("off"), rel=1e-4)


def test_plans_stay_out_of_copies_and_files():
    with mode("auto"):
        training = Training()
        for _ in range(STEPS):
            training.step()
        assert training.model.__dict__["_plan"] is not None
        copied = copy.deepcopy(training.model)
        loaded = pickle.loads(pickle.dumps(training.model))
    assert copied.__dict__["_plan"] is loaded.__dict__["_plan"] is None
    assert b"flambeau._engine.trace" not in pickle.dumps(training.model)


def test_models_are_not_kept_alive():
    import gc
    import weakref

    with mode("auto"):
        HUB.clear()
        training = Training()
        for _ in range(STEPS):
            training.step()
        before = LOG.counts["recorded"]
        assert before
        dead = weakref.ref(training.criterion)
        training.criterion = None
        gc.collect()
        assert dead() is None
        HUB.clear()


def test_a_module_that_did_not_fit_is_not_among_those_that_did():
    """A branch of the tree is tried in vain; then a side exit calls the modules again."""
    first, second = nn.Linear(4, 5), nn.Linear(5, 3)
    inputs = [flambeau.rand(6, 4), flambeau.rand(5, 4)]
    base = flambeau.rand(3)

    def results(count: int) -> list[float]:
        found = []
        for i in range(count):
            scale = base.abs().sum()
            out = second(first(inputs[i % 2]))
            total = out.exp().sum() if i in (9, 10) else out.square().sum()
            (total * scale).backward()
            found.append(total.item())
        return found

    with mode("off"):
        expected = results(12)
    for name in MODES[1:]:
        HUB.clear()
        with mode(name):
            assert results(12) == pytest.approx(expected, rel=1e-5)
