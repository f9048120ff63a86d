"""optim_db: each optimizer on each of PyTorch's argument sets, step by step beside torch's."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import flambeau

from .compare import compare
from .convert import Converter, resolve
from .outcome import Mismatch, Outcome, describe, run_check
from .tables import EXCLUDED_OPTIMIZERS, LOOSENED_STATES

STEPS = 6
RELOAD_AT = 3  # before this step flambeau's optimizer is replaced by one that loads torch's state


def entries() -> Iterator[tuple[str, Any]]:
    """(name, OptimizerInfo) for each entry of optim_db."""
    from torch.testing._internal.common_optimizers import optim_db

    for info in optim_db:
        yield info.name, info


class _Run:
    """One optimizer on two small parameters, in torch's or in flambeau's namespace."""

    def __init__(self, namespace: Any, name: str, options: dict[str, Any]) -> None:
        self.namespace, self.name, self.options = namespace, name, options
        random = np.random.RandomState(0)
        shapes = [(3, 4), (4, 2)] if name == "Muon" else [(3, 4), (5,)]
        self.parameters = [
            namespace.nn.Parameter(namespace.from_numpy(random.randn(*s).astype(np.float32)))
            for s in shapes
        ]
        self.optimizer = self.make()

    def make(self) -> Any:
        groups: Any = [{"params": [self.parameters[0]]}, {"params": [self.parameters[1]]}]
        if self.name == "LBFGS":
            # It takes one group only. At the minimum rounding alone would steer it: stop before.
            return self.namespace.optim.LBFGS(self.parameters, **{"max_iter": 2, **self.options})
        if not isinstance(self.options.get("lr"), self.namespace.Tensor):
            groups[1]["lr"] = 0.02
        return getattr(self.namespace.optim, self.name)(groups, **self.options)

    def step(self, number: int) -> Any:
        if self.name == "LBFGS":
            return self.optimizer.step(self.closure)
        random = np.random.RandomState(100 + number)
        for parameter in self.parameters:
            gradient = random.randn(*parameter.shape).astype(np.float32)
            parameter.grad = self.namespace.from_numpy(gradient)
        return self.optimizer.step()

    def closure(self) -> Any:
        self.optimizer.zero_grad()
        loss = sum(((p - 1.0) ** 4).sum() + (p * p).sum() for p in self.parameters)
        loss.backward()
        return loss


def _check(info: Any) -> None:
    for index, variant in enumerate(info.optim_inputs_func("cpu")):
        try:
            _check_variant(info.name, variant.kwargs)
        except Exception as error:
            words = f"arguments {index} {variant.kwargs}"[:90]
            raise Mismatch(f"{words}: {describe(error)}") from error


def _check_variant(name: str, options: dict[str, Any]) -> None:
    theirs, ours = _Run(torch, name, options), _Run(flambeau, name, Converter()(dict(options)))
    for number in range(STEPS):
        if number == RELOAD_AT:
            ours.optimizer = ours.make()
            ours.optimizer.load_state_dict(Converter()(theirs.optimizer.state_dict()))
        expected, actual = theirs.step(number), ours.step(number)
        # Long chains of float32 steps: a few units in the last place more at each.
        compare(expected, actual, 5.0, where=f"step {number}: loss ")
        compare(
            [p.detach() for p in theirs.parameters],
            [p.detach() for p in ours.parameters],
            5.0,
            where=f"step {number}: parameter ",
        )
    states = theirs.optimizer.state_dict(), ours.optimizer.state_dict()
    compare(*states, LOOSENED_STATES.get(name, (5.0, ""))[0], where="state ")


def _check_signature(info: Any) -> None:
    """The constructor takes torch's arguments (foreach and fused too) with torch's defaults."""
    wanted = inspect.signature(info.optim_cls).parameters
    found = inspect.signature(resolve(f"optim.{info.name}")).parameters
    for name, parameter in wanted.items():
        if name not in found:
            raise Mismatch(f"no argument {name}")
        if parameter.default != found[name].default:
            raise Mismatch(f"{name}={found[name].default!r}, torch has {parameter.default!r}")


def check_entry(name: str, info: Any, limit: int, seconds: float) -> list[Outcome]:
    """The outcome of one optimizer."""
    outcome = Outcome("optimizer", name, excluded=EXCLUDED_OPTIMIZERS.get(name))
    if outcome.excluded is None:
        run_check(outcome, "signature", functools.partial(_check_signature, info), seconds)
        run_check(outcome, "steps", functools.partial(_check, info), seconds)
    return [outcome]
