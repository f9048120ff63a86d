"""Programs about autograd: histories, in-place writes, views, hooks, errors."""

from __future__ import annotations

from typing import Any

from tests.programs import attempt

from . import custom_functions


def backward_twice(torch: Any) -> Any:
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    second = attempt(y.backward)
    z = (x + 1).sum()  # nothing saved: a second backward is allowed
    z.backward()
    z.backward()
    return [x.grad, second]


def retained(torch: Any) -> Any:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x.exp() * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def saved_then_changed(torch: Any) -> Any:
    def run(change: Any, make: Any) -> Any:
        w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        x = w * 1
        y = make(x)
        change(x, y)
        y.sum().backward()
        return w.grad

    makes = [
        lambda x: x * x,
        lambda x: x.exp(),
        lambda x: x.sigmoid(),
        lambda x: x + 1,
        lambda x: x * 3,
        lambda x: x / x,
        lambda x: x.pow(3),
        lambda x: torch.relu(x),
        lambda x: x.sqrt(),
    ]
    changes = [lambda x, y: x.add_(1), lambda x, y: y.mul_(2), lambda x, y: x.zero_()]
    return [attempt(lambda c=c, m=m: run(c, m), 10) for m in makes for c in changes]


def in_place_chain(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = w * 2
    x.mul_(3).add_(w)
    x[1] = 5.0
    x[:1] *= w[:1]
    x.sigmoid_()
    (x * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    return [x, w.grad]


def leaf_in_place(torch: Any) -> Any:
    w = torch.ones(3, requires_grad=True)
    first = attempt(lambda: w.add_(1), 20)
    second = attempt(lambda: w[0].mul_(2), 20)
    third = attempt(lambda: w.__setitem__(0, 1.0), 20)
    with torch.no_grad():
        w.add_(1)
        w[0] = 7
    return [first, second, third, w, w.requires_grad, w.is_leaf]


def writes_through_views(torch: Any) -> Any:
    results = []
    for view in (
        lambda b: b[0],
        lambda b: b.t(),
        lambda b: b.view(-1)[1:4],
        lambda b: b.transpose(0, 1)[1],
        lambda b: b.diagonal(),
        lambda b: b.as_strided((2, 2), (1, 2)),
        lambda b: b.unsqueeze(0).squeeze(0)[:, 1:],
        lambda b: b.narrow(1, 0, 2),
    ):
        w = torch.arange(6.0).reshape(2, 3).requires_grad_()
        b = w * 2
        v = view(b)
        v.mul_(3)
        u = view(b) * 2
        (b.sum() + (u * u).sum()).backward()
        results.append([b, v, w.grad, v.grad_fn is not None, v._is_view()])
    return results


def base_written_after_view(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.zeros(2)
    v = b[:1]
    b.copy_(w * 3)
    before = v.requires_grad
    (v * v).sum().backward()
    return [before, v, w.grad]


def write_into_plain_tensor(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.zeros(4)
    b[1:3] = w * 2
    b[0] = w.sum()
    (b * torch.arange(4.0)).sum().backward()
    return [b, w.grad, b.requires_grad]


def overwritten_by_constant(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    x = w * 2
    x.zero_()
    x.add_(w)
    x.sum().backward()
    y = w * 2
    y.fill_(3)
    y.sum().backward()
    return [w.grad, y.requires_grad]


def several_views_error(torch: Any) -> Any:
    w = torch.ones(4, requires_grad=True)
    a, b = (w * 2).chunk(2)
    x, *_ = (w * 2).unbind()
    return [attempt(lambda: a.mul_(2), 1), attempt(lambda: x.mul_(2), 1), b]


def no_grad_view_error(torch: Any) -> Any:
    w = torch.ones(4, requires_grad=True)
    y = w * 2
    with torch.no_grad():
        v = y[:2]
    return [attempt(lambda: v.mul_(2), 12), v.requires_grad]


def detach_shares(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    a = w * 1
    t = a.detach()
    y = a * a
    t.mul_(2)
    return [attempt(lambda: y.sum().backward(), 12), a, t.requires_grad, a._version, t._version]


def data_is_unseen(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    a = w * 1
    y = a * a
    a.data.mul_(2)
    y.sum().backward()
    first = w.grad.clone()
    w.data = torch.tensor([5.0, 6.0])
    v = w * w
    w.data = torch.tensor([7.0, 8.0])
    v.sum().backward()
    return [first, w.grad, w]


def versions(torch: Any) -> Any:
    x = torch.zeros(4)
    v = x[1:]
    x.add_(1)
    v.mul_(2)
    d = x.detach()
    d.zero_()
    return [x._version, v._version, d._version, x]


def hooks_on_tensors(torch: Any) -> Any:
    seen = []
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h1 = w.register_hook(lambda g: seen.append(["leaf", g.tolist()]))
    y = w * 2
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.register_hook(lambda g: seen.append(["after", g.tolist()]))
    w.register_post_accumulate_grad_hook(lambda p: seen.append(["post", p.grad.tolist()]))
    (y.sum() + w.sum()).backward()
    first = [w.grad.clone(), y.grad.clone()]
    h1.remove()
    (w * 3).sum().backward()
    return [seen, first, w.grad]


def hooks_on_nodes(torch: Any) -> Any:
    seen = []
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = w.exp()
    y.grad_fn.register_prehook(lambda gs: (gs[0] * 2,))
    y.grad_fn.register_hook(lambda gi, go: seen.append([gi[0].tolist(), go[0].tolist()]))
    y.sum().backward()
    return [seen, w.grad, y.grad_fn.name(), y.sum().grad_fn.name()]


def names(torch: Any) -> Any:
    w = torch.ones(2, 3, requires_grad=True)
    results = [
        w + 1, w - w, w * 2, w / 3, w.exp(), w.sum(), w.mean(), w.t(), w.view(3, 2), w.relu(),
        w.sigmoid(), w.tanh(), w @ w.t(), w.pow(2), w.sqrt(), w.clone(), w.unsqueeze(0),
        w.permute(1, 0), w.expand(4, 2, 3), torch.cat([w, w]), torch.stack([w, w]), w[0],
        w.softmax(1), w.log_softmax(1), w.abs(), -w, w.clamp(0, 1),
    ]  # fmt: skip
    return [r.grad_fn.name() for r in results]


def grad_function(torch: Any) -> Any:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    z = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x**3).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (gg,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    (ggg,) = torch.autograd.grad(gg.sum(), x)
    unused = attempt(lambda: torch.autograd.grad((x * 1).sum(), z), 12)
    allowed = torch.autograd.grad((x * 1).sum(), [x, z], allow_unused=True)
    zeros = torch.autograd.grad((x * 1).sum(), [x, z], materialize_grads=True)
    middle = x * 2
    out = middle.exp()
    inner = torch.autograd.grad(out.sum(), middle, retain_graph=True)[0]
    both = torch.autograd.grad(out.sum(), [x, middle])
    return [g, gg, ggg, unused, [allowed[0], None], zeros, inner, both, x.grad is None]


def backward_inputs(torch: Any) -> Any:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    y = x * w
    (y * 2).sum().backward(inputs=[w])
    return [x.grad is None, w.grad]


def gradients_given_in_other_dtypes(torch: Any) -> Any:
    found: list[Any] = []
    x = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    for grad in (torch.tensor(3), torch.tensor(0.1, dtype=torch.float64), torch.tensor(True)):
        y = (x * x).mean()
        y.register_hook(lambda g: found.append(str(g.dtype)))
        y.backward(grad)
    return [*found, x.grad, str(x.grad.dtype)]


def bad_calls(torch: Any) -> Any:
    x = torch.ones(2, requires_grad=True)
    return [
        attempt(lambda: (x * 2).backward(), 20),
        attempt(lambda: torch.ones(1).backward(), 20),
        attempt(lambda: (x * 2).backward(torch.ones(3)), 8),
        attempt(lambda: torch.ones(2, dtype=torch.int64).requires_grad_(), 20),
        attempt(lambda: (x * 2).requires_grad_(False), 12),
        attempt(lambda: x.numpy(), 20),
        attempt(lambda: setattr(x, "grad", torch.ones(3)), 6),
        attempt(lambda: torch.ones(2).register_hook(print), 12),
        attempt(lambda: (x * 2)[0].detach_(), 5),
    ]


def modes(torch: Any) -> Any:
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        a = x * 2
        with torch.enable_grad():
            b = x * 2

    @torch.no_grad()
    def inside(t: Any) -> Any:
        return t * 2

    def generate() -> Any:
        yield torch.is_grad_enabled()
        yield (x * 2).requires_grad

    generated = list(torch.no_grad()(generate)())
    previous = torch.set_grad_enabled(False)
    off = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    with torch.inference_mode():
        c = x * 2
        inference = [c.is_inference(), c.requires_grad, torch.is_inference_mode_enabled()]
    return [
        a.requires_grad, b.requires_grad, inside(x).requires_grad, generated, off, inference,
        torch.is_grad_enabled(), previous is None,
    ]  # fmt: skip


def inference_tensors(torch: Any) -> Any:
    with torch.inference_mode():
        t = torch.ones(2)
    w = torch.ones(2, requires_grad=True)
    return [
        attempt(lambda: t.add_(1), 8),
        attempt(lambda: (t * w).sum().backward(), 6),
        t.is_inference(),
    ]


def deep_graph(torch: Any) -> Any:
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(20000):
        y = y + 1
    y.backward()
    return [x.grad, y]


def accumulation(torch: Any) -> Any:
    w = torch.ones(2, requires_grad=True)
    a = w + 0
    b = a + 0  # `a`'s gradient passes through unchanged: nobody may share its memory
    a.retain_grad()
    b.retain_grad()
    b.sum().backward()
    w.grad.mul_(10)
    first = [w.grad.clone(), a.grad, b.grad]
    g = torch.ones(2)
    v = torch.ones(2, requires_grad=True)
    v.backward(g)
    v.backward(g)
    return [first, g, v.grad]


def shared_gradient(torch: Any) -> Any:
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(2, requires_grad=True)
    (a + b).sum().backward()
    (a * 2).sum().backward()
    return [a.grad, b.grad]


def gradient_penalty(torch: Any) -> Any:
    w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = torch.tensor([[0.5, -0.5]], requires_grad=True)
    y = torch.tanh(x @ w).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    ((g.norm() - 1) ** 2).backward()
    return [g, w.grad, x.grad]


def complex_gradients(torch: Any) -> Any:
    z = torch.tensor([1 + 2j, -1 + 0.5j], requires_grad=True)
    (z * z.conj()).real.sum().backward()
    first = z.grad.clone()
    z.grad = None
    (z.abs() + (z * (2 - 1j)).imag + z.exp().real).sum().backward()
    r = torch.tensor([1.0, 2.0], requires_grad=True)
    (torch.complex(r, r * 2) * (1 + 1j)).abs().sum().backward()
    return [first, z.grad, r.grad]


def functional(torch: Any) -> Any:
    f = torch.autograd.functional
    x = torch.tensor([1.0, 2.0])
    y = torch.tensor([3.0, 4.0])

    def cube(t: Any) -> Any:
        return (t**3).sum()

    return [
        f.jacobian(lambda t: t * t, x),
        f.jacobian(lambda a, b: (a * b, a.sum()), (x, y)),
        f.hessian(cube, x),
        f.hessian(lambda a, b: (a * a * b).sum(), (x, y)),
        f.vjp(lambda t: t * t, x, torch.ones(2)),
        f.jvp(lambda t: t * t, x, torch.ones(2)),
        f.vhp(cube, x, torch.ones(2)),
        f.hvp(cube, x, torch.ones(2)),
    ]


def next_functions(torch: Any) -> Any:
    w = torch.ones(2, requires_grad=True)
    y = w * 2 + torch.ones(2)
    (first, _), second = y.grad_fn.next_functions
    leaf = first.next_functions[0][0]
    return [first.name(), second[0] is None, type(leaf).__name__, leaf.variable is w]


def requires_grad_flags(torch: Any) -> Any:
    w = torch.ones(2, requires_grad=True)
    y = w * torch.arange(2)
    return [
        w.is_leaf, y.is_leaf, y.requires_grad, (w > 0).requires_grad, w.argmax().requires_grad,
        w.detach().requires_grad, w.data.requires_grad, w.long().requires_grad,
        w.double().requires_grad, torch.empty_like(w).requires_grad, w.clone().is_leaf,
        torch.nn.Parameter(torch.ones(1)).requires_grad,
    ]  # fmt: skip


PROGRAMS = {
    name: value
    for names in (globals(), vars(custom_functions))
    for name, value in list(names.items())
    if callable(value) and getattr(value, "__module__", "") == names["__name__"]
}
