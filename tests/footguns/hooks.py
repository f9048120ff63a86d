"""Python of the user's in the middle of a step: hooks of tensors and of modules."""

from __future__ import annotations

from typing import Any

from tests.programs import attempt

from .common import STEPS, Read, batches, footgun, mlp, step
from .functions import rounding, train

# --- hooks of tensors -----------------------------------------------------------------------------


@footgun(34)
def masked_gradients(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    mask = (torch.rand(8, 4) > 0.5).float()
    model[0].weight.register_hook(lambda g: g * mask)
    model[2].weight.register_hook(lambda g: g.clamp(-0.02, 0.02))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    losses = [read(step(torch, model, optimizer, x, y)) for x, y in batches(torch)]
    return [losses, model[0].weight, model[2].weight.grad]


@footgun(34)
def hooks_that_look(torch: Any, read: Read) -> Any:
    """The order of calls and what they see: shapes always, numbers now and then."""
    seen: list[Any] = []
    count = [0]

    def looker(name: str) -> Any:
        def look(grad: Any) -> None:
            seen.append([name, list(grad.shape)])
            count[0] += 1
            if count[0] % 7 == 0:
                seen.append(grad.norm().item())
            seen.append(read(grad.sum()))

        return look

    def forward(h: Any, model: Any, i: int) -> Any:
        h.register_hook(looker("hidden"))
        if i == 0:
            model[2].weight.register_hook(looker("weight"))
        out = h * 2
        out.register_hook(looker("doubled"))
        return out

    return [train(torch, read, forward, 2 * STEPS), seen]


@footgun(34)
def retained_gradients(torch: Any, read: Read) -> Any:
    held: list[Any] = []

    def forward(h: Any, model: Any, i: int) -> Any:
        if held:
            held[-1].append(read(held[-1][0].grad))
            held[-1][0] = held[-1][0].retains_grad
        h.retain_grad()
        h.retain_grad()
        held.append([h])
        h.register_hook(lambda g: g * 0.5)
        return h

    found = train(torch, read, forward)
    return [found, held[:-1], held[-1][0].grad]


@footgun(34)
def optimizers_in_backward(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizers = {p: torch.optim.Adam([p], lr=0.02) for p in model.parameters()}
    order: list[Any] = []

    def update(p: Any) -> None:
        optimizers[p].step()
        optimizers[p].zero_grad()
        order.append(p.dim())

    for p in model.parameters():
        p.register_post_accumulate_grad_hook(update)
    losses = []
    for x, y in batches(torch, 2 * STEPS):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        losses.append([read(loss), model[0].weight.grad is None])
    return [losses, sorted(order), model[0].weight]


@footgun(34)
def hooks_removed_after_the_backward(torch: Any, read: Read) -> Any:
    """The backward is done, or so it seems: what it asked the hooks stays as it was."""
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses, handles = [], []
    for i, (x, y) in enumerate(batches(torch, 4 * STEPS)):
        if i % 16 == 2:
            hook = model[2].bias.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(0.5))
            handles += [hook, model[0].weight.register_hook(lambda g: g * 0.75)]
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        if i % 16 == 14:
            for handle in handles:
                handle.remove()
        optimizer.step()
        losses.append(read(loss))
    return [losses, model[0].weight, model[2].bias]


@footgun(34)
def one_shot_hooks(torch: Any, read: Read) -> Any:
    """Hooks that take themselves off, are registered again in mid-run, and raise."""
    model = mlp(torch)
    model[2].bias.requires_grad_(False)  # which of a layer's hooks is called first is no contract
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    calls: list[int] = []
    handles: list[Any] = []
    results: list[Any] = []

    def once(grad: Any) -> Any:
        calls.append(len(results))
        handles.pop().remove()
        return grad * 3

    def refuse(grad: Any) -> None:
        raise KeyError("no")

    for i, (x, y) in enumerate(batches(torch, 3 * STEPS)):
        if i % 9 == 5:
            handles.append(model[0].weight.register_hook(once))
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        if i in (8, 20):
            handle = model[2].weight.register_hook(refuse)
        results.append(attempt(loss.backward))
        if i in (8, 20):
            handle.remove()
        optimizer.step()
        results.append(read(loss))
    return [results, calls, model[0].weight]


@footgun(34)
def hooks_of_accumulated_gradients(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def scale(p: Any) -> None:
        p.grad.mul_(0.9)

    model[0].weight.register_hook(lambda g: g.clamp(-0.1, 0.1))
    model[2].weight.register_post_accumulate_grad_hook(scale)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 3 * STEPS)):
        loss = torch.nn.functional.cross_entropy(model(x), y) / 3
        loss.backward()
        losses.append(read(loss))
        if i % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()
    return [losses, model[0].weight, model[2].weight]


@footgun(34)
def hooks_and_asked_gradients(torch: Any, read: Read) -> Any:
    """`autograd.grad` calls hooks too, and a hook may call it."""
    w = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
    w.register_hook(lambda g: g * 2)
    results = []
    for i in range(STEPS):
        h = (w * (1 + i)).sin()
        inner = torch.ones(3, requires_grad=True)

        def hook(grad: Any, inner: Any = inner) -> Any:
            with torch.enable_grad():
                (slope,) = torch.autograd.grad((inner * inner * grad).sum(), inner)
            return grad + slope

        h.register_hook(hook)
        (slope,) = torch.autograd.grad((h * h).sum(), w)
        results.append(read(slope))
    return results


# --- hooks of modules -----------------------------------------------------------------------------


@footgun(34)
def backward_hooks_of_modules(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    seen: list[Any] = []

    def look(module: Any, grad_input: Any, grad_output: Any) -> None:
        seen.append([type(module).__name__, [g is None for g in grad_input]])
        seen.append(read(grad_output[0].sum()))

    for layer in model:
        layer.register_full_backward_hook(look)
    model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    model[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 0.5,))
    losses = [read(step(torch, model, optimizer, x, y)) for x, y in batches(torch)]
    return [losses, seen, model[0].weight]


@footgun(34)
def hooks_registered_after_the_call(torch: Any, read: Read) -> Any:
    """The module has been called already, or so it seems: the hook is for later calls."""
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 3 * STEPS)):
        optimizer.zero_grad()
        out = model(x)
        if i == 8:
            model.register_full_backward_pre_hook(lambda m, go: (go[0] * 0.5,))
        if i == 14:
            model[0].register_forward_hook(lambda m, args, out: out * 0.5)
        if i == 20:
            model[2].register_forward_pre_hook(lambda m, args: (args[0] + 0.5,))
        loss = torch.nn.functional.cross_entropy(out, y)
        if i in (8, 14, 20):  # not what is expected: all is done again
            loss = loss.abs() * 1.5
        loss.backward()
        optimizer.step()
        losses.append(read(loss))
    return [losses, model[0].weight]


@footgun(34)
def forward_hooks_of_modules(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    kept: dict[str, Any] = {}
    model[0].register_forward_hook(lambda m, args, out: kept.update(hidden=out.detach()))
    model[1].register_forward_pre_hook(lambda m, args: (args[0] * 1.5,))
    model[2].register_forward_hook(lambda m, args, out: out + 0.1)
    losses = []
    for x, y in batches(torch):
        losses += [read(step(torch, model, optimizer, x, y)), read(kept["hidden"].mean())]
    return [losses, model[0].weight]


@footgun(34)
def hooks_beside_a_plain_model(torch: Any, read: Read) -> Any:
    apply = rounding(torch).apply
    first, second = mlp(torch), mlp(torch)
    optimizers = [torch.optim.Adam(model.parameters(), lr=0.02) for model in (first, second)]
    first[0].weight.register_hook(lambda g: g * 0.5)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        optimizers[0].zero_grad()
        out = first(x)
        loss = torch.nn.functional.cross_entropy(apply(out) if i > 5 else out, y)
        loss.backward()
        optimizers[0].step()
        losses += [read(loss), read(step(torch, second, optimizers[1], x, y))]
    return [losses, first[0].weight, second[0].weight]
