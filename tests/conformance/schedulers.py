"""Learning-rate schedulers: the same sequence of rates as torch's, also after a reload."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

import flambeau

from .outcome import Mismatch, Outcome, run_check

STEPS = 40
Make = Callable[[Any, Any], Any]


# For each scheduler: constructors from (the schedulers' names, an optimizer).
CASES: dict[str, list[Make]] = {
    "LambdaLR": [
        lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch),
        lambda s, o: s.LambdaLR(o, [lambda e: 1 / (1 + e), lambda e: min(1.0, e / 5)]),
    ],
    "MultiplicativeLR": [lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9)],
    "StepLR": [lambda s, o: s.StepLR(o, 7), lambda s, o: s.StepLR(o, step_size=3, gamma=0.5)],
    "MultiStepLR": [lambda s, o: s.MultiStepLR(o, [3, 9, 9, 21], gamma=0.3)],
    "ConstantLR": [lambda s, o: s.ConstantLR(o), lambda s, o: s.ConstantLR(o, 0.5, 9)],
    "LinearLR": [
        lambda s, o: s.LinearLR(o),
        lambda s, o: s.LinearLR(o, start_factor=0.1, end_factor=0.8, total_iters=12),
    ],
    "ExponentialLR": [lambda s, o: s.ExponentialLR(o, 0.93)],
    "PolynomialLR": [
        lambda s, o: s.PolynomialLR(o),
        lambda s, o: s.PolynomialLR(o, total_iters=20, power=1.7),
    ],
    "CosineAnnealingLR": [
        lambda s, o: s.CosineAnnealingLR(o, 10),
        lambda s, o: s.CosineAnnealingLR(o, T_max=13, eta_min=1e-3),
    ],
    "CosineAnnealingWarmRestarts": [
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 5),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.01),
    ],
    "CyclicLR": [
        lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=5, cycle_momentum=False),
        lambda s, o: s.CyclicLR(o, 0.01, 0.1, 4, 6, mode="triangular2"),
        lambda s, o: s.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.97),
        lambda s, o: s.CyclicLR(
            o, 0.01, 0.1, 3, scale_fn=lambda x: 0.5 ** (x - 1), scale_mode="cycle"
        ),
    ],
    "OneCycleLR": [
        lambda s, o: s.OneCycleLR(o, max_lr=0.3, total_steps=60),
        lambda s, o: s.OneCycleLR(o, [0.3, 0.2], epochs=6, steps_per_epoch=10),
        lambda s, o: s.OneCycleLR(
            o, 0.3, 50, anneal_strategy="linear", three_phase=True, pct_start=0.4
        ),
    ],
    "ReduceLROnPlateau": [
        lambda s, o: s.ReduceLROnPlateau(o, patience=2),
        lambda s, o: s.ReduceLROnPlateau(
            o, mode="max", factor=0.5, patience=1, cooldown=2, threshold_mode="abs", min_lr=1e-3
        ),
    ],
    "ChainedScheduler": [
        lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)]),
    ],
    "SequentialLR": [
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 30)], [5]
        ),
        lambda s, o: s.SequentialLR(
            o, [s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.9), s.StepLR(o, 4)], [3, 12]
        ),
    ],
    "SWALR": [
        lambda s, o: s.SWALR(o, swa_lr=0.05),
        lambda s, o: s.SWALR(o, [0.2, 0.01], anneal_epochs=5, anneal_strategy="linear"),
    ],
}


def entries() -> Iterator[tuple[str, Any]]:
    """(name, constructors); every public scheduler of torch has a row, or the run fails."""
    public = set(torch.optim.lr_scheduler.__all__) - {"LRScheduler"}
    missing = public - CASES.keys()
    if missing:
        raise LookupError(f"no case for the schedulers {sorted(missing)}")
    yield from CASES.items()


class _Names:
    """lr_scheduler's names, and SWALR, which lives in swa_utils."""

    def __init__(self, namespace: Any) -> None:
        self._modules = (namespace.optim.lr_scheduler, namespace.optim.swa_utils)

    def __getattr__(self, name: str) -> Any:
        for module in self._modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"no scheduler {name}")


def _rates(namespace: Any, make: Make, reload_at: int | None) -> list[list[float]]:
    """The learning rates (and momenta) of two groups over STEPS steps."""

    def start() -> tuple[Any, Any]:
        parameters = [namespace.nn.Parameter(namespace.zeros(2)) for _ in range(2)]
        groups = [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.03}]
        optimizer = namespace.optim.SGD(groups, lr=0.1, momentum=0.9)
        return optimizer, make(_Names(namespace), optimizer)

    optimizer, scheduler = start()
    rates = []
    for number in range(STEPS):
        if number == reload_at:
            states = optimizer.state_dict(), scheduler.state_dict()
            optimizer, scheduler = start()
            optimizer.load_state_dict(states[0])
            scheduler.load_state_dict(states[1])
        row = [group["lr"] for group in optimizer.param_groups]
        row += [group["momentum"] for group in optimizer.param_groups]
        if hasattr(scheduler, "get_last_lr"):
            row += list(scheduler.get_last_lr())
        rates.append(row)
        optimizer.step()
        if type(scheduler).__name__ == "ReduceLROnPlateau":
            scheduler.step(math.cos(number / 3) / (1 + number / 10))
        else:
            scheduler.step()
    return rates


def _check(cases: list[Make], reload_at: int | None) -> None:
    for index, make in enumerate(cases):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = _rates(torch, make, reload_at)
            found = _rates(flambeau, make, reload_at)
        for number, (a, b) in enumerate(zip(wanted, found, strict=True)):
            if len(a) != len(b) or any(abs(x - y) > 1e-12 + 1e-9 * abs(x) for x, y in zip(a, b)):
                raise Mismatch(f"case {index}, step {number}: {a}, got {b}")


def check_entry(name: str, cases: list[Make], limit: int, seconds: float) -> list[Outcome]:
    """The outcome of one scheduler."""
    outcome = Outcome("scheduler", name)
    run_check(outcome, "rates", functools.partial(_check, cases, None), seconds)
    run_check(outcome, "reloaded", functools.partial(_check, cases, 11), seconds)
    return [outcome]
