"""Pending tensors: what they answer, what settles them, and what nobody can tell."""

from __future__ import annotations

import copy
import functools
import json
import pickle

import pytest

import flambeau
from flambeau import jit
from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.pending import is_masked
from tests.modes import MODES, mode

pytest.importorskip("llvmlite")


@pytest.fixture
def pending():
    """A function that gives a fresh pending (2, 3) result at each call."""
    HUB.clear()
    jit.set_mode("force")
    weight = flambeau.ones(4, 3)

    def make():
        return flambeau.tanh((flambeau.ones(2, 4) @ weight) * 0.25)

    make().tolist()  # recorded here, replayed from now on
    yield make


ANSWERS = [
    lambda t: t.shape == (2, 3), lambda t: t.size() == t.shape, lambda t: t.size(-1) == 3,
    lambda t: t.dim() == 2 == t.ndim, lambda t: t.numel() == 6, lambda t: len(t) == 2,
    lambda t: t.dtype is flambeau.float32, lambda t: t.device.type == "cpu",
    lambda t: t.requires_grad is False, lambda t: t.is_leaf, lambda t: t.is_contiguous(),
    lambda t: t.stride() == (3, 1), lambda t: t.is_floating_point(), lambda t: t.nbytes == 24,
    lambda t: isinstance(t, flambeau.Tensor), lambda t: type(t) == flambeau.Tensor,  # noqa: E721
    lambda t: type(t).__name__ == "Tensor", lambda t: {flambeau.Tensor: 1}[type(t)] == 1,
]  # fmt: skip


ANSWERS += [  # what other people's code asks of a class
    lambda t: t.__class__ is flambeau.Tensor, lambda t: {type(t): 1}[flambeau.Tensor] == 1,
    lambda t: type(t) in {flambeau.Tensor}, lambda t: type(t) in (int, flambeau.Tensor),
    lambda t: isinstance(flambeau.ones(2), type(t)), lambda t: issubclass(flambeau.Tensor, type(t)),
    lambda t: not isinstance(3, type(t)), lambda t: issubclass(type(t), flambeau.Tensor),
    lambda t: type(type(t)([1.0, 2.0])) is flambeau.Tensor, lambda t: flambeau.is_tensor(t),
    lambda t: type(t.__class__([1.0])) is flambeau.Tensor, lambda t: _kind(t) == "a tensor",
    lambda t: pickle.loads(pickle.dumps(type(t))) is flambeau.Tensor, lambda t: _matched(t),
    lambda t: "Tensor" in repr(type(t)), lambda t: json.dumps(t, default=_kind) == '"a tensor"',
]  # fmt: skip


@functools.singledispatch
def _kind(x):
    return "an object"


@_kind.register
def _(x: flambeau.Tensor):
    return "a tensor"


def _matched(x):
    match x:
        case flambeau.Tensor():
            return True
    return False


@pytest.mark.parametrize("ask", ANSWERS)
def test_what_is_known_settles_nothing(pending, ask):
    t = pending()
    assert is_masked(t)
    assert ask(t)
    assert is_masked(t)


EXPECTED = [[0.7615941762924194] * 3] * 2
LOOKS = [
    lambda t: t.tolist(), lambda t: t.numpy().tolist(), lambda t: copy.deepcopy(t).tolist(),
    lambda t: pickle.loads(pickle.dumps(t)).tolist(), lambda t: t.clone().tolist(),
    lambda t: [[float(x) for x in row] for row in t], lambda t: t.data.tolist(),
    lambda t: flambeau.stack([t, t])[1].tolist(), lambda t: t.detach().numpy().tolist(),
]  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_values_are_there_when_they_are_looked_at(pending, look):
    for _ in range(3):
        found = look(pending())
        assert flambeau.allclose(flambeau.tensor(found), flambeau.tensor(EXPECTED))


def test_printing_shows_a_tensor(pending):
    t = pending()
    assert is_masked(t)
    assert repr(t).startswith("tensor([[0.7616, 0.7616, 0.7616],")
    assert type(t) is flambeau.Tensor


def test_attributes_of_the_users_own_survive(pending):
    t = pending()
    t.note = "mine"
    t.sum().item()
    assert t.note == "mine"
    t.add_(1)
    assert t.note == "mine"
    assert t[0, 0].item() == pytest.approx(1.7615942)


_PLACES = flambeau.tensor([0, 1])
WRITES_THROUGH_A_VIEW = {
    "indexed": lambda view, x: view.__setitem__(_PLACES, x[_PLACES]),
    "sliced": lambda view, x: view.__setitem__(slice(1, None), x[1:]),
    "copy_": lambda view, x: view.copy_(x),
    "index_add_": lambda view, x: view.index_add_(0, _PLACES, x),
    "mul_": lambda view, x: view.mul_(x),
}


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("write", WRITES_THROUGH_A_VIEW)
def test_a_base_gets_the_history_of_what_is_written_through_its_view(write, name):
    with mode(name):
        HUB.clear()
        for _ in range(8):
            x = (flambeau.arange(6.0).reshape(2, 3) / 4).requires_grad_()
            base = flambeau.arange(6.0).reshape(2, 3) / 4
            view = base[...]
            WRITES_THROUGH_A_VIEW[write](view, x * 2)
            assert base.requires_grad and not base.is_leaf and view.requires_grad
            base.sum().backward()
            assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("name", MODES)
def test_a_used_up_history_is_refused_for_its_leaves_and_not_for_others(name):
    with mode(name):
        HUB.clear()
        w, other = flambeau.randn(4, 3, requires_grad=True), flambeau.ones(3, requires_grad=True)
        optimizer = flambeau.optim.SGD([w], lr=0.1)
        x = flambeau.randn(6, 4)
        for _ in range(12):
            optimizer.zero_grad()
            out = (x @ w).tanh()
            loss = out.square().mean()
            loss.backward()
            optimizer.step()
            for output in (loss, loss * 2):
                with pytest.raises(RuntimeError, match="a second time"):
                    flambeau.autograd.grad(output, [w], allow_unused=True)
            (found,) = flambeau.autograd.grad((out * other).sum(), [other])
            assert found.tolist() == out.sum(0).tolist()
            with pytest.raises(RuntimeError, match="a second time"):
                flambeau.autograd.grad((out * other).sum() + w.sum(), [w])


@pytest.mark.parametrize("name", MODES)
def test_a_view_made_without_history_requires_grad_as_its_base_does(name):
    with mode(name):
        w = flambeau.ones(3, requires_grad=True)
        opt = flambeau.optim.SGD([w], lr=0.1)
        for _ in range(12):
            double = w * 2
            with flambeau.no_grad():
                view, copy, part = w.view(3), (w * 2).view(3), double[1:]
            assert view.requires_grad and view.is_leaf and not copy.requires_grad
            assert part.requires_grad and part.is_leaf
            opt.zero_grad()
            (double + view).sum().backward()
            opt.step()
