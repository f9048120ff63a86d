"""Schedules: checkpoints, resuming, warnings, errors."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import pytest

import flambeau as ft
from flambeau.optim import SGD, lr_scheduler as schedules


def optimizer_of(lr=1.0, **options):
    return SGD([ft.ones(1, requires_grad=True)], lr=lr, **options)


def lrs(scheduler, steps):
    seen = []
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()
        seen.append(scheduler.get_last_lr()[0])
    return seen


MAKERS = {
    "LambdaLR": lambda o, **k: schedules.LambdaLR(o, lambda e: 0.9**e, **k),
    "MultiplicativeLR": lambda o, **k: schedules.MultiplicativeLR(o, lambda e: 0.9, **k),
    "StepLR": lambda o, **k: schedules.StepLR(o, 2, **k),
    "MultiStepLR": lambda o, **k: schedules.MultiStepLR(o, [2, 5], **k),
    "ConstantLR": lambda o, **k: schedules.ConstantLR(o, **k),
    "LinearLR": lambda o, **k: schedules.LinearLR(o, **k),
    "ExponentialLR": lambda o, **k: schedules.ExponentialLR(o, 0.9, **k),
    "PolynomialLR": lambda o, **k: schedules.PolynomialLR(o, 9, **k),
    "CosineAnnealingLR": lambda o, **k: schedules.CosineAnnealingLR(o, 5, **k),
    "WarmRestarts": lambda o, **k: schedules.CosineAnnealingWarmRestarts(o, 9, **k),
    "CyclicLR": lambda o, **k: schedules.CyclicLR(o, 0.1, 0.2, 3, cycle_momentum=False, **k),
    "OneCycleLR": lambda o, **k: schedules.OneCycleLR(o, 0.1, 20, cycle_momentum=False, **k),
}


@pytest.mark.parametrize("name", MAKERS)
def test_state_dict_resumes(name):
    first = MAKERS[name](optimizer_of())
    lrs(first, 3)
    second = MAKERS[name](optimizer_of())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert "optimizer" not in first.state_dict()
    assert lrs(second, 4) == lrs(first, 4)


@pytest.mark.parametrize("name", MAKERS)
def test_last_epoch_resumes(name):
    first = MAKERS[name](optimizer_of())
    lrs(first, 3)
    optimizer = optimizer_of()
    optimizer.load_state_dict(first.optimizer.state_dict())
    second = MAKERS[name](optimizer, last_epoch=3)
    # making it takes the fourth step; chained schedules keep the optimizer's rate in it
    assert second.last_epoch == 4
    assert len(lrs(second, 3)) == 3


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "WarmRestarts"])
def test_wrong_order_warns_once(name):
    scheduler = MAKERS[name](optimizer_of())
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


def test_overridden_step_warns():
    optimizer = optimizer_of()
    scheduler = schedules.StepLR(optimizer, 2)
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        scheduler.step()


def test_right_order_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lrs(schedules.ExponentialLR(optimizer_of(), 0.5), 2) == [0.5, 0.25]


def test_epoch_argument_uses_the_closed_form():
    scheduler = schedules.StepLR(optimizer_of(), 2, gamma=0.5)
    scheduler.optimizer.step()
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(4)
    assert scheduler.get_last_lr() == [0.25]


def test_get_lr_outside_step_warns():
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedules.ExponentialLR(optimizer_of(), 0.5).get_lr()


def test_tensor_lr_is_changed_in_place():
    lr = ft.tensor(1.0)
    scheduler = schedules.ExponentialLR(optimizer_of(lr), 0.5)
    lrs(scheduler, 2)
    assert scheduler.optimizer.param_groups[0]["lr"] is lr and lr.item() == 0.25
    assert scheduler.base_lrs[0].item() == 1.0


def test_callable_objects_are_saved():
    class Factor:
        value = 2

        def __init__(self):
            self.value = 3

        def __call__(self, epoch):
            return self.value

    scheduler = schedules.LambdaLR(optimizer_of(), Factor())
    saved = copy.deepcopy(scheduler.state_dict())
    saved["lr_lambdas"][0]["value"] = 5
    scheduler.load_state_dict(saved)
    assert scheduler.lr_lambdas[0].value == 5
    assert schedules.LambdaLR(optimizer_of(), lambda e: 1.0).state_dict()["lr_lambdas"] == [None]


def test_plateau():
    scheduler = schedules.ReduceLROnPlateau(
        optimizer_of(), factor=0.5, patience=1, cooldown=1, min_lr=0.2
    )
    seen = []
    for metric in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5):
        scheduler.step(metric)
        seen.append(scheduler.get_last_lr()[0])
    assert seen == [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    assert scheduler.best == 0.5
    assert schedules.ReduceLROnPlateau(optimizer_of(), mode="max").best == -math.inf


def test_plateau_takes_tensors():
    scheduler = schedules.ReduceLROnPlateau(optimizer_of(), patience=0)
    scheduler.step(ft.tensor(1.0))
    assert scheduler.best == 1.0


def test_one_cycle_moves_momentum_and_ends():
    optimizer = optimizer_of(momentum=0.9)
    scheduler = schedules.OneCycleLR(optimizer, 0.1, 10)
    assert optimizer.param_groups[0]["momentum"] == 0.95
    lrs(scheduler, 10)
    with pytest.raises(ValueError, match="Tried to step 11 times"):
        lrs(scheduler, 1)


def test_beta1_is_a_momentum():
    optimizer = ft.optim.Adam([ft.ones(1, requires_grad=True)])
    schedules.OneCycleLR(optimizer, 0.1, 10)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.999)


def test_warm_restarts_between_epochs():
    scheduler = schedules.CosineAnnealingWarmRestarts(optimizer_of(), 2, 2)
    scheduler.step(3.5)
    assert (scheduler.T_cur, scheduler.T_i, scheduler.last_epoch) == (1.5, 4, 3)


def test_pickle_and_deepcopy():
    scheduler = schedules.CyclicLR(optimizer_of(momentum=0.9), 0.1, 0.2, 2)
    lrs(scheduler, 1)
    for other in (copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))):
        assert other.optimizer is not scheduler.optimizer
        other.step()
    assert lrs(scheduler, 1) == other.get_last_lr()


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda o: schedules.StepLR(3, 1), TypeError, "int is not an Optimizer"),
        (lambda o: schedules.StepLR(o, 1, last_epoch=2), KeyError, "initial_lr"),
        (lambda o: schedules.LambdaLR(o, [abs, abs]), ValueError, "Expected 1 lr_lambdas"),
        (lambda o: schedules.ConstantLR(o, 2), ValueError, "between 0 and 1"),
        (lambda o: schedules.LinearLR(o, 0), ValueError, "Starting multiplicative factor"),
        (lambda o: schedules.SequentialLR(o, [], []), ValueError, "at least one scheduler"),
        (
            lambda o: schedules.SequentialLR(o, [schedules.StepLR(o, 1)], [1]),
            ValueError,
            "number of schedulers 1",
        ),
        (
            lambda o: schedules.ChainedScheduler([schedules.ReduceLROnPlateau(o)]),
            ValueError,
            "does not support `ReduceLROnPlateau`",
        ),
        (
            lambda o: schedules.ChainedScheduler(
                [schedules.StepLR(o, 1), schedules.StepLR(optimizer_of(), 1)]
            ),
            ValueError,
            "belong to the same optimizer",
        ),
        (lambda o: schedules.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be"),
        (lambda o: schedules.ReduceLROnPlateau(o, mode="up"), ValueError, "mode up is unknown"),
        (lambda o: schedules.CyclicLR(o, 0.1, 0.2, mode="x"), ValueError, "mode is invalid"),
        (lambda o: schedules.CyclicLR(o, [1, 2], 3), ValueError, "base_lr must have the same"),
        (lambda o: schedules.OneCycleLR(o, 0.1), ValueError, "You must define either"),
        (lambda o: schedules.OneCycleLR(o, 0.1, -1), ValueError, "positive integer total_steps"),
        (
            lambda o: schedules.OneCycleLR(ft.optim.Adagrad(o.param_groups[0]["params"]), 0.1, 3),
            ValueError,
            "must support momentum or beta1",
        ),
        (
            lambda o: schedules.CosineAnnealingWarmRestarts(o, 0),
            ValueError,
            "positive integer T_0",
        ),
    ],
)
def test_errors(make, error, text):
    with pytest.raises(error) as caught:
        make(optimizer_of(momentum=0.9))
    assert text in str(caught.value)
