"""Modes, parameters, seeds and constants that change while a loop runs."""

from __future__ import annotations

import copy
import io
import threading
from typing import Any

from .common import STEPS, Read, batches, footgun, mlp, step


@footgun(26)
def modes(torch: Any, read: Read) -> Any:
    model = mlp(torch, dropout=0.3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        training = i < 8 or i % 3 != 2
        model.train(training)
        if training:
            results.append(read(step(torch, model, optimizer, x, y)))
        elif i % 2:
            with torch.no_grad():
                out = model(x)
            results += [read(out.sum()), out.requires_grad]
        else:
            with torch.inference_mode():
                out = model(x)
            results += [read(out.sum()), out.is_inference()]
    return results


@footgun(26)
def autocast_toggled(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=i >= 8 and i % 2 == 0):
            out = model(x)
            loss = torch.nn.functional.cross_entropy(out.float(), y)
        results += [str(out.dtype), str(model[0].weight.dtype)]
        loss.backward()
        optimizer.step()
        if out.dtype == torch.float32 and i < 8:  # half precision leaves room for rounding
            results.append(read(loss))
    return results


@footgun(26)
def batch_norm_modes(torch: Any, read: Read) -> Any:
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.ReLU(), torch.nn.Linear(5, 3)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        model.train(i < 9 or i % 4 != 0)
        if i == 15:
            model[1].momentum = 0.5
        results.append(read(step(torch, model, optimizer, x, y)))
        results.append(read(model[1].running_mean.clone()))
    return [results, model[1].num_batches_tracked, model[1].running_var]


@footgun(26)
def two_threads(torch: Any, read: Read) -> Any:
    found: dict[int, Any] = {}

    def train(number: int, model: Any, data: Any) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with torch.set_grad_enabled(True):
            found[number] = [read(step(torch, model, optimizer, x, y)) for x, y in data]

    models = [mlp(torch) for _ in range(2)]
    data = list(batches(torch, 2 * STEPS))
    threads = [threading.Thread(target=train, args=(i, m, data)) for i, m in enumerate(models)]
    with torch.no_grad():  # of this thread only
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [found[0], found[1]]


@footgun(27)
def changes_mid_run(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    start = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.Adam(model[0].parameters(), lr=0.05)
    kept = copy.deepcopy(optimizer.state_dict())
    losses = []
    for i, (x, y) in enumerate(batches(torch, 3 * STEPS)):
        if i == 8:
            model.load_state_dict(start)
        if i == 12:
            optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.01})
        if i == 16:
            model[1] = torch.nn.ReLU()
        if i == 20:
            model[2].weight = torch.nn.Parameter(model[2].weight.detach() * 0.5)
        if i == 24:
            kept = copy.deepcopy(optimizer.state_dict())
        if i == 28:
            optimizer.load_state_dict(kept)
        if i == 32:
            optimizer.state.clear()
        losses.append(read(step(torch, model, optimizer, x, y)))
    return [losses, model[2].weight, model[0].weight]


@footgun(27)
def weights_swapped_in_and_out(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    average = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        results.append(read(step(torch, model, optimizer, x, y)))
        with torch.no_grad():
            for p, q in zip(average.parameters(), model.parameters()):
                p.mul_(0.9).add_(q, alpha=0.1)
            if i % 4 == 3:
                kept = [q.data for q in model.parameters()]
                for p, q in zip(average.parameters(), model.parameters()):
                    q.data = p.data
                results.append(read(model(x).sum()))
                for data, q in zip(kept, model.parameters()):
                    q.data = data
    return [results, average[0].weight]


@footgun(27)
def dtype_changes(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        if i in (9, 17):
            model.to(torch.float64 if i == 9 else torch.float32)
            optimizer.state.clear()
        x = x.to(model[0].weight.dtype)
        results += [read(step(torch, model, optimizer, x, y)), str(model[0].weight.grad.dtype)]
    return results


@footgun(27)
def gradients_set_by_hand(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        if i >= 7:
            model[0].weight.grad *= 0.5
            model[2].bias.grad = torch.ones(3) * i if i % 2 else None
        if i % 3 == 0:
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            results.append(read(norm))
        optimizer.step()
        results.append(read(loss))
    return [results, model[2].bias]


@footgun(30)
def rng_control(torch: Any, read: Read) -> Any:
    results: list[Any] = []
    state = torch.get_rng_state()
    for i in range(2 * STEPS):
        if i == 8:
            torch.manual_seed(5)
        if i == 5:
            state = torch.get_rng_state()
        if i in (11, 15):
            torch.set_rng_state(state)
        if i == 18:
            with torch.random.fork_rng():
                torch.manual_seed(9)
                results.append(read(torch.rand(2)))
        results.append(read(torch.nn.functional.dropout(torch.rand(2) + 1, 0.5)))
    return [results, torch.rand(1)]


@footgun(30)
def loader_with_a_generator(torch: Any, read: Read) -> Any:
    data = torch.utils.data.TensorDataset(torch.arange(6))
    loader = torch.utils.data.DataLoader(
        data, batch_size=2, shuffle=True, generator=torch.Generator().manual_seed(3)
    )
    results = []
    for _ in range(STEPS):
        for (x,) in loader:
            results.append(read(x * torch.rand(())))
    return [results, torch.rand(1)]


@footgun(31)
def constants_of_python(torch: Any, read: Read) -> Any:
    results = []
    for i in range(STEPS):
        table = torch.tensor([1.0, float(i), -1.0])
        picks = torch.tensor([i % 3, 0])
        y = table[picks] + torch.arange(2) * i + torch.full((2,), i / 2)
        y[i % 2] = i
        results.append(read(y + torch.linspace(0, i, 2) + torch.eye(2)[i % 2]))
    return results


@footgun(31)
def table_replaced(torch: Any, read: Read) -> Any:
    results = []
    mask = torch.ones(3)
    for i in range(2 * STEPS):
        if i % 5 == 4:
            mask = torch.zeros(3) + i  # same shape, another tensor, maybe at the same address
        x = torch.arange(3.0) + i
        results.append(read((x * mask).sum()))
        del x
    return results


@footgun(32)
def values_asked_in_every_way(torch: Any, read: Read) -> Any:
    ask = [
        lambda y: float(y[0]), lambda y: int(y.sum()), lambda y: bool((y > 3).any()),
        lambda y: f"{y[1]:.3f}", lambda y: y.tolist(), lambda y: y.numpy().tolist(),
        lambda y: [float(v) for v in y], lambda y: len(y), lambda y: y.max().item(),
        lambda y: str(y), lambda y: torch.equal(y, y.clone()), lambda y: list(range(int(y[3]))),
    ]  # fmt: skip
    x, results = torch.arange(4.0), []
    for i in range(2 * STEPS):
        y = x * i + 1
        results.append(ask[i % len(ask)](y))
        results.append(read(y))
    return results


@footgun(32)
def saved_mid_run(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    files, losses = [], []
    for i, (x, y) in enumerate(batches(torch, 2 * STEPS)):
        losses.append(read(step(torch, model, optimizer, x, y)))
        if i % 6 == 5:
            files.append(io.BytesIO())
            torch.save({"model": model.state_dict(), "best": optimizer.state_dict()}, files[-1])
        if i == 19:
            files[1].seek(0)
            found = torch.load(files[1])
            model.load_state_dict(found["model"])
            optimizer.load_state_dict(found["best"])
    return [losses, model[0].weight]
