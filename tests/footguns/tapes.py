"""Backward in every order: accumulation, retained graphs, several optimizers, double backward."""

from __future__ import annotations

from typing import Any

from tests.programs import attempt

from .common import STEPS, Read, batches, footgun, mlp, step


@footgun(18)
def accumulation(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 40)):
        loss = torch.nn.functional.cross_entropy(model(x), y) / 8
        loss.backward()
        losses.append(read(loss))
        if i % 8 == 7:
            optimizer.step()
            optimizer.zero_grad(set_to_none=i % 16 == 7)
    return [losses, model[2].weight]


@footgun(18)
def checkpointed(torch: Any, read: Read) -> Any:
    from importlib import import_module

    checkpoint = import_module(f"{torch.__name__}.utils.checkpoint").checkpoint
    model = mlp(torch, dropout=0.2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for i, (x, y) in enumerate(batches(torch)):
        optimizer.zero_grad()
        x.requires_grad_()
        out = checkpoint(model, x, use_reentrant=i % 4 == 3)
        loss = torch.nn.functional.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        losses += [read(loss), read(x.grad)]
    return [losses, model[0].bias]


@footgun(24)
def shared_forward(torch: Any, read: Read) -> Any:
    results = []
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    for i in range(STEPS):
        w.grad = None
        h = (w * (1 + 0.1 * i)).exp()
        a, b = (h * h).sum(), h.sin().sum()
        (a if i % 2 else b).backward(retain_graph=True)
        first = w.grad.clone()
        (b if i % 2 else a).backward()
        results += [read(first), read(w.grad)]
    return results


@footgun(24)
def two_losses_two_optimizers(torch: Any, read: Read) -> Any:
    body, heads = torch.nn.Linear(4, 5), [torch.nn.Linear(5, 3) for _ in range(2)]
    first = torch.optim.SGD([*body.parameters(), *heads[0].parameters()], lr=0.1)
    second = torch.optim.Adam(heads[1].parameters(), lr=0.02)
    losses = []
    for x, y in batches(torch):
        first.zero_grad()
        second.zero_grad()
        hidden = body(x).tanh()
        cross = torch.nn.functional.cross_entropy
        one, two = cross(heads[0](hidden), y), cross(heads[1](hidden), y.flip(0))
        one.backward(retain_graph=True)
        grads = torch.autograd.grad(two, list(heads[1].parameters()), retain_graph=True)
        two.backward()
        losses.append(read(grads[1] - heads[1].bias.grad))
        first.step()
        second.step()
        losses += [read(one), read(two)]
    return [losses, body.weight]


@footgun(24)
def backward_long_after(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    held: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        extra = torch.full((3,), float(i), requires_grad=True)
        held.append((extra, (extra.sin() * extra).sum()))
        results.append(read(step(torch, model, optimizer, x, y)))
        if len(held) > 4:
            leaf, value = held.pop(0)
            value.backward()
            results.append(read(leaf.grad))
    for leaf, value in held:
        value.backward()
        results.append(read(leaf.grad))
    return results


@footgun(25)
def gan(torch: Any, read: Read) -> Any:
    generator, critic = torch.nn.Linear(2, 4), torch.nn.Linear(4, 1)
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=0.01)
    c_optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)
    losses = []
    handle = critic.weight.register_hook(lambda g: g * 0.5)
    for i, (x, _) in enumerate(batches(torch)):
        noise = torch.rand(6, 2)
        fake = generator(noise)
        c_optimizer.zero_grad()
        c_loss = critic(fake.detach()).mean() - critic(x).mean()
        c_loss.backward()
        c_optimizer.step()
        g_optimizer.zero_grad()
        g_loss = -critic(fake).mean()
        attempt(g_loss.backward)
        g_optimizer.step()
        losses += [read(c_loss), read(g_loss)]
        if i == 8:
            handle.remove()
    return [losses, critic.weight]


@footgun(25)
def lbfgs(torch: Any, read: Read) -> Any:
    w = torch.tensor([2.0, -1.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([w], lr=0.5, max_iter=4)
    calls, losses = [0], []

    def closure() -> Any:
        calls[0] += 1
        optimizer.zero_grad()
        loss = ((w - torch.tensor([1.0, 3.0])) ** 4).sum()
        loss.backward()
        return loss

    for _ in range(8):
        losses.append(read(optimizer.step(closure)))
    return [losses, w, calls]


@footgun(25)
def hooks_come_and_go(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen: list[Any] = []
    handles: list[Any] = []
    results: list[Any] = []

    def doubled(p: Any) -> None:
        p.grad.mul_(2)

    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        if i == 5:
            handles = [
                model[0].weight.register_hook(lambda g: g.clamp(-0.01, 0.01)),
                model[1].register_forward_hook(lambda m, a, out: out * 0.5),
                model[2].register_forward_pre_hook(lambda m, a: (a[0] + 0.1,)),
                model[2].bias.register_post_accumulate_grad_hook(doubled),
                model[0].register_full_backward_hook(lambda m, gi, go: seen.append(len(go))),
                optimizer.register_step_post_hook(lambda o, a, k: seen.append("stepped")),
            ]
        if i >= 12 and handles:
            handles.pop().remove()
        optimizer.zero_grad()
        hidden = model[0](x)
        if i % 3 == 2:
            hidden.register_hook(lambda g, i=i: g * (1 + 0.1 * i))
        loss = torch.nn.functional.cross_entropy(model[2](model[1](hidden)), y)
        loss.backward()
        optimizer.step()
        results.append(read(loss))
    return [results, seen, model[0].weight]


@footgun(28)
def gradient_penalty(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for x, _ in batches(torch):
        x.requires_grad_()
        out = model(x).sum()
        (g,) = torch.autograd.grad(out, x, create_graph=True)
        loss = (g.norm(dim=1) - 1).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += [read(loss), x.grad is None]
    return [losses, model[0].weight]


@footgun(28)
def gradients_of_gradients(torch: Any, read: Read) -> Any:
    results = []
    x = torch.tensor([0.5, 1.5], requires_grad=True)
    for i in range(STEPS):
        value = (x.sin() * x.exp()).sum()
        for _ in range(2 + (i > 8)):
            (slope,) = torch.autograd.grad(value, x, create_graph=True)
            value = slope.sum()
        results.append(read(slope))
        with torch.no_grad():
            x -= 0.01 * slope
    return [results, x]


@footgun(28)
def truncated_bptt(torch: Any, read: Read) -> Any:
    cell = torch.nn.RNN(2, 3, batch_first=True)
    optimizer = torch.optim.SGD(cell.parameters(), lr=0.05)
    hidden = torch.zeros(1, 1, 3)
    losses = []
    for _ in range(STEPS):
        hidden = hidden.detach()
        optimizer.zero_grad()
        out, hidden = cell(torch.rand(1, 4, 2), hidden)
        loss = out.pow(2).sum()
        loss.backward()
        optimizer.step()
        losses.append(read(loss))
    return [losses, hidden, cell.weight_hh_l0.grad]


@footgun(29)
def freed_graph(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch)):
        loss = step(torch, model, optimizer, x, y)
        if i in (1, 7, 9):
            results.append(attempt(loss.backward, 8))
        results.append(read(loss))
    return [results, model[0].weight.grad]


@footgun(29)
def saved_tensor_changed(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch)):
        optimizer.zero_grad()
        hidden = model[1](model[0](x))
        out = model[2](hidden)
        if i in (2, 8):
            hidden.add_(1)  # tanh's result, which its backward needs
        if i == 10:
            with torch.no_grad():
                model[2].weight.mul_(1.5)
        loss = torch.nn.functional.cross_entropy(out, y)
        results.append(attempt(loss.backward, 9))
        optimizer.step()
        results.append(read(loss))
    return [results, model[2].weight]
