"""The backward engine: what it sums, when it calls hooks, what it leaves behind."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau
from flambeau.autograd import grad


def ones(*shape, **options):
    return flambeau.ones(*shape, requires_grad=True, **options)


def _memory(t):
    return t.detach().numpy()


def test_gradients_never_share_memory():
    a, b, c = ones(3), ones(3), ones(3)
    g = flambeau.full((3,), 2.0)
    s = a + b
    s.retain_grad()
    d = s.view(3)
    d.retain_grad()
    (d + c).backward(g)
    grads = [a.grad, b.grad, c.grad, s.grad, d.grad, g]
    for i, one in enumerate(grads):
        for other in grads[:i]:
            assert not np.shares_memory(_memory(one), _memory(other))
    a.grad.zero_()
    assert [t.sum().item() for t in grads] == [0, 6, 6, 6, 6, 6]


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_expanded_gradient_can_be_added_to(create_graph):
    x = ones(2, 2)
    x.mean().backward(create_graph=create_graph)
    (x * flambeau.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert x.grad.tolist() == [[1.25, 2.25], [3.25, 4.25]]
    assert 0 not in x.grad.stride()


def test_accumulation_is_in_place_and_seen_by_aliases():
    x = ones(2)
    x.sum().backward()
    first = x.grad
    x.sum().backward()
    assert x.grad is first
    assert first.tolist() == [2, 2]
    x.sum().backward(create_graph=True)
    assert x.grad is not first
    assert first.tolist() == [2, 2]


def test_accumulation_into_a_view_that_the_user_gave():
    buffer = flambeau.zeros(2, 3)
    x = ones(3)
    x.grad = buffer[1]
    (x * 2).sum().backward()
    assert buffer.tolist() == [[0, 0, 0], [2, 2, 2]]


def test_inputs_limit_what_is_touched():
    x, w = ones(2), ones(2)
    middle = x * w
    out = middle.exp().sum()
    out.backward(inputs=[w], retain_graph=True)
    assert x.grad is None
    assert w.grad is not None
    middle.retain_grad()
    out.backward(inputs=[middle])
    assert x.grad is None
    assert middle.grad is not None


def test_retain_graph_and_release():
    x = ones(2)
    y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()
    for make in (lambda t: t * 2, lambda t: t / 2, lambda t: 2 / t):
        z = make(x).sum()
        z.backward()
        with pytest.raises(RuntimeError, match="second time"):
            z.backward()
    z = (x + 1).view(2, 1).sum()
    z.backward()
    z.backward()


def test_a_leaf_switched_off_gets_no_gradient():
    x = ones(2)
    y = (x * x).sum()
    x.requires_grad_(False)
    y.backward()
    assert x.grad is None


def test_hooks_run_in_the_order_of_registration_and_see_replacements():
    seen = []
    x = ones(2)
    y = x * 3

    def note(name, factor):
        def hook(g):
            seen.append((name, g[0].item()))
            return g * factor

        return hook

    y.register_hook(note("first", 2))
    y.retain_grad()
    y.register_hook(note("second", 5))
    x.register_hook(note("leaf", 1))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(("after", p.grad[0].item())))
    y.grad_fn.register_prehook(lambda gs: seen.append(("node before", gs[0][0].item())))
    y.grad_fn.register_hook(lambda gi, go: seen.append(("node after", go[0][0].item())))
    y.sum().backward()
    names = [name for name, _ in seen]
    assert names.index("first") < names.index("second") < names.index("node after")
    assert names[-2:] == ["leaf", "after"]
    assert x.grad.tolist() == [30, 30]
    assert y.grad.tolist() == [10, 10]


def test_a_hook_that_raises_leaves_the_engine_usable():
    x = ones(2)
    y = x * 2
    handle = y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert flambeau.is_grad_enabled()
    assert x.grad is None
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_backward_inside_a_hook_and_inside_a_function():
    class Inner(flambeau.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with flambeau.enable_grad():
                t = x.detach().requires_grad_()
                (t * 2).backward(g)
            return t.grad

    x, other = ones(2), ones(2)
    y = Inner.apply(x)

    def more(g):
        with flambeau.enable_grad():
            (other * 3).sum().backward()

    y.register_hook(more)
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]
    assert other.grad.tolist() == [3, 3]


def test_double_backward_through_writes_and_views():
    def f(a, b):
        y = a * 1
        y[0] = b * b
        y.t()[1].mul_(b)
        y.diagonal().sin_()
        return (y * y).sum()

    a = flambeau.randn(3, 3, dtype=flambeau.float64).requires_grad_()
    b = flambeau.randn(3, dtype=flambeau.float64).requires_grad_()
    assert flambeau.autograd.gradcheck(f, (a, b))
    assert flambeau.autograd.gradgradcheck(f, (a, b))


def test_deep_double_backward_needs_no_recursion():
    x = ones(1)
    y = x
    for _ in range(3000):
        y = y * x.cos()
    (first,) = grad(y, x, create_graph=True)
    (second,) = grad(first, x)
    assert flambeau.isfinite(second).all()


def test_the_gradient_of_a_constant_write_is_zero():
    x = ones(3)
    y = x * 2
    y[1] = 7.0
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 2]


def test_complex_gradients_reach_real_leaves_as_real():
    x = ones(2)
    (x * (1 + 2j)).abs().sum().backward()
    assert x.grad.dtype is flambeau.float32
