"""Training and inference loops, as one writes them for PyTorch: the text that every rival runs.

Each builder takes the `torch` module that it is to use, and `compile`, which is that module's
`torch.compile` where the rival is PyTorch's compiler and leaves its argument as it is otherwise.
It returns `run(count)`: at least `count` steps, then one read, so that nothing is left undone when
the clock stops. `run` returns the number of steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

Run = Callable[[int], int]
Build = Callable[[Any, Callable[[Any], Any]], Run]
LOADER_ROWS = 4096  # in an epoch, of at most 64 batches


def mlp(torch: Any, sizes: tuple[int, ...]) -> Any:
    """Linear layers with a ReLU between each two."""
    layers: list[Any] = []
    for inside, outside in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(inside, outside), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def _one_batch(xb: Any, yb: Any, count: int) -> Iterator[tuple[Any, Any]]:
    return itertools.repeat((xb, yb), count)


def _epochs(loader: Any, count: int) -> Iterator[Any]:
    done = 0
    while done < count:
        yield from loader
        done += len(loader)


def classifier(
    sizes: tuple[int, ...],
    batch: int,
    loader: bool = False,
    read: bool = False,
    metrics: bool = False,
) -> Build:
    """The seed's loop: an MLP, cross-entropy, AdamW.

    Args:
        loader: batches come from a shuffling DataLoader; otherwise there is one batch.
        read: the loss is read at each step.
        metrics: losses and right answers are kept at each step, as in the demo.
    """

    def build(torch: Any, compile: Callable[[Any], Any]) -> Run:
        torch.manual_seed(0)
        model = mlp(torch, sizes)
        logits_of = compile(model)
        criterion = torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
        device = torch.device("cpu")
        rows = min(LOADER_ROWS, 64 * batch) if loader else batch
        x, y = torch.rand(rows, sizes[0]), torch.randint(0, sizes[-1], (rows,))
        data = torch.utils.data.TensorDataset(x, y)
        train_loader = torch.utils.data.DataLoader(data, batch_size=batch, shuffle=True)
        x, y = x[:batch], y[:batch]

        def run(count: int) -> int:
            steps, total = 0, 0.0
            losses, right = [], []
            model.train()
            for xb, yb in _epochs(train_loader, count) if loader else _one_batch(x, y, count):
                xb, yb = xb.to(device), yb.to(device)
                optimizer.zero_grad(set_to_none=True)
                logits = logits_of(xb)
                loss = criterion(logits, yb)
                loss.backward()
                optimizer.step()
                steps += 1
                if read:
                    total += loss.item()
                if metrics:
                    losses.append(loss.detach())
                    right.append((logits.argmax(dim=1) == yb).sum())
            loss.item()
            return steps

        return run

    return build


def inference(sizes: tuple[int, ...], batch: int) -> Build:
    """Logits under no_grad, each read with `.numpy()`."""

    def build(torch: Any, compile: Callable[[Any], Any]) -> Run:
        torch.manual_seed(0)
        model = mlp(torch, sizes).eval()
        logits_of = compile(model)
        x = torch.rand(batch, sizes[0])

        def run(count: int) -> int:
            with torch.no_grad():
                for _ in range(count):
                    logits_of(x).numpy()
            return count

        return run

    return build


def autoencoder(sizes: tuple[int, ...], batch: int) -> Build:
    """An MLP that learns to repeat its input: Adam, mean squared error."""

    def build(torch: Any, compile: Callable[[Any], Any]) -> Run:
        torch.manual_seed(0)
        model = mlp(torch, sizes)
        x = torch.rand(batch, sizes[0])
        criterion = torch.nn.MSELoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        return steps(compile(model), optimizer, lambda out: criterion(out, x), x)

    return build


def steps(model: Any, optimizer: Any, loss_of: Callable[[Any], Any], x: Any) -> Run:
    """Steps on one batch; the last loss is read."""

    def run(count: int) -> int:
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(x))
            loss.backward()
            optimizer.step()
        loss.item()
        return count

    return run
