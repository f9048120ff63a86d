"""Eager rules that take a short way when they can: the results are those of the long way."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flambeau
from flambeau._engine.eager import RULES
from flambeau.nn.functional import conv2d


def test_erf_in_float32_is_within_two_units_of_the_last_place():
    x = np.concatenate([np.linspace(-5, 5, 20011), [0.0, -0.0, math.inf, -math.inf]])
    x = x.astype(np.float32)
    exact = np.array([math.erf(v) for v in x.tolist()])
    found = RULES["erf"](x)
    assert found.dtype == np.float32
    assert (np.abs(found - exact) <= 2 * np.spacing(np.abs(exact).astype(np.float32))).all()
    assert found[-2:].tolist() == [1, -1]
    assert np.signbit(found[-3])
    assert np.isnan(RULES["erf"](np.array([math.nan], np.float32))).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32, np.int64, np.float16])
@pytest.mark.parametrize("shapes", [((80, 80), (80, 80)), ((80, 1), (1, 80)), ((3, 80, 80), (80,))])
def test_where_of_many_elements_chooses_bit_for_bit(kind, shapes):
    draw = np.random.RandomState(0)
    a, b = (draw.uniform(-9, 9, shape).astype(kind) for shape in shapes)
    condition = draw.rand(80, 80) > 0.5
    for x, y in ((a, b), (a, kind(0)), (kind(0), b), (a, kind(3))):
        wanted = np.where(condition, x, y)
        found = RULES["where"](condition, x, y)
        assert found.dtype == wanted.dtype
        assert found.tobytes() == wanted.tobytes()


def test_where_keeps_the_sign_of_zero_and_nan():
    x = np.where(np.arange(8192) % 2, -0.0, math.nan).astype(np.float32)
    found = RULES["where"](np.ones(8192, bool), x, np.float32(-0.0))
    assert found.tobytes() == x.tobytes()


@pytest.mark.parametrize("outputs", [2, 9])  # few: a convolution; many: windows added
def test_the_input_gradient_of_a_convolution(outputs):
    draw = np.random.RandomState(0)
    x = flambeau.tensor(draw.randn(2, 2, 5, 6), requires_grad=True)
    weight = flambeau.tensor(draw.randn(outputs, 2, 3, 2))
    g = flambeau.tensor(draw.randn(2, outputs, 4, 7))
    conv2d(x, weight, padding=1)[:, :, :4].backward(g)
    step = 1e-6
    moved = x.detach().clone()
    moved[1, 1, 2, 3] += step
    rise = (conv2d(moved, weight, padding=1) - conv2d(x.detach(), weight, padding=1))[:, :, :4] * g
    assert abs(rise.sum().item() / step - x.grad[1, 1, 2, 3].item()) < 1e-5


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_gradients_are_the_same_where_they_are_recorded(kind):
    flambeau.manual_seed(0)
    layer = getattr(flambeau.nn, kind)(3, 4).double()
    x = flambeau.randn(5, 2, 3, dtype=flambeau.float64, requires_grad=True)
    grads = [
        flambeau.autograd.grad((layer(x)[0] ** 2).sum(), x, create_graph=recorded)[0].tolist()
        for recorded in (False, True)
    ]
    assert np.allclose(grads[0], grads[1], rtol=1e-12)
