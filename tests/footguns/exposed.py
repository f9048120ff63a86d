"""Memory that others see, in every way in which they can come to see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.programs import attempt

from .common import STEPS, Read, footgun, mlp, step


def data(rows: int = 6 * STEPS) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets as NumPy arrays."""
    x = np.sin(np.arange(rows * 4, dtype=np.float32)).reshape(rows, 4)
    return x, np.arange(rows) % 3


def shared(torch: Any) -> list[Callable[[np.ndarray], Any]]:
    """Ways to a tensor that shares an array's memory."""

    def seen_before(array: np.ndarray) -> Any:
        t = torch.from_numpy(array)
        t.numpy()
        return t[:]

    def read_only(array: np.ndarray) -> Any:
        view = array[:]
        view.flags.writeable = False
        return torch.from_numpy(view)

    return [
        torch.from_numpy, torch.as_tensor, torch.asarray, torch.from_dlpack, seen_before, read_only,
        lambda a: torch.frombuffer(a.data.cast("B"), dtype=torch.from_numpy(a).dtype).view(a.shape),
    ]  # fmt: skip


@footgun(12)
def batches_of_arrays(torch: Any, read: Read) -> Any:
    """Slices of arrays, in every way; after each step they hold something else."""
    results: list[Any] = []
    for make in shared(torch):
        x, y = data()
        model = mlp(torch)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for i in range(0, len(x), 6):
            batch, target = make(x[i : i + 6]), make(y[i : i + 6])
            results.append(read(step(torch, model, optimizer, batch, target)))
            x[i : i + 6], y[i : i + 6] = 1e6, 0
        results.append(model[0].bias)
    return results


@footgun(12)
def arrays_written_between_forward_and_backward(torch: Any, read: Read) -> Any:
    """What a backward needs of an array is what is there then."""
    results: list[Any] = []
    for when in range(5):
        x, _ = data(6)
        held = torch.from_numpy(x)
        model = torch.nn.Linear(4, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for i in range(STEPS):
            writes = when == 4 or (i > 7 and i % 3 == when % 3)
            out = model(held)
            if writes and when != 1:
                x *= 0.5
            loss = (out * out).mean()
            optimizer.zero_grad()
            loss.backward()
            if writes and when > 0:
                x += 1
            optimizer.step()
            results += [read(loss), read(model.weight.grad)]
            x[0] = i
    return results


@footgun(12)
def arrays_written_between_two_uses(torch: Any, read: Read) -> Any:
    """Each op reads what is there when it is called."""
    results: list[Any] = []
    for often in (1, 3, 7):
        x, _ = data(2)
        t, other = torch.from_numpy(x), torch.ones(2, 4)
        for i in range(2 * STEPS):
            a = t * 2 + other
            if i % often == 0:
                x[0] += 1
            b = (a.exp() + t) * (t.t().contiguous().t() - other)
            if i % 2:
                x[1] = i
            results.append(read((a + b + t).sum()))
    return results


@footgun(12)
def views_of_arrays(torch: Any, read: Read) -> Any:
    """Results that are views of an array's memory are that afterwards too."""
    results: list[Any] = []
    x, _ = data(2)
    t, other = torch.from_numpy(x), torch.ones(4, 2)
    for i in range(STEPS):
        turned = t.t()
        more = turned.unsqueeze(0).expand(2, 4, 2)
        y = (more * other).sum() + (turned + other).exp().sum()
        results.append(read(y))
        x[0] = 2 - i
        results += [turned.tolist(), more[1].tolist()]
        turned[1] = 0.25
        results += [x.tolist(), read((more + other).sum())]
    return results


@footgun(12)
def exits_after_arrays_were_written(torch: Any, read: Read) -> Any:
    """A side exit does again what was done with what was there, then goes on with what is."""
    results: list[Any] = []
    x, _ = data(6)
    held, leaf = torch.from_numpy(x), torch.ones(4, 3, requires_grad=True)
    for i in range(2 * STEPS):
        turned = held.t()
        hidden = (held @ leaf).tanh() + turned.sum()
        extra = (hidden * hidden).sum()
        if i > 9 and i % 2:
            x[:] = np.cos(x) + i
            if i % 4 == 1:
                extra = extra + attempt(lambda: held.square().mean() * 3)
        loss = extra + (turned * turned).mean()
        loss.backward()
        x[1] += 1
        results += [read(loss), read(leaf.grad.clone()), read(turned.clone())]
        leaf.grad = None
    return results


@footgun(12)
def arrays_of_weights(torch: Any, read: Read) -> Any:
    """Somebody holds the weights' memory, looks at it at all times, and writes to it."""
    results: list[Any] = []
    for writes_at in (None, "forward", "backward", "step"):
        model = mlp(torch)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        x, y = (torch.from_numpy(a) for a in data(6))
        seen = [p.detach().numpy() for p in model.parameters()]
        for i in range(STEPS):
            if i == 9:
                del seen[1:]
            loss = torch.nn.functional.cross_entropy(model(x), y)
            _write(seen[0], writes_at == "forward" and i % 4 == 3)
            results.append(seen[0][0].tolist())
            optimizer.zero_grad()
            loss.backward()
            _write(seen[0], writes_at == "backward" and i % 4 == 3)
            results.append(seen[0][0].tolist())
            optimizer.step()
            _write(seen[0], writes_at == "step" and i % 4 == 3)
            results += [seen[0][0].tolist(), read(loss)]
        results.append(model[2].weight)
    return results


def _write(array: np.ndarray, wanted: bool) -> None:
    if wanted:
        array *= 0.5


@footgun(12)
def arrays_of_everything(torch: Any, read: Read) -> Any:
    """Logging every parameter, gradient, buffer and state, now and then or always."""
    results: list[Any] = []
    for often in (1, 4):
        layers = torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3)
        model = torch.nn.Sequential(*layers)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
        x, y = (torch.from_numpy(a) for a in data(6))
        kept: list[Any] = []
        for i in range(STEPS):
            results.append(read(step(torch, model, optimizer, x, y)))
            if i % often == 0:
                kept = [t.numpy() for t in model.state_dict().values()]
                kept += [p.grad.numpy() for p in model.parameters()]
                kept += [s["momentum_buffer"].numpy() for s in optimizer.state.values()]
                results.append([a.sum().item() for a in kept])
            if i == 8:
                kept[0][0], kept[4][:] = 0.5, 0  # a weight, and the running mean
                del kept
        results += [model[1].running_mean, model[0].weight]
    return results


@footgun(12)
def arrays_taken_in_the_middle(torch: Any, read: Read) -> Any:
    """Between forward and backward an input, a target and a result become visible."""
    results: list[Any] = []
    for writes in (False, True):
        model = mlp(torch)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for i in range(2 * STEPS):
            x, y = torch.sin(torch.arange(24.0).view(6, 4) + i), torch.arange(6) % 3
            out = model(x)
            loss = torch.nn.functional.cross_entropy(out, y)
            found = [a.numpy() for a in (x, y, out.detach(), out.argmax(1))]
            results.append(int((found[3] == found[1]).sum()))
            if writes and i % 3 == 0:
                found[0][:] = 1
                found[1][:] = 0
                found[2][:] = 5
                results.append(read(out.sum() + y.sum()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            results += [read(loss), float(found[0].sum()), read(model[0].weight.grad)]
    return results


@footgun(12)
def weights_made_of_arrays(torch: Any, read: Read) -> Any:
    """Parameters that began as arrays: steps change those."""
    results: list[Any] = []
    w, b = data(3)[0], np.zeros(3, np.float32)
    weight, bias = (torch.nn.Parameter(torch.from_numpy(a)) for a in (w, b))
    optimizer = torch.optim.SGD([weight, bias], lr=0.1, momentum=0.5)
    x, y = (torch.from_numpy(a) for a in data(6))
    for i in range(2 * STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, weight, bias), y)
        loss.backward()
        optimizer.step()
        results += [read(loss), w.sum().item(), b.tolist()]
        if i == 14:
            w[0], b[1] = 0.5, -1
    return results


@footgun(12)
def arrays_given_out_are_others(torch: Any, read: Read) -> Any:
    """What is done to an array that was given out, beside its elements, is its own affair."""
    t = torch.arange(6.0)
    results: list[Any] = []
    for i in range(STEPS):
        a = t.numpy()
        a.shape = (2, 3)
        a.flags.writeable = False
        results += [list(t.shape), a.shape, read(t * 2)]
        t.add_(i)
        results += [a.tolist(), t.numpy() is t.numpy()]
    return results


@footgun(12)
def memory_written_through_its_storage(torch: Any, read: Read) -> Any:
    """A storage is a way to the memory too."""
    leaf, x = torch.ones(3, requires_grad=True), torch.ones(3)
    storage = x.untyped_storage()
    results: list[Any] = []
    for i in range(STEPS):
        loss = (leaf * x * 2).sum()
        if i > 5:
            storage[3 + 4 * (i % 3)] = 64 - i
        loss.backward()
        results += [read(loss), read(leaf.grad)]
        leaf.grad = None
        x.fill_(1)
    return results
