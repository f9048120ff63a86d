"""Python values and branches that change, sharing, and loops of every kind."""

from __future__ import annotations

import contextlib
import copy
import io
import math
from typing import Any

import numpy as np

from tests.programs import attempt

from .common import STEPS, Read, batches, footgun, mlp, step


@footgun(3)
def varying_scalars(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for epoch, (x, y) in enumerate(batches(torch)):
        optimizer.param_groups[0]["lr"] = 1e-2 / (1 + epoch)
        optimizer.param_groups[0]["betas"] = (0.9 - 0.01 * epoch, 0.999)
        optimizer.zero_grad()
        dropped = torch.nn.functional.dropout(model(x), 0.05 * epoch)
        loss = torch.nn.functional.cross_entropy(dropped, y) * (1 + 0.1 * epoch)
        loss.backward()
        optimizer.step()
        losses.append(read(loss))
    return losses


@footgun(3)
def schedules(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=4)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    losses: list[Any] = []
    for i, (x, y) in enumerate(batches(torch)):
        losses.append(read(step(torch, model, optimizer, x, y)))
        (warm if i < 4 else cosine).step()
        optimizer.param_groups[0]["weight_decay"] = 0.01 * (i % 3)  # 0 takes another path
        optimizer.param_groups[0]["momentum"] = 0.9 if i < 9 else 0.0
    return [losses, model[0].weight]


@footgun(3)
def equal_numbers_of_other_kinds(torch: Any, read: Read) -> Any:
    x, results = torch.arange(3), []
    for i in range(2 * STEPS):
        scalar: Any = [1, True, 1.0, 2, 2.0, 0, False, 0.0, -0.0, float("inf"), 1e-40][i % 11]
        y = x * (1 if i < 6 else scalar)
        results += [str(y.dtype), read(y), read(1.0 / (torch.ones(1) * scalar))]
    return results


@footgun(3)
def varying_places(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.arange(96.0).reshape(24, 4).sin()
    y = torch.arange(24) % 3
    results: list[Any] = []
    for epoch in range(3):
        order = torch.randperm(24)
        for i in range(0, 24, 6):
            results.append(read(step(torch, model, optimizer, x[i : i + 6], y[i : i + 6])))
            chosen = order[i : i + 6]
            results.append(read(step(torch, model, optimizer, x[chosen], y[chosen])))
            results.append(read(x[epoch * 4 + i // 6, i % 4] + x[-epoch, :].roll(i).sum(0)))
    return results


@footgun(3)
def weights_on_schedules(torch: Any, read: Read) -> Any:
    """Floats, whole numbers and NumPy's; 0, 1 and values that are not finite; an average's too."""
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    average = [p.detach().clone() for p in model.parameters()]
    results: list[Any] = []
    special = [1.0, 0.0, -0.0, 1, 0, 2.5, float("inf"), float("nan"), -1e-40, 1e39]
    for i, (x, y) in enumerate(batches(torch, 3 * STEPS)):
        optimizer.zero_grad()
        temperature = 0.5 + 1.5 * math.cos(0.1 * i) if i < 20 else special[i % 6 // 2]
        logits = model(x + 0.1 / (1 + i)) / (temperature or 0.25)
        loss = torch.nn.functional.cross_entropy(logits.clamp(-4 - i, 4 + 0.5 * i), y)
        penalty = sum(p.square().sum() for p in model.parameters())
        loss = torch.add(loss * np.float64(1 / (1 + i)), penalty, alpha=1e-3 * (i % 3))
        loss.backward()
        optimizer.step()
        weight = special[i % len(special)] if i >= 12 else 1 / (1 + i)
        with torch.no_grad():
            results.append(read(loss * weight - weight))
            for mean, p in zip(average, model.parameters()):
                mean.lerp_(p, 1 / (1 + i)).mul_(1 - 0.01 * i).add_(p, alpha=0.01 * i)
    return [results, average]


@footgun(3)
def a_weight_that_depends_on_results(torch: Any, read: Read) -> Any:
    """Read in the middle of the step, and with an error in some steps."""
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    balance, results = 1.0, []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        optimizer.zero_grad()
        out = model(x)
        fit = torch.nn.functional.cross_entropy(out, y)
        size = out.square().mean() * balance
        balance = 0.9 * balance + 0.1 * fit.item() / (1.0 + size.item())
        loss = torch.lerp(fit, size * balance, 0.03 * i)
        if i % 7 == 6:
            attempt(lambda loss=loss, i=i: loss * i + torch.ones(2, 3) @ torch.ones(2))
        (loss * (balance if i % 5 else i)).backward()
        optimizer.step()
        results += [balance, read(loss)]
    return results


@footgun(3)
def two_numbers_in_turn(torch: Any, read: Read) -> Any:
    """Labels of 1 and 0, and a probability that goes to 0 and to 1."""
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    for i, (x, _) in enumerate(batches(torch, 2 * STEPS)):
        for label in (1.0, 0.0):
            optimizer.zero_grad()
            out = torch.nn.functional.dropout(model(x), min(0.1 * (i // 2), 1.0))
            wanted = torch.full_like(out, label)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(out, wanted)
            loss.backward()
            optimizer.step()
            results.append(read(loss))
    return results


@footgun(4)
def flag_flips(torch: Any, read: Read) -> Any:
    x = torch.arange(3.0)
    results = []
    for i in range(2 * STEPS):
        x = x * 2 - 1 if i < 8 else x / 2 + 1
        results.append(read(x.sum()))
    return results


@footgun(4)
def flags_alternate(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        optimizer.zero_grad()
        out = model(x)
        if i % 2:
            out = out * 2
        if i % 5 == 4:
            out = torch.relu(out)
        loss = torch.nn.functional.cross_entropy(out, y)
        if i == 13:
            continue  # this batch is not learnt
        loss.backward()
        if i % 3 == 2:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        results.append(read(loss))
    return results


@footgun(5)
def shared_layers(torch: Any, read: Read) -> Any:
    shared = torch.nn.Linear(4, 4)
    first = torch.nn.Sequential(shared, torch.nn.ReLU(), torch.nn.Linear(4, 3))
    second = torch.nn.Sequential(shared, torch.nn.Tanh(), torch.nn.Linear(4, 3))
    tied = torch.nn.Linear(4, 4)
    tied.weight = shared.weight
    optimizer = torch.optim.SGD(
        [*first.parameters(), *second[2].parameters(), tied.bias], lr=0.1, momentum=0.9
    )
    losses = []
    for x, y in batches(torch):
        optimizer.zero_grad()
        cross = torch.nn.functional.cross_entropy
        loss = cross(first(x), y) + cross(second(tied(x)), y)
        loss.backward()
        optimizer.step()
        losses.append(read(loss))
    return [losses, shared.weight, tied.weight is shared.weight]


@footgun(5)
def instances_take_turns(torch: Any, read: Read) -> Any:
    class Scaled(torch.nn.Module):
        def __init__(self, scale: float):
            super().__init__()
            self.scale, self.inner = scale, mlp(torch)

        def forward(self, x: Any) -> Any:
            return self.inner(x) * self.scale

    models = [Scaled(scale) for scale in (1.0, 0.5, 2.0)]
    optimizers = [torch.optim.Adam(m.parameters(), lr=0.02) for m in models]
    losses = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        which = 0 if i < 8 else i % 3
        losses.append(read(step(torch, models[which], optimizers[which], x, y)))
    return [losses, [m.inner[2].bias for m in models]]


@footgun(13)
def alternating_grads(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        model[0].requires_grad_(i < 8 or i % 2 == 0)
        losses.append(read(step(torch, model, optimizer, x, y)))
        losses.append(model[0].weight.grad is None)
    return [losses, model[0].weight]


@footgun(13)
def unused_branches(torch: Any, read: Read) -> Any:
    heads = torch.nn.ModuleList([torch.nn.Linear(4, 3) for _ in range(2)])
    optimizer = torch.optim.AdamW(heads.parameters(), lr=0.02)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        optimizer.zero_grad(set_to_none=i % 4 != 3)
        head = heads[0] if i < 8 else heads[i % 2]
        loss = torch.nn.functional.cross_entropy(head(x), y)
        loss.backward()
        optimizer.step()
        results += [read(loss), [p.grad is None for p in heads.parameters()]]
    return [results, [p.detach() for p in heads.parameters()]]


@footgun(14)
def random_order(torch: Any, read: Read) -> Any:
    x = torch.ones(6)
    dropout = torch.nn.functional.dropout
    results = []
    for _ in range(STEPS):
        a = dropout(x, 0.5)
        b = dropout(x, 0.3)
        results.append(read(b - a))
    return [results, torch.rand(2)]


@footgun(14)
def unread_draws_count(torch: Any, read: Read) -> Any:
    results = []
    for i in range(STEPS):
        torch.rand(3)  # nobody looks, but the generator moves on
        noise = torch.randn(20)
        kept = torch.rand(2) + torch.bernoulli(torch.full((2,), 0.5))
        torch.randint(0, 9, (2 + i % 3,)), torch.randperm(5), noise * 2
        results.append(read(kept.uniform_() + torch.empty(2).normal_(std=0.1 * i)))
    return [results, torch.rand(2)]


@footgun(15)
def best_state(torch: Any, read: Read) -> Any:
    found = []
    for every in (1, 2, 5):
        model = mlp(torch)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        best, state, kept, losses = float("inf"), {}, {}, []
        for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
            loss = step(torch, model, optimizer, x, y)
            if i % every == 0 and loss.item() < best:
                best, state = loss.item(), copy.deepcopy(model.state_dict())
                kept = copy.deepcopy(optimizer.state_dict())["state"][0]
            losses.append(read(loss))
        found.append([best, state["0.weight"], kept["exp_avg"], losses])
    return found


@footgun(16)
def kept_losses(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses, total, right = [], torch.zeros(()), 0
    for epoch in range(4):
        for x, y in batches(torch):
            loss = step(torch, model, optimizer, x, y)
            losses.append(loss)
            total += loss.detach()
        model.eval()
        with torch.no_grad():
            for x, y in batches(torch, 5):
                right = right + (model(x).argmax(1) == y).sum()
        model.train()
        losses.append(read(total / (1 + epoch)))
    return [losses, total, right]


@footgun(17)
def nothing_is_read(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for x, y in batches(torch, 8 * STEPS):
        step(torch, model, optimizer, x, y)
    return [model[0].weight, model[2].bias.grad]


@footgun(19)
def ragged(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        keep = x[:, 0] > 0.2 * (i % 3)
        if keep.any():
            losses.append(read(step(torch, model, optimizer, x[keep], y[keep])))
        losses.append(read(step(torch, model, optimizer, x[: 1 + i % 4], y[: 1 + i % 4])))
    return losses


@footgun(19)
def last_batches(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.arange(92.0).reshape(23, 4).cos()
    data = torch.utils.data.TensorDataset(x, torch.arange(23) % 3)
    losses: list[Any] = []
    for _ in range(5):
        for xb, yb in torch.utils.data.DataLoader(data, batch_size=5, shuffle=True):
            losses.append(read(step(torch, model, optimizer, xb, yb)))
        with torch.no_grad():
            found = model(x)
            losses.append(read(found[found[:, 0] > found[:, 1]].sum()))
            losses.append(read((found > 0).nonzero().sum()))
    return losses


@footgun(20)
def long_loop(torch: Any, read: Read) -> Any:
    y = x = torch.ones(2, requires_grad=True)
    for i in range(5000):
        y = y * 0.9999 + 0.0001 * (i % 3)
    y.sum().backward()
    return [read(y), read(x.grad)]


@footgun(21)
def effects(torch: Any, read: Read) -> Any:
    log: list[Any] = []
    x = torch.zeros(2)
    layer = torch.nn.Linear(2, 2)
    layer.register_forward_hook(lambda module, args, out: log.append("hook"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for i in range(STEPS):
            log.append(f"before {i}")
            x = x + 1
            layer(x)
            print(i, x, x.sum().item())
            log.append(read(x))
    return [log, printed.getvalue()]


@footgun(22)
def exception_mid_step(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        try:
            optimizer.zero_grad()
            out = model(x)
            if i == 8:
                raise KeyboardInterrupt
            loss = torch.nn.functional.cross_entropy(out, y)
            if i == 10:
                raise KeyboardInterrupt
            loss.backward()
            if i == 13:
                raise ValueError("stop")
            optimizer.step()
        except (KeyboardInterrupt, ValueError) as error:
            losses.append(type(error).__name__)
            losses.append(model[0].weight.grad is None)
        losses.append(read(loss))
    return [losses, model[0].weight]


@footgun(22)
def refused_ops_mid_step(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        optimizer.zero_grad()
        hidden = model[1](model[0](x if i != 9 else x * 2))
        try:
            if i in (9, 14):
                hidden = hidden @ torch.ones(7, 3)  # shapes do not fit
            if i == 11:
                torch.nn.functional.cross_entropy(model[2](hidden), y + 5).backward()
        except (RuntimeError, IndexError) as error:
            results.append(type(error).__name__)
        loss = torch.nn.functional.cross_entropy(model[2](hidden), y)
        loss.backward()
        optimizer.step()
        results.append(read(loss))
    return results


@footgun(22)
def matrices_refused_mid_step(torch: Any, read: Read) -> Any:
    """A `try` around the very op that refuses a matrix for its values, and nothing more."""
    weight = torch.nn.Parameter(torch.eye(4) * 2 + 0.1)
    optimizer = torch.optim.SGD([weight], lr=0.01)
    results: list[Any] = []
    shifts = [torch.eye(4) * (-99.0 if i in (9, 10, 17) else 0.5) for i in range(2 * STEPS)]
    scales = [torch.full((4, 4), 0.0 if i in (12, 20) else 1.0) for i in range(2 * STEPS)]
    for (x, _), shift, scale in zip(batches(torch, 2 * STEPS), shifts, scales, strict=True):
        optimizer.zero_grad()
        gram = weight @ weight.t() + x.t() @ x
        try:
            factor = torch.linalg.cholesky(gram + shift)
        except torch.linalg.LinAlgError:
            results.append("not positive definite")
            factor = torch.linalg.cholesky(gram + torch.eye(4))
        try:
            inverse = torch.linalg.solve(gram * scale, torch.inverse(gram * scale))
        except torch.linalg.LinAlgError:
            results.append("singular")
            inverse = gram
        loss = factor.diagonal().log().sum() + inverse.square().sum()
        loss.backward()
        optimizer.step()
        results.append(read(loss))
    return [results, weight]


@footgun(22)
def generators_closed_mid_step(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    log: list[Any] = []

    def train(data: Any) -> Any:
        try:
            for x, y in data:
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(x), y)
                yield loss
                loss.backward()
                optimizer.step()
        finally:
            log.append("closed")

    for count in (9, 3, 6):
        run = train(batches(torch))
        for _ in range(count):
            log.append(read(next(run)))
        run.close()  # before backward
        log.append(read(model[2].bias.detach().clone()))
    return log


@footgun(23)
def preprocessing(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        x = (x - x.mean(0)) / (x.std(0) + 1e-5)
        if i % 2:
            x = x.flip(1)
        for _ in range(i % 3):
            x = x * 0.9 + 0.1 * torch.rand(6, 4)
        losses.append(read(step(torch, model, optimizer, x, y)))
        if i % 5 == 0:
            with torch.no_grad():
                losses.append(read((model(x).argmax(1) == y).float().mean()))
    return losses
