"""Checkpointing changes memory, not numbers."""

from __future__ import annotations

import gc
import weakref

import pytest

import flambeau
from flambeau.utils.checkpoint import checkpoint, checkpoint_sequential

nn = flambeau.nn


def _model():
    flambeau.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 2))


def _gradients(model, run, requires_grad=True):
    flambeau.manual_seed(2)
    x = flambeau.randn(3, 4).requires_grad_(requires_grad)
    out = run(model, x)
    out.pow(2).sum().backward()
    after = flambeau.rand(2)
    return [out, x.grad, *(p.grad for p in model.parameters()), after]


@pytest.mark.parametrize("reentrant", [True, False])
def test_same_numbers_and_same_random_draws(reentrant):
    plain = _gradients(_model(), lambda m, x: m(x))
    kept = _gradients(_model(), lambda m, x: checkpoint(m, x, use_reentrant=reentrant))
    for a, b in zip(plain, kept, strict=True):
        assert flambeau.equal(a, b)


def test_parameters_alone_need_no_input_with_grad():
    plain = _gradients(_model(), lambda m, x: m(x), requires_grad=False)
    kept = _gradients(_model(), lambda m, x: checkpoint(m, x, use_reentrant=False), False)
    assert all(flambeau.equal(a, b) for a, b in zip(plain, kept, strict=True) if a is not None)


def test_reentrant_needs_an_input_with_grad():
    out = checkpoint(_model(), flambeau.ones(3, 4), use_reentrant=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        out.sum().backward()


def test_a_chain_in_segments():
    plain = _gradients(_model(), lambda m, x: m(x))
    kept = _gradients(_model(), lambda m, x: checkpoint_sequential(m, 2, x, use_reentrant=False))
    for a, b in zip(plain, kept, strict=True):
        assert flambeau.equal(a, b)


def test_what_is_inside_is_let_go_between_forward_and_backward():
    inside = []

    def function(x):
        middle = x.exp()
        inside.append(weakref.ref(middle))
        return (middle * middle).sum()

    x = flambeau.ones(1000, requires_grad=True)
    gc.disable()
    try:
        loss = checkpoint(function, x, use_reentrant=False)
        assert inside[0]() is None
        loss.backward()
    finally:
        gc.enable()
    assert len(inside) == 2
    assert flambeau.allclose(x.grad, 2 * (x.detach() * 2).exp())


def test_autocast_holds_in_the_second_run_too():
    seen = []

    def function(x):
        y = x @ x
        seen.append(y.dtype)
        return y.float().sum()

    x = flambeau.ones(2, 2, requires_grad=True)
    with flambeau.autocast("cpu", dtype=flambeau.bfloat16):
        loss = checkpoint(function, x, use_reentrant=False)
    loss.backward()
    assert seen == [flambeau.bfloat16, flambeau.bfloat16]
