"""Programs on which the compiler was once wrong, found by the random loops of tests/fuzz."""

from __future__ import annotations

from typing import Any

from tests.programs import attempt

from .common import STEPS, Read, batches, footgun, mlp, step


@footgun(33)
def autocast_left_in_the_middle(torch: Any, read: Read) -> Any:
    """A side exit does again what was recorded under autocast: under autocast."""
    cell, head = torch.nn.GRU(2, 4, batch_first=True), torch.nn.Linear(4, 3)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch)):
        with torch.autocast("cpu", torch.bfloat16, enabled=i % 2 == 0):
            out = head(cell(x.view(-1, 2, 2))[0][:, -1])
        if i % 3 == 0:
            results.append(str(out.dtype))
        attempt(lambda: torch.ones(2) + torch.ones(3))
        loss = torch.nn.functional.cross_entropy(out.float(), y)
        loss.backward()
        results.append([cell.weight_hh_l0.grad is None, bool(loss.item() < 2)])
    return results


@footgun(33)
def inference_between_forward_and_loss(torch: Any, read: Read) -> Any:
    """What runs again after a side exit is not in inference mode because its cause is."""
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch)):
        optimizer.zero_grad()
        out = model(x)
        if i % 2:
            with torch.inference_mode():
                results.append(read(model(x[:5])))
        loss = torch.nn.functional.cross_entropy(out, y)
        loss.backward(retain_graph=True)
        loss.backward()
        optimizer.step()
        results.append([read(loss), loss.is_inference()])
    return results


@footgun(33)
def labels_refused_mid_step(torch: Any, read: Read) -> Any:
    """A step with a label that is no class leaves no gradients, not even promised ones."""
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    wrong = torch.full((6,), 3)
    for i, (x, y) in enumerate(list(batches(torch, 2 * STEPS))):
        if i not in (10, 16):
            optimizer.zero_grad()
        try:
            loss = torch.nn.functional.cross_entropy(model(x), wrong if i in (9, 15, 16) else y)
            loss.backward()
            optimizer.step()
            results.append(read(loss))
        except IndexError:
            results.append([p.grad is None for p in model.parameters()])
        if i % 4 == 1:
            results.append([read(p.grad) for p in model.parameters() if p.grad is not None])
    return [results, model[2].weight]


@footgun(33)
def parameters_read_before_the_step(torch: Any, read: Read) -> Any:
    """A look at a parameter, or its gradient, between backward and step."""
    model = mlp(torch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        if i < 8 or i % 2:
            results.append(read(model[2].weight.detach().clone()))
        if i % 5 == 4:
            results.append(read(model[2].weight.grad))
        optimizer.step()
    return [results, model[0].weight]


@footgun(33)
def gradients_of_the_step_before(torch: Any, read: Read) -> Any:
    """Clipping what a backward left, with no step in between."""
    model = mlp(torch)
    results: list[Any] = []
    for x, y in batches(torch):
        model.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)
        loss.backward(torch.tensor(0.5))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        results.append(read(model[0].bias.grad))
    return results


@footgun(33)
def refused_write_to_a_leaf(torch: Any, read: Read) -> Any:
    """The user's error comes out of a recording as it is."""
    results: list[Any] = []
    carried = torch.arange(4.0)
    for _ in range(STEPS):
        leaf = torch.arange(6.0).reshape(2, 3).clone().requires_grad_()
        view = carried[::2, None]
        carried.abs_()
        results += [attempt(lambda a=leaf, b=view: a.add_(b), 20), read(carried + 1)]
    return results


@footgun(33)
def tensors_where_numbers_were(torch: Any, read: Read) -> Any:
    """The same op with a number, then with a tensor, in the same place."""
    results = []
    x = torch.arange(3.0)
    for i in range(2 * STEPS):
        other: Any = 2 if i % 3 else torch.full((3,), float(i))
        x = x * 0.5 + other
        results.append(read(x == 2 if i % 2 else x * other))
    return results


@footgun(33)
def seeds_without_reads(torch: Any, read: Read) -> Any:
    """Nothing is read between draws and a new seed."""
    kept, state = [], torch.get_rng_state()
    for i in range(2 * STEPS):
        if i in (8, 9, 15):
            torch.manual_seed(i)
        if i == 11:
            torch.set_rng_state(state)
        kept.append(torch.nn.functional.dropout(torch.rand(3) + 1, 0.5))
        if i == 5:
            state = torch.get_rng_state()
    return kept


@footgun(33)
def models_of_one_shape(torch: Any, read: Read) -> Any:
    """One model after another, all alike, each from its first step on."""
    results: list[Any] = []
    for number in range(4):
        model = mlp(torch)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01 * (1 + number))
        for x, y in batches(torch, 7):
            results.append(read(step(torch, model, optimizer, x[number:], y[number:])))
    return results


@footgun(33)
def gradients_grown_between_reads(torch: Any, read: Read) -> Any:
    """A gradient that has been read grows in place, in a segment that goes on."""
    leaf = torch.ones(3, requires_grad=True)
    results: list[Any] = []
    for i in range(STEPS):
        results.append(leaf.sum().item())
        leaf.sum().backward(retain_graph=True)
        (torch.arange(9) * 3 % 7 - 3).to(torch.int32).reshape(3, 3).clone()
        loss = (leaf * leaf).sum()
        if i % 3:
            results.append(leaf.grad.tolist())
        loss.backward()
        results.append(read(leaf.grad.clone()))
    return results


@footgun(33)
def memory_shared_in_the_middle(torch: Any, read: Read) -> Any:
    """NumPy writes to a result, or to an input, while a backward is still to come."""
    leaf = torch.ones(3, requires_grad=True)
    results: list[Any] = []
    for _ in range(STEPS):
        x = torch.ones(3) * 2
        results.append(x.tolist())
        hidden = leaf * x
        loss = (hidden * hidden).sum()
        x.numpy()[0] = 5
        hidden.detach().numpy()[1] = 7
        results += [(x * 2).tolist(), (hidden * 3).tolist()]
        loss.backward()
        results += [loss.item(), leaf.grad.tolist()]
        leaf.grad = None
    return results


@footgun(33)
def views_of_what_is_written_later(torch: Any, read: Read) -> Any:
    """An input is written, and read through a view before the backward."""
    leaf, x = torch.ones(3, requires_grad=True), torch.ones(3)
    results: list[Any] = []
    for i in range(STEPS):
        loss = ((leaf * 3) ** 2).sum()
        x.add_(1)
        results.append(x[:2].tolist())
        made = leaf.detach() * 1
        results.append(made.tolist())
        made.add_(i)
        results.append((made * 2).tolist())
        loss.backward()
        results += [loss.item(), leaf.grad.tolist(), x.tolist()]
        leaf.grad = None
    return results


@footgun(33)
def kinds_of_no_grad(torch: Any, read: Read) -> Any:
    """The same ops under no_grad, then in inference mode, then with another default dtype."""
    leaf = torch.ones(3, requires_grad=True)
    results: list[Any] = []
    for i in range(3 * STEPS):
        torch.set_default_dtype(torch.float64 if STEPS < i < STEPS + 5 else torch.float32)
        with torch.inference_mode() if i % STEPS > 6 else torch.no_grad():
            out = ((leaf * 2) * 3 + torch.arange(3) / 2 + torch.ones(3)) * 0.5 + 1
        results.append([str(out.dtype), out.is_inference()])
        results.append([read(out), out.is_inference()])
    return results


@footgun(33)
def optimizers_of_one_shape(torch: Any, read: Read) -> Any:
    """Each model's step counts its own steps, also where gradients are kept and zeroed."""
    results: list[Any] = []
    for number in range(3):
        model = mlp(torch)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for x, y in batches(torch, 6 + number):
            optimizer.zero_grad(set_to_none=False)
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        results += [read(loss), optimizer.state[model[0].weight]["step"], model[0].weight]
    return results


@footgun(33)
def views_that_outlive_their_segment(torch: Any, read: Read) -> Any:
    """What is written through a view, after the segment that made it, reaches its base."""
    leaf = torch.ones(2, requires_grad=True)
    results: list[Any] = []
    for i in range(STEPS):
        base = (torch.ones(6) * i + 1) * 0.5 + 1
        row, other = base[2:4], (base * 2)[1:3]
        alias = base.detach()
        results.append(base.tolist())
        row.mul_(leaf * 3)
        base.add_(1)
        other.add_(row)
        results += [alias.tolist(), row._is_view(), other._is_view()]
        (base.sum() + other._base.sum()).backward()
        results.append(read(leaf.grad.clone()))
        leaf.grad = None
    return results


@footgun(33)
def parts_written_before_they_are_joined(torch: Any, read: Read) -> Any:
    """Where a part is written, in memory that is itself a part of something larger."""
    results: list[Any] = []
    leaf = torch.ones(2, 3, requires_grad=True)
    for i in range(STEPS):
        out = leaf * i + 1
        out[:, 0].mul_(0.5)
        whole = torch.cat([out, out.exp()], 1)
        results.append(read((whole * whole).sum()))
        (whole[:, :4].sum()).backward()
        held = torch.zeros(2, 2) + i
        held[0, 1:] = 0.25
        results.append(read(torch.stack([held, held], 1)))
    return [results, leaf.grad]
