"""GradScaler: scaling, skipped steps, growth, checkpoints, misuse."""

from __future__ import annotations

import pickle

import pytest

import flambeau as ft
from flambeau.amp import GradScaler
from flambeau.optim import SGD


def parts(**options):
    weight = ft.ones(2, requires_grad=True)
    return weight, SGD([weight], lr=0.5), GradScaler("cpu", **options)


def iterate(weight, optimizer, scaler, factor=1.0):
    optimizer.zero_grad()
    scaler.scale((weight * factor).sum()).backward()
    scaler.step(optimizer)
    scaler.update()


def test_scales_and_unscales():
    weight, optimizer, scaler = parts(init_scale=8.0)
    scaler.scale(weight.sum()).backward()
    assert weight.grad.tolist() == [8.0, 8.0]
    scaler.unscale_(optimizer)
    assert weight.grad.tolist() == [1.0, 1.0]
    scaler.step(optimizer)
    scaler.update()
    assert weight.tolist() == [0.5, 0.5] and scaler.get_scale() == 8.0


def test_skips_steps_that_are_not_finite():
    weight, optimizer, scaler = parts(init_scale=8.0, growth_interval=2)
    iterate(weight, optimizer, scaler, float("inf"))
    assert weight.tolist() == [1.0, 1.0] and scaler.get_scale() == 4.0
    iterate(weight, optimizer, scaler)
    assert scaler.get_scale() == 4.0 and scaler._get_growth_tracker() == 1
    iterate(weight, optimizer, scaler)
    assert scaler.get_scale() == 8.0 and scaler._get_growth_tracker() == 0
    iterate(weight, optimizer, scaler, float("nan"))
    assert scaler.get_scale() == 4.0
    assert weight.tolist() == [0.0, 0.0]


def test_the_factor_stays_finite():
    weight, optimizer, scaler = parts(init_scale=2.0**127, growth_interval=1)
    iterate(weight, optimizer, scaler, 2.0**-127)
    assert scaler.get_scale() == 2.0**127


def test_several_losses():
    _, _, scaler = parts(init_scale=2.0)
    one, two = scaler.scale([ft.tensor(1.0), (ft.tensor(2.0),)])
    assert one.item() == 2.0 and two[0].item() == 4.0
    with pytest.raises(ValueError, match="must be a Tensor or an iterable of Tensors"):
        scaler.scale(3)


def test_order_of_calls():
    weight, optimizer, scaler = parts()
    with pytest.raises(AssertionError, match="_scale is None"):
        scaler.step(optimizer)
    scaler.scale(weight.sum()).backward()
    with pytest.raises(AssertionError, match="No inf checks were recorded prior to update"):
        scaler.update()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called on this optimizer"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="step\\(\\) has already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="called after step"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(optimizer, closure=lambda: 1)
    with pytest.raises(AssertionError, match="may only be pickled"):
        pickle.dumps(scaler)


def test_float16_gradients_are_refused():
    weight = ft.ones(2, dtype=ft.float16, requires_grad=True)
    optimizer, scaler = SGD([weight]), GradScaler("cpu")
    scaler.scale(weight.float().sum()).backward()
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaler.step(optimizer)


def test_new_scale():
    weight, optimizer, scaler = parts()
    iterate(weight, optimizer, scaler)
    scaler.update(16.0)
    assert scaler.get_scale() == 16.0
    scaler.update(ft.tensor(32.0))
    assert scaler.get_scale() == 32.0


def test_state_dict_and_pickle():
    weight, optimizer, scaler = parts(init_scale=8.0, growth_interval=5)
    iterate(weight, optimizer, scaler)
    saved = scaler.state_dict()
    assert saved == {
        "scale": 8.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 5,
        "_growth_tracker": 1,
    }  # fmt: skip
    other = GradScaler("cpu")
    other.load_state_dict(saved)
    assert other.state_dict() == saved
    assert pickle.loads(pickle.dumps(scaler)).state_dict() == saved
    with pytest.raises(RuntimeError, match="source state dict is empty"):
        other.load_state_dict({})


def test_disabled():
    weight = ft.ones(2, requires_grad=True)
    optimizer = SGD([weight], lr=0.5)
    with pytest.warns(UserWarning, match="CUDA is not available"):
        scaler = GradScaler()
    assert not scaler.is_enabled() and scaler.state_dict() == {} and scaler.get_scale() == 1.0
    iterate(weight, optimizer, scaler)
    assert weight.tolist() == [0.5, 0.5]
    with pytest.raises(AssertionError, match="growth factor must be > 1.0"):
        GradScaler("cpu", growth_factor=1.0)
