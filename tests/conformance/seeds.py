"""Same seed, same numbers: random calls in both libraries after `manual_seed`, compared.

A case is a function of the namespace (`torch` or `flambeau`). Most are compared bit by bit;
those under NEAR to 1e-6, because a logarithm or a cosine is rounded differently.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import flambeau

from .convert import to_numpy
from .gradients import leaves
from .outcome import Mismatch, Outcome, run_check

Case = Callable[[Any], Any]


def _loader_batches(t: Any, **options: Any) -> list[Any]:
    data = t.utils.data.TensorDataset(t.arange(37), t.arange(37) * 2)
    loader = t.utils.data.DataLoader(data, batch_size=8, **options)
    return [list(batch) for _ in range(2) for batch in loader]


def _state_restored(t: Any) -> Any:
    state = t.get_rng_state()
    first = t.rand(5)
    t.set_rng_state(state)
    return first, t.rand(5)


def _forked(t: Any) -> Any:
    with t.random.fork_rng():
        inside = t.rand(3)
    return inside, t.rand(3)


def _interleaved(t: Any) -> Any:
    return (
        t.rand(3), t.randn(5), t.randint(0, 9, (4,)), t.randn(17), t.randperm(6),
        t.rand(2, dtype=t.float64), t.randn(3, dtype=t.float64), t.bernoulli(t.full((4,), 0.5)),
        t.rand(1),
    )  # fmt: skip


EXACT: dict[str, Case] = {
    "rand": lambda t: (t.rand(7), t.rand(3, 5), t.rand(1000)),
    "rand float64": lambda t: t.rand(33, dtype=t.float64),
    "rand_like": lambda t: t.rand_like(t.zeros(4, 6)),
    "randint": lambda t: (t.randint(10, (9,)), t.randint(-5, 2**20, (3, 4))),
    "randint wide": lambda t: t.randint(0, 2**40, (9,)),
    "randint_like": lambda t: t.randint_like(t.zeros(7), 0, 100),
    "randperm": lambda t: (t.randperm(1), t.randperm(10), t.randperm(1000)),
    "random_": lambda t: (t.empty(9).random_(), t.empty(5, dtype=t.int64).random_(3, 77)),
    "uniform_": lambda t: t.empty(4, 5).uniform_(-2, 3),
    "bernoulli tensor": lambda t: t.bernoulli(t.full((50,), 0.3)),
    "multinomial": lambda t: t.multinomial(t.tensor([0.1, 0.2, 0.3, 0.4]), 3),
    "multinomial replacement": lambda t: t.multinomial(t.arange(1.0, 9.0), 40, True),
    "get/set_rng_state": _state_restored,
    "fork_rng": _forked,
    "initial_seed": lambda t: t.initial_seed(),
    "Generator": lambda t: t.rand(5, generator=t.Generator().manual_seed(7)),
    "Generator randperm": lambda t: t.randperm(20, generator=t.Generator().manual_seed(2**40)),
    "negative seed": lambda t: (t.manual_seed(-3), t.rand(4))[1],
    "Linear": lambda t: list(t.nn.Linear(13, 7).parameters()),
    "Conv2d": lambda t: list(t.nn.Conv2d(3, 8, 3).parameters()),
    "ConvTranspose2d": lambda t: list(t.nn.ConvTranspose2d(3, 8, 3).parameters()),
    "LSTM": lambda t: list(t.nn.LSTM(4, 6, 2).parameters()),
    "GRUCell": lambda t: list(t.nn.GRUCell(4, 6).parameters()),
    "Bilinear": lambda t: list(t.nn.Bilinear(3, 4, 5).parameters()),
    "MultiheadAttention": lambda t: list(t.nn.MultiheadAttention(8, 2).parameters()),
    "xavier_uniform_": lambda t: t.nn.init.xavier_uniform_(t.empty(5, 6)),
    "kaiming_uniform_": lambda t: t.nn.init.kaiming_uniform_(t.empty(5, 6), a=1.0),
    "random_split": lambda t: [
        list(part.indices) for part in t.utils.data.random_split(t.arange(20), [12, 8])
    ],
    "RandomSampler": lambda t: list(t.utils.data.RandomSampler(range(30))),
    "RandomSampler replacement": lambda t: list(
        t.utils.data.RandomSampler(range(30), replacement=True, num_samples=50)
    ),
    "WeightedRandomSampler": lambda t: list(
        t.utils.data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7], 9)
    ),
    "DataLoader shuffle": functools.partial(_loader_batches, shuffle=True),
    "DataLoader then rand": lambda t: (_loader_batches(t, shuffle=True), t.rand(3)),
    "DataLoader drop_last": functools.partial(_loader_batches, shuffle=True, drop_last=True),
    "DataLoader generator": lambda t: _loader_batches(
        t, shuffle=True, generator=t.Generator().manual_seed(3)
    ),
}

NEAR: dict[str, Case] = {
    "randn small": lambda t: (t.randn(1), t.randn(5), t.randn(15)),
    "randn large": lambda t: (t.randn(16), t.randn(17), t.randn(1000), t.randn(3, 50)),
    "randn float64": lambda t: (t.randn(5, dtype=t.float64), t.randn(40, dtype=t.float64)),
    "normal_": lambda t: (t.empty(8).normal_(2, 3), t.empty(64).normal_(2, 3)),
    "normal tensors": lambda t: t.normal(t.arange(1.0, 6.0), t.arange(1.0, 6.0) / 10),
    "interleaved": _interleaved,
    "Embedding": lambda t: list(t.nn.Embedding(10, 3).parameters()),
    "Transformer layer": lambda t: list(t.nn.TransformerEncoderLayer(8, 2, 16).parameters()),
    "trunc_normal_": lambda t: t.nn.init.trunc_normal_(t.empty(40)),
    "kaiming_normal_": lambda t: t.nn.init.kaiming_normal_(t.empty(5, 6)),
    "orthogonal_": lambda t: t.nn.init.orthogonal_(t.empty(5, 6)),
    "log_normal_": lambda t: t.empty(9).log_normal_(),
    "cauchy_": lambda t: t.empty(9).cauchy_(),
    "geometric_": lambda t: t.empty(9).geometric_(0.3),
    "poisson": lambda t: t.poisson(t.full((20,), 3.0)),
    "gamma": lambda t: t._standard_gamma(t.full((9,), 2.0)),
}


def entries() -> Iterator[tuple[str, Any]]:
    """(name, (case, tolerance))."""
    for name, case in EXACT.items():
        yield name, (case, 0.0)
    for name, case in NEAR.items():
        yield name, (case, 1e-6)


def _numbers(value: Any) -> list[np.ndarray]:
    if isinstance(value, (list, tuple)) and not leaves(value):
        return [np.asarray(item) for item in value]
    tensors = leaves(value)
    return [to_numpy(t) for t in tensors] if tensors else [np.asarray(value)]


def _check(case: Case, tolerance: float) -> None:
    for seed in (0, 1234):
        torch.manual_seed(seed)
        wanted = _numbers(case(torch))
        flambeau.manual_seed(seed)
        found = _numbers(case(flambeau))
        if len(wanted) != len(found):
            raise Mismatch(f"{len(wanted)} results, got {len(found)}")
        for index, (a, b) in enumerate(zip(wanted, found, strict=True)):
            if a.shape != b.shape or a.dtype != b.dtype:
                raise Mismatch(f"[{index}] {a.dtype}{a.shape}, got {b.dtype}{b.shape}")
            if not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
                worst = np.argmax(np.abs(a.astype(float) - b.astype(float)))
                raise Mismatch(
                    f"seed {seed} [{index}]: element {worst} is {a.flat[worst]}, "
                    f"got {b.flat[worst]}"
                )


def check_entry(name: str, case: Any, limit: int, seconds: float) -> list[Outcome]:
    """The outcome of one case."""
    outcome = Outcome("seed", name)
    label = "near" if case[1] else "exact"
    run_check(outcome, label, functools.partial(_check, *case), seconds)
    return [outcome]
