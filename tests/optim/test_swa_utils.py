"""Averaged models, their batch norm statistics and their schedule."""

from __future__ import annotations

import pytest

import flambeau as ft
from flambeau import nn
from flambeau.optim import SGD, swa_utils


def set_weight(model, value):
    with ft.no_grad():
        model.weight.fill_(value)


def averaged(weights, **options):
    model = nn.Linear(1, 1, bias=False)
    average = swa_utils.AveragedModel(model, **options)
    for weight in weights:
        set_weight(model, weight)
        average.update_parameters(model)
    return average


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, 3.0),
        ({"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()}, 3.0),
        ({"avg_fn": swa_utils.get_ema_avg_fn(0.75)}, 0.5625 * 1 + 0.1875 * 3 + 0.25 * 5),
        ({"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.75)}, 2.375),
        ({"avg_fn": lambda average, current, count: average + current}, 9.0),
    ],
)
def test_averages(options, expected):
    average = averaged([1.0, 3.0, 5.0], **options)
    assert average.module.weight.item() == pytest.approx(expected)
    assert average.n_averaged.item() == 3
    assert list(average.state_dict()) == ["n_averaged", "module.weight"]
    assert average(ft.ones(1, 1)).item() == pytest.approx(expected)


def test_buffers_are_copied_or_averaged():
    for use_buffers, expected in ((False, 4.0), (True, 3.0)):
        model = nn.BatchNorm1d(1)
        average = swa_utils.AveragedModel(model, use_buffers=use_buffers)
        for value in (2.0, 4.0):
            model.running_mean.fill_(value)
            average.update_parameters(model)
        assert average.module.running_mean.item() == expected


def test_two_functions_and_bad_decay():
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        averaged([], avg_fn=max, multi_avg_fn=max)
    with pytest.raises(ValueError, match=r"Invalid decay value 2"):
        swa_utils.get_ema_avg_fn(2)


def test_update_bn_averages_over_all_batches():
    model = nn.Sequential(nn.BatchNorm1d(1))
    model.eval()
    batches = [ft.tensor([[0.0], [2.0]]), ft.tensor([[4.0], [6.0]])]
    swa_utils.update_bn([(batch, None) for batch in batches], model)
    norm = model[0]
    assert norm.running_mean.item() == pytest.approx(3.0)
    assert norm.running_var.item() == pytest.approx(2.0)
    assert norm.momentum == 0.1 and not model.training


@pytest.mark.parametrize(
    "strategy, expected",
    [
        ("cos", [0.08750000000000001, 0.06250000000000001, 0.05, 0.05]),
        ("linear", [0.08333333333333334, 0.06666666666666668, 0.05, 0.05]),
    ],
)
def test_swalr(strategy, expected):
    optimizer = SGD([ft.ones(1, requires_grad=True)], lr=0.1)
    scheduler = swa_utils.SWALR(optimizer, 0.05, 3, strategy)
    seen = []
    for _ in range(4):
        optimizer.step()
        scheduler.step()
        seen += scheduler.get_last_lr()
    assert seen == expected
    with pytest.raises(ValueError, match="anneal_strategy must be"):
        swa_utils.SWALR(optimizer, 0.05, anneal_strategy="steep")
