"""Results, buffers, views and memory that others see."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.programs import attempt

from .common import STEPS, Read, batches, footgun, mlp, step


@footgun(1)
def kept_outputs(torch: Any, read: Read) -> Any:
    f = torch.nn.Linear(3, 2)
    a, b = torch.ones(3), torch.zeros(3)
    kept = [f(a * i) * 2 for i in range(STEPS)]
    r1 = f(a)
    r2 = f(b)
    return [read(r1), read(r2), kept]


@footgun(1)
def kept_gradients(torch: Any, read: Read) -> Any:
    found: list[Any] = []
    for to_none in (True, False):
        model = mlp(torch)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        kept = []
        for x, y in batches(torch):
            optimizer.zero_grad(set_to_none=to_none)
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            kept.append(model[2].bias.grad)
        found += [read(kept[0]), kept, kept[0] is kept[-1]]
    return found


@footgun(1)
def output_changed_by_the_user(torch: Any, read: Read) -> Any:
    f, x = torch.nn.Linear(3, 2), torch.ones(4, 3)
    kept = []
    for i in range(STEPS):
        with torch.no_grad():
            y = f(x)
            if i % 2:
                y += 100  # of this result only
            view = y[0]
            view.mul_(2)
        kept.append(read(y.sum()))
    return kept


@footgun(2)
def carried_buffer(torch: Any, read: Read) -> Any:
    def f(buffer: Any, new: Any) -> Any:
        return buffer * 0.9 + new

    results = []
    for _ in range(4):
        buffer = torch.zeros(3)
        for i in range(STEPS):
            buffer = f(buffer, torch.full((3,), float(i)))
            if i % 5 == 4:
                results.append(read(buffer))
        results.append(buffer)
    return results


@footgun(2)
def swapped_buffers(torch: Any, read: Read) -> Any:
    a, b = torch.ones(3), torch.zeros(3)
    results = []
    for _ in range(STEPS):
        a, b = b + 1, a * 2
        results.append(read(a - b))
    return [results, a, b]


@footgun(2)
def refilled_inputs(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.zeros(6, 4), torch.zeros(6, dtype=torch.int64)
    losses = []
    for new_x, new_y in batches(torch):
        x.copy_(new_x)
        y[:] = new_y
        losses.append(read(step(torch, model, optimizer, x, y)))
    return losses


@footgun(6)
def same_operand(torch: Any, read: Read) -> Any:
    def f(a: Any, b: Any) -> Any:
        return a.mul_(2) + b

    results = []
    x = torch.arange(4.0)
    for i in range(STEPS):
        if i % 4 == 0:
            x = torch.arange(4.0) + i
        found = [f(x, x), f(x.clone(), x), f(x[:3], x[1:]), f(x[1:], x[:3])][i % 4 :]
        results.append(read(found[0]))
        results.append(read(x.sum()))
    return results


@footgun(6)
def aliases_come_and_go(torch: Any, read: Read) -> Any:
    base, other = torch.arange(6.0), torch.arange(6.0) * 10
    pairs = [
        (base[:3], other[:3]), (base[:3], base[:3]), (base[:3], base[3:]), (base[1:4], base[:3]),
    ]  # fmt: skip
    results = []
    for i in range(4 * STEPS):
        a, b = pairs[0] if i < 8 else pairs[i % 4]
        a.add_(1)
        results.append(read((a * b).sum()))
    return [results, base, other]


@footgun(7)
def read_before_write(torch: Any, read: Read) -> Any:
    results = []
    src, dst = torch.arange(4.0), torch.zeros(4)
    for _ in range(STEPS):
        dst[:] = src[:]
        src.add_(1)
        results.append(read(dst.sum()))
    base = torch.ones(2, dtype=torch.float32)
    bits = base.view(torch.int32)
    for _ in range(STEPS):
        before = bits.clone()
        base.mul_(2)
        results += [read(before), read(bits.clone())]
    return [results, dst, src, bits]


@footgun(8)
def identities_share_memory(torch: Any, read: Read) -> Any:
    f = torch.nn.functional
    same = [
        lambda x: f.dropout(x, 0.5, False), lambda x: x.contiguous(), lambda x: x.float(),
        lambda x: x.to("cpu"), lambda x: x.reshape(3), lambda x: x.expand(3), lambda x: x[:],
        lambda x: x.detach(), lambda x: torch.nn.Identity()(x), lambda x: torch.as_tensor(x),
    ]  # fmt: skip
    results = []
    for make in same:
        x = torch.ones(3)
        for _ in range(STEPS):
            y = make(x)
            y += 1
        results.append([read(x.sum()), y is x])
    return results


@footgun(9)
def detach_then_write(torch: Any, read: Read) -> Any:
    results: list[Any] = []
    for i in range(STEPS):
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        a = w * 3
        y = (a * a).sum() if i % 3 else (a + a).sum()
        t = a.detach()
        if i % 2:
            a.mul_(2)
        results += [read(t), attempt(y.backward, 12), w.grad is None or read(w.grad)]
    return results


@footgun(10)
def writes_through_views(torch: Any, read: Read) -> Any:
    results = []
    x = torch.zeros(4, 4)
    for i in range(STEPS):
        x.split(2)[0].add_(1)
        x.unbind(1)[3].mul_(-0.5)
        x.transpose(0, 1)[2].sub_(2)
        x.as_strided((4,), (5,)).fill_(9 + i)
        x[:, 1:3][::2].mul_(0.5)
        x.view(2, 8).diagonal(0).add_(1)
        results.append(read(x.sum()))
    results.append(x)
    for _ in range(3):
        e = torch.zeros(1, 3).expand(2, 3)
        results.append(attempt(lambda e=e: e.add_(1), 8))
    return results


@footgun(10)
def gradients_of_writes_through_views(torch: Any, read: Read) -> Any:
    results = []
    w = torch.arange(6.0).requires_grad_()
    for i in range(STEPS):
        w.grad = None
        x = w * 1
        x.view(2, 3)[0].mul_(2)
        x[1::2] = x[::2].exp() if i % 3 else x[::2].sigmoid()
        x.view(3, 2).t()[1].add_(w[:3])
        (x * x).sum().backward()
        results += [read(x), read(w.grad)]
    return results


@footgun(11)
def data_assignment(torch: Any, read: Read) -> Any:
    results: list[Any] = []
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.5)
    view = p.detach()
    for i in range(STEPS):
        if i % 4 == 3:
            p.data = torch.full((3,), float(i))  # `view` stays with the old memory
        else:
            p.data.add_(1)
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
        results += [read(view.clone()), read(p.grad), read(p.detach().clone())]
        if i == 6:
            view = p.detach()
    return [results, p]


@footgun(12)
def numpy_memory(torch: Any, read: Read) -> Any:
    results: list[Any] = []
    a = np.ones(3, np.float32)
    t = torch.from_numpy(a)
    n = t.numpy()
    for i in range(STEPS):
        y = t * 2
        a[:] = 7 + i
        z = t * 2
        n[0] = -i
        t.add_(1)
        results += [read(y), read(z), a.tolist(), n.tolist()]
    return [results, t]


@footgun(12)
def numpy_watches_the_weights(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = model[2].bias.detach().numpy()
    results: list[Any] = []
    for i, (x, y) in enumerate(batches(torch)):
        results.append(read(step(torch, model, optimizer, x, y)))
        results.append(seen.tolist())
        if i == 7:
            seen[:] = 0.25  # the next step starts from there
    return results


@footgun(12)
def batches_in_one_numpy_buffer(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    held = np.zeros((6, 4), np.float32)
    x = torch.from_numpy(held)
    results = []
    for i, (_, y) in enumerate(batches(torch)):
        held[:] = np.sin(np.arange(24).reshape(6, 4) + i)
        results.append(read(step(torch, model, optimizer, x, y)))
        held[:] = 1e6  # late readers would see this
    return results
