"""What is timed, and what is to be reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from . import jax_steps, loops, models
from .loops import Build, Run

SEED_SIZES = {
    "20-64-3, batch 32": ((20, 64, 3), 32),
    "64-128-10, batch 64": ((64, 128, 10), 64),
    "784-256-10, batch 128": ((784, 256, 10), 128),
    "1024-1024-1024, batch 256": ((1024, 1024, 1024), 256),
}
WITH_LOADER = dict(zip(SEED_SIZES, (20.0, 10.0, 2.5, 1.3)))
AUTOENCODER = (784, 128, 32, 128, 784)
TINY = (2, 4, 2)


@dataclass
class Case:
    """A loop that every rival runs.

    Attributes:
        torch: builds it for flambeau, PyTorch and torch.compile.
        jax: builds it for JAX; None where it was not rewritten.
        least: the ratio (rival's time / flambeau's) to reach, by rival.
        most: the ratio to another case of flambeau's own that is not to be passed: (case, ratio).
        compiled: False leaves torch.compile out, where warming it up takes minutes.
    """

    name: str
    torch: Build
    jax: Callable[[], Run] | None = None
    least: dict[str, float] = field(default_factory=dict)
    most: tuple[str, float] | None = None
    compiled: bool = True


def _seed_cases() -> list[Case]:
    cases = []
    for name, (sizes, batch) in SEED_SIZES.items():
        least = {"torch": WITH_LOADER[name]}
        cases.append(
            Case(f"seed loop {name}, DataLoader", loops.classifier(sizes, batch, loader=True),
                 least=least)
        )  # fmt: skip
    for name, (sizes, batch) in SEED_SIZES.items():
        cases.append(
            Case(f"seed loop {name}", loops.classifier(sizes, batch),
                 jax_steps.classifier(sizes, batch), {"jax": 1.0})
        )  # fmt: skip
    for name, (sizes, batch) in SEED_SIZES.items():
        cases.append(
            Case(f"seed loop {name}, loss.item()", loops.classifier(sizes, batch, read=True),
                 most=(f"seed loop {name}", 1.3))
        )  # fmt: skip
    return cases


def _inference(batch: int, least: float) -> Case:
    sizes = (784, 256, 10)
    return Case(
        f"inference 784-256-10, batch {batch}", loops.inference(sizes, batch),
        jax_steps.inference(sizes, batch), {"torch": least},
    )  # fmt: skip


CASES = [
    Case("Python's share: 2-4-2, batch 1", loops.classifier(TINY, 1),
         jax_steps.classifier(TINY, 1)),
    *_seed_cases(),
    Case("seed loop 64-128-10, DataLoader, metrics",
         loops.classifier((64, 128, 10), 64, loader=True, metrics=True)),
    _inference(1, 3.0),
    _inference(256, 1.5),
    Case("autoencoder 784-128-32-128-784, batch 128", loops.autoencoder(AUTOENCODER, 128),
         jax_steps.autoencoder(AUTOENCODER, 128), {"torch": 1.8}),
    Case("LSTM 32->64, 32 steps, batch 32", models.lstm(32, 64, 32, 32),
         least={"torch": 2.0}, compiled=False),
    Case("transformer 4x128, block 64, batch 16", models.transformer(128, 4, 4, 64, 16),
         least={"torch": 1.0}),
    Case("CNN 16-32, 28x28, batch 32", models.cnn(32), least={"torch": 0.5}),
    Case("attention 8x4x128x32, forward and backward", models.attention(8, 4, 128, 32),
         least={"torch": 0.5}),
]  # fmt: skip
BY_NAME = {case.name: case for case in CASES}
