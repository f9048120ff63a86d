"""What keeps memory alive: nothing but the tensors one holds. No garbage collector is needed."""

from __future__ import annotations

import gc
import weakref
from resource import RUSAGE_SELF, getrusage

import pytest

import flambeau
from flambeau import nn
from flambeau.utils.checkpoint import checkpoint


class Square(flambeau.autograd.Function):
    """Keeps its input and its result."""

    @staticmethod
    def forward(ctx, x):
        out = x * x
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, g):
        x, _ = ctx.saved_tensors
        return 2 * x * g


def _in_place(x):
    y = x * 2
    y.mul_(x).add_(1).sigmoid_()
    return y


def _through_view(x):
    y = x * 2
    y[0].mul_(3)
    y.t()[1] = 5.0
    return y


def _hooked(x):
    y = x * 2
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    return y


def _turned(x):
    y = x * 2
    view = y[0]
    y.t_()
    view.mul_(2)
    return y


MAKES = {
    "mul": lambda x: x * x,
    "exp": lambda x: x.exp(),
    "sigmoid": lambda x: x.sigmoid(),
    "softmax": lambda x: x.softmax(1),
    "sort": lambda x: x.sort(1)[0],
    "max": lambda x: x.max(1)[0],
    "view": lambda x: (x * 2).view(-1),
    "slice": lambda x: (x * 2)[1],
    "split": lambda x: (x * 2).split(1)[0],
    "matmul": lambda x: x @ x,
    "vector product": lambda x: x @ x[0],
    "cat": lambda x: flambeau.cat([x, x * 2]),
    "svd": lambda x: flambeau.linalg.svd(x)[0],
    "layer norm": lambda x: nn.functional.layer_norm(x, (3,)),
    "in place": _in_place,
    "through a view": _through_view,
    "hooked": _hooked,
    "turned in place": _turned,
    "Function": Square.apply,
    "index_put": lambda x: (x * 1).index_put_((flambeau.tensor([0]),), flambeau.ones(3)),
    "checkpoint": lambda x: checkpoint(lambda t: t.exp() * t, x, use_reentrant=False),
    "first gradient": lambda x: flambeau.autograd.grad((x * x).exp().sum(), x, create_graph=True)[
        0
    ],
}


@pytest.fixture(autouse=True)
def _no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("backward", [False, True])
def test_a_result_dies_when_it_is_let_go(name, backward):
    x = flambeau.randn(3, 3).requires_grad_()
    y = MAKES[name](x)
    if backward:
        y.sum().backward()
    node, memory = weakref.ref(y.grad_fn), weakref.ref(y)
    array = weakref.ref(y._array)
    del y
    assert memory() is None
    assert node() is None
    assert array() is None


def test_a_saved_result_dies_with_the_last_node():
    x = flambeau.randn(3).requires_grad_()
    y = x.exp()
    array = weakref.ref(y._array)
    z = y.sum()
    del y
    assert array() is not None
    z.backward()
    assert array() is None


def test_backward_lets_go_of_gradients_on_the_way():
    x = flambeau.randn(3).requires_grad_()
    seen = []
    y = x.exp()
    y.register_hook(lambda g: seen.append(weakref.ref(g._array)))
    (y * y).sum().backward()
    assert seen[0]() is None


def test_a_module_step_leaves_no_cycles():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = flambeau.optim.Adam(model.parameters())

    def step():
        optimizer.zero_grad()
        out = model(flambeau.randn(3, 4))
        nn.functional.cross_entropy(out, flambeau.tensor([0, 1, 1])).backward()
        optimizer.step()

    step()
    gc.collect()
    step()
    assert gc.collect() == 0


def test_memory_is_bounded_over_many_steps():
    model = nn.Linear(3, 2)
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = flambeau.randn(4, 3), flambeau.tensor([0, 1, 0, 1])
    total, best = 0.0, flambeau.zeros(())

    def steps(count):
        nonlocal total, best
        for _ in range(count):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
            best = flambeau.maximum(best, loss.detach())

    steps(500)
    objects, before = len(gc.get_objects()), getrusage(RUSAGE_SELF).ru_maxrss
    steps(3000)
    assert len(gc.get_objects()) - objects < 50
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 300  # kilobytes: 100 bytes a step


def test_a_chain_of_100_000_steps_is_built_run_and_let_go():
    x = flambeau.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    first = weakref.ref(y.grad_fn)
    y.backward()
    assert x.grad.item() == 1
    del y
    assert first() is None


def test_an_unused_chain_is_let_go_without_recursion():
    x = flambeau.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0000001
    del y
    z = flambeau.zeros(4)
    for _ in range(10_000):
        z[1:3] = x
    z.sum().backward()
    del z
