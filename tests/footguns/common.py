"""What the programs share: a small model, batches, and ways of looking at results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.programs import plain

STEPS = 12  # more than any tier needs to be sure that a loop repeats
Read = Callable[[Any], Any]
Program = Callable[[Any, Read], Any]
PROGRAMS: dict[str, Program] = {}


def footgun(number: int) -> Callable[[Program], Program]:
    """Register a program under its number in the list, or one above 30 for what is not on it."""

    def register(program: Program) -> Program:
        PROGRAMS[f"{number:02d}_{program.__name__}"] = program
        return program

    return register


def reader(every: int) -> Read:
    """How a program looks at its results: at every call, at every third ..., at none (0).

    What is not looked at is kept as it is and read when the program has ended.
    """
    calls = 0

    def read(value: Any) -> Any:
        nonlocal calls
        calls += 1
        return plain(value) if every and calls % every == 0 else value

    return read


READERS = {"each": 1, "every third": 3, "never": 0}


def mlp(torch: Any, dropout: float = 0.0) -> Any:
    layers = [torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)]
    if dropout:
        layers.insert(2, torch.nn.Dropout(dropout))
    return torch.nn.Sequential(*layers)


def batches(torch: Any, count: int = STEPS, size: int = 6) -> Any:
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
