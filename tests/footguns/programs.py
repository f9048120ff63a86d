"""Programs that tracing systems get wrong, by their numbers in shared/footguns.md."""

from __future__ import annotations

import copy
import threading
from typing import Any

from tests.programs import attempt


def mlp(torch: Any, dropout: float = 0.0) -> Any:
    layers = [torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)]
    if dropout:
        layers.insert(2, torch.nn.Dropout(dropout))
    return torch.nn.Sequential(*layers)


def batches(torch: Any, count: int, size: int = 6) -> Any:
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        x = torch.rand(size, 4, generator=generator)
        yield x, torch.randint(0, 3, (size,), generator=generator)


def step(torch: Any, model: Any, optimizer: Any, x: Any, y: Any) -> Any:
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def kept_outputs_01(torch: Any) -> Any:
    f = torch.nn.Linear(3, 2)
    a, b = torch.ones(3), torch.zeros(3)
    kept = [f(a) * 2 for _ in range(4)]
    r1 = f(a)
    r2 = f(b)
    return [r1, r2, kept]


def carried_buffer_02(torch: Any) -> Any:
    def f(buffer: Any, new: Any) -> Any:
        return buffer * 0.9 + new

    results = []
    for _ in range(3):
        buffer = torch.zeros(3)
        for i in range(5):
            buffer = f(buffer, torch.full((3,), float(i)))
        results.append(buffer)
    return results


def varying_scalars_03(torch: Any) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for epoch, (x, y) in enumerate(batches(torch, 8)):
        optimizer.param_groups[0]["lr"] = 1e-2 / (1 + epoch)
        optimizer.param_groups[0]["betas"] = (0.9 - 0.01 * epoch, 0.999)
        optimizer.zero_grad()
        dropped = torch.nn.functional.dropout(model(x), 0.05 * epoch)
        loss = torch.nn.functional.cross_entropy(dropped, y) * (1 + 0.1 * epoch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def flag_flips_04(torch: Any) -> Any:
    x = torch.arange(3.0)
    results = []
    for i in range(8):
        x = x * 2 - 1 if i < 5 else x / 2 + 1
        results.append(x.sum())
    return results


def shared_layers_05(torch: Any) -> Any:
    shared = torch.nn.Linear(4, 4)
    first = torch.nn.Sequential(shared, torch.nn.ReLU(), torch.nn.Linear(4, 3))
    second = torch.nn.Sequential(shared, torch.nn.Tanh(), torch.nn.Linear(4, 3))
    tied = torch.nn.Linear(4, 4)
    tied.weight = shared.weight
    optimizer = torch.optim.SGD(
        [*first.parameters(), *second[2].parameters(), tied.bias], lr=0.1, momentum=0.9
    )
    losses = []
    for x, y in batches(torch, 4):
        optimizer.zero_grad()
        cross = torch.nn.functional.cross_entropy
        loss = cross(first(x), y) + cross(second(tied(x)), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [losses, shared.weight, tied.weight is shared.weight]


def same_operand_06(torch: Any) -> Any:
    def f(a: Any, b: Any) -> Any:
        return a.mul_(2) + b

    x = torch.arange(4.0)
    return [f(x, x), f(x.clone(), x), f(x[:3], x[1:]), f(x[1:], x[:3]), x]


def read_before_write_07(torch: Any) -> Any:
    src, dst = torch.arange(4.0), torch.zeros(4)
    dst[:] = src[:]
    src.add_(1)
    base = torch.ones(2, dtype=torch.float32)
    bits = base.view(torch.int32)
    before = bits.clone()
    base.mul_(2)
    return [dst, src, before, bits]


def dropout_identity_08(torch: Any) -> Any:
    x = torch.ones(3)
    y = torch.nn.functional.dropout(x, 0.5, False)
    y += y
    return [x, y is x]


def detach_then_write_09(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    a = w * 3
    y = (a * a).sum()
    t = a.detach()
    a.mul_(2)
    return [t, attempt(lambda: y.backward(), 12)]


def writes_through_views_10(torch: Any) -> Any:
    results = []
    x = torch.zeros(4, 4)
    x.split(2)[0].add_(1)
    x.unbind(1)[3].mul_(5)
    x.transpose(0, 1)[2].sub_(2)
    x.as_strided((4,), (5,)).fill_(9)
    results.append(x)
    e = torch.zeros(1, 3).expand(2, 3)
    results.append(attempt(lambda: e.add_(1), 8))
    return results


def data_assignment_11(torch: Any) -> Any:
    p = torch.nn.Parameter(torch.ones(3))
    view = p.detach()
    p.data.add_(1)
    first = view.clone()
    p.data = torch.zeros(3)
    p.data.add_(5)
    (p * p).sum().backward()
    return [first, view, p, p.grad]


def numpy_memory_12(torch: Any) -> Any:
    import numpy as np

    a = np.ones(3, np.float32)
    t = torch.from_numpy(a)
    y = t * 2
    a[:] = 7
    z = t * 2
    n = t.numpy()
    n[0] = -1
    t.add_(1)
    return [y, z, t, a.tolist()]


def alternating_grads_13(torch: Any) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 6)):
        model[0].requires_grad_(i % 2 == 0)
        losses.append(step(torch, model, optimizer, x, y).item())
        losses.append(model[0].weight.grad is None)
    return [losses, model[0].weight]


def random_order_14(torch: Any) -> Any:
    x = torch.ones(6)
    dropout = torch.nn.functional.dropout
    results = []
    for _ in range(3):
        a = dropout(x, 0.5)
        b = dropout(x, 0.3)
        results.append(b - a)
    return [results, torch.rand(2)]


def best_state_15(torch: Any) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    best, state, losses = float("inf"), None, []
    for i, (x, y) in enumerate(batches(torch, 8)):
        loss = step(torch, model, optimizer, x, y)
        if i % 2 == 0 and loss.item() < best:
            best, state = loss.item(), copy.deepcopy(model.state_dict())
        losses.append(loss)
    return [best, state["0.weight"], [x.item() for x in losses]]


def accumulation_18(torch: Any) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    total = 0.0
    for i, (x, y) in enumerate(batches(torch, 16)):
        loss = torch.nn.functional.cross_entropy(model(x), y) / 8
        loss.backward()
        total += loss.item()
        if i % 8 == 7:
            optimizer.step()
            optimizer.zero_grad()
    return [total, model[2].weight]


def ragged_19(torch: Any) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 6)):
        keep = x[:, 0] > 0.2 * (i % 3)
        if keep.any():
            losses.append(step(torch, model, optimizer, x[keep], y[keep]).item())
        losses.append(step(torch, model, optimizer, x[: 1 + i % 4], y[: 1 + i % 4]).item())
    return losses


def long_loop_20(torch: Any) -> Any:
    x = torch.ones(2, requires_grad=True)
    y = x
    for i in range(2000):
        y = y * 0.999 + 0.001 * (i % 3)
    y.sum().backward()
    return [y, x.grad]


def effects_21(torch: Any) -> Any:
    log: list[Any] = []
    x = torch.zeros(2)
    for i in range(5):
        log.append(f"before {i}")
        x = x + 1
        log.append(x)
    return log


def exception_mid_step_22(torch: Any) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 8)):
        try:
            optimizer.zero_grad()
            out = model(x)
            loss = torch.nn.functional.cross_entropy(out, y)
            if i == 4:
                raise KeyboardInterrupt
            loss.backward()
            if i == 6:
                raise ValueError("stop")
            optimizer.step()
        except (KeyboardInterrupt, ValueError) as error:
            losses.append(type(error).__name__)
            losses.append(model[0].weight.grad is None)
        losses.append(loss.item())
    return [losses, model[0].weight]


def preprocessing_23(torch: Any) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 6)):
        x = (x - x.mean(0)) / (x.std(0) + 1e-5)
        if i % 2:
            x = x.flip(1)
        losses.append(step(torch, model, optimizer, x, y).item())
    return losses


def shared_forward_24(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w.exp()
    a, b = (h * h).sum(), h.sin().sum()
    a.backward(retain_graph=True)
    first = w.grad.clone()
    b.backward()
    return [first, w.grad]


def gan_and_lbfgs_25(torch: Any) -> Any:
    generator, critic = torch.nn.Linear(2, 4), torch.nn.Linear(4, 1)
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=0.01)
    c_optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)
    losses = []
    handle = critic.weight.register_hook(lambda g: g * 0.5)
    for i, (x, _) in enumerate(batches(torch, 4)):
        noise = torch.rand(6, 2)
        fake = generator(noise)
        c_optimizer.zero_grad()
        c_loss = critic(fake.detach()).mean() - critic(x).mean()
        c_loss.backward()
        c_optimizer.step()
        g_optimizer.zero_grad()
        g_loss = -critic(fake).mean()
        g_loss.backward()
        g_optimizer.step()
        losses += [c_loss.item(), g_loss.item()]
        if i == 2:
            handle.remove()
    w = torch.tensor([2.0, -1.0], requires_grad=True)
    lbfgs = torch.optim.LBFGS([w], lr=0.5, max_iter=4)

    def closure() -> Any:
        lbfgs.zero_grad()
        loss = ((w - torch.tensor([1.0, 3.0])) ** 4).sum()
        loss.backward()
        return loss

    for _ in range(3):
        losses.append(lbfgs.step(closure).item())
    return [losses, w]


def modes_26(torch: Any) -> Any:
    model = mlp(torch, dropout=0.3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    results = []
    for i, (x, y) in enumerate(batches(torch, 6)):
        model.train(i % 3 != 2)
        if i % 3 == 2:
            with torch.no_grad():
                results.append(model(x).sum().item())
        else:
            results.append(step(torch, model, optimizer, x, y).item())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results.append(str(model(x).dtype))
    results.append(str(model(x).dtype))
    return results


def two_threads_26(torch: Any) -> Any:
    found: dict[int, Any] = {}

    def train(number: int, model: Any, data: Any) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with torch.set_grad_enabled(True):
            found[number] = [step(torch, model, optimizer, x, y).item() for x, y in data]

    models = [mlp(torch) for _ in range(2)]
    data = list(batches(torch, 6))
    threads = [threading.Thread(target=train, args=(i, m, data)) for i, m in enumerate(models)]
    with torch.no_grad():  # of this thread only
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [found[0], found[1]]


def changes_mid_run_27(torch: Any) -> Any:
    model = mlp(torch)
    start = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.Adam(model[0].parameters(), lr=0.05)
    losses = []
    for i, (x, y) in enumerate(batches(torch, 8)):
        if i == 2:
            model.load_state_dict(start)
        if i == 4:
            optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.01})
        if i == 6:
            model[1] = torch.nn.ReLU()
        losses.append(step(torch, model, optimizer, x, y).item())
    return losses


def grads_in_loss_28(torch: Any) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for x, _ in batches(torch, 3):
        x.requires_grad_()
        out = model(x).sum()
        (g,) = torch.autograd.grad(out, x, create_graph=True)
        loss = (g.norm(dim=1) - 1).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    cell = torch.nn.RNN(2, 3, batch_first=True)
    hidden = torch.zeros(1, 1, 3)
    for _ in range(3):
        hidden = hidden.detach()
        out, hidden = cell(torch.rand(1, 4, 2), hidden)
        out.pow(2).sum().backward()
    return [losses, cell.weight_hh_l0.grad]


def freed_graph_29(torch: Any) -> Any:
    model = mlp(torch)
    x, y = next(batches(torch, 1))
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    return attempt(loss.backward, 8)


def rng_control_30(torch: Any) -> Any:
    results = []
    for i in range(6):
        if i == 3:
            torch.manual_seed(5)
        if i == 1:
            state = torch.get_rng_state()
        if i == 5:
            torch.set_rng_state(state)
        results.append(torch.rand(2))
    data = torch.utils.data.TensorDataset(torch.arange(6))
    loader = torch.utils.data.DataLoader(
        data, batch_size=2, shuffle=True, generator=torch.Generator().manual_seed(3)
    )
    results.append([[b[0] for b in loader], [b[0] for b in loader]])
    return [results, torch.rand(1)]


HELPERS = {"mlp", "batches", "step", "attempt"}
PROGRAMS = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__ and name not in HELPERS
}
