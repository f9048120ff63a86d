"""What the same script loads with either library: run me with torch 2.13 to write the golden file.

    python tests/golden/make_data_loading.py

Each case ends with random numbers drawn after it, so that the numbers consumed agree too.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

GOLDEN = Path(__file__).with_name("data_loading.json")


def plain(value: Any) -> Any:
    """As JSON gives it back: tensors as nested lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


class Numbers:
    """A map-style dataset whose samples show the worker's seeds."""

    def __init__(self, torch: ModuleType, data: ModuleType):
        self.torch, self.data = torch, data

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        info = self.data.get_worker_info()
        where = (-1, -1) if info is None else (info.id, info.seed)
        drawn = random.random(), self.torch.rand(()).item(), np.random.rand()
        return index, *where, *drawn


def sampler_cases(torch: ModuleType, data: ModuleType) -> dict[str, Callable[[Any], Any]]:
    ten = range(10)
    return {
        "random": lambda g: data.RandomSampler(ten, generator=g),
        "random 25": lambda g: data.RandomSampler(ten, num_samples=25, generator=g),
        "random 4": lambda g: data.RandomSampler(ten, num_samples=4, generator=g),
        "replacement": lambda g: data.RandomSampler(ten, True, 70, generator=g),
        "subset": lambda g: data.SubsetRandomSampler([3, 1, 4, 1, 5], generator=g),
        "weighted": lambda g: data.WeightedRandomSampler([0.1, 0.5, 2, 0], 9, generator=g),
        "weighted once": lambda g: data.WeightedRandomSampler([1, 0.5, 2], 3, False, generator=g),
        "distributed": lambda g: data.DistributedSampler(ten, 3, 1),
        "distributed drop": lambda g: data.DistributedSampler(ten, 3, 2, seed=4, drop_last=True),
        "distributed few": lambda g: data.DistributedSampler([1, 2], 7, 5),
    }


def loader_cases(torch: ModuleType, data: ModuleType) -> Iterator[tuple[str, Callable[[], Any]]]:
    tensors = data.TensorDataset(torch.arange(40).reshape(20, 2), torch.arange(20) / 4)

    class Strided(data.IterableDataset):
        def __iter__(self) -> Iterator[int]:
            info = data.get_worker_info()
            first, step = (0, 1) if info is None else (info.id, info.num_workers)
            return iter(range(first, 11, step))

    class Uneven(data.IterableDataset):
        def __iter__(self) -> Iterator[int]:
            info = data.get_worker_info()
            return iter(range(5 if info is None else (info.id + 1) * 3))

    class Permuted(data.Sampler):
        def __iter__(self) -> Iterator[int]:
            return iter(torch.randperm(10).tolist())

    def epochs(count: int, *args: Any, **options: Any) -> list[Any]:
        loader = data.DataLoader(*args, **options)
        return [batch for _ in range(count) for batch in loader]

    def steps(workers: int) -> list[Any]:
        generator = torch.Generator().manual_seed(3)
        loader = data.DataLoader(tensors, 6, True, generator=generator, num_workers=workers)
        seen = []
        for last in (9, 1, 9):
            for step, batch in enumerate(loader):
                seen.append([batch[1], torch.rand(1, generator=generator)])
                if step == last:
                    break
            seen.append(torch.rand(1, generator=generator))
        return seen

    for size, drop_last, shuffle in [(3, False, True), (7, True, True), (5, True, False)]:
        options = {"batch_size": size, "drop_last": drop_last, "shuffle": shuffle}
        subset = data.Subset(data.Subset(tensors, range(4, 16)), [-1, 3, 3, 0, 7, 5, 1, 8])
        yield f"tensors {options}", lambda o=options: epochs(2, tensors, **o)
        yield f"subset {options}", lambda o=options, s=subset: epochs(2, s, **o)
    for workers in (0, 1, 3):
        options = {"num_workers": workers}
        shown = Numbers(torch, data)
        yield f"seeds {workers}", lambda o=options, s=shown: epochs(2, s, 3, True, **o)
        yield f"strided {workers}", lambda o=options: epochs(1, Strided(), 3, **o)
        yield f"uneven {workers}", lambda o=options: epochs(1, Uneven(), 2, drop_last=True, **o)
        yield f"single {workers}", lambda o=options: epochs(1, tensors, None, True, **o)
        yield (
            f"permuted {workers}",
            lambda o=options: epochs(1, tensors, None, sampler=Permuted(), **o),
        )
        yield f"steps {workers}", lambda w=workers: steps(w)
        if workers:
            kept = {"num_workers": workers, "persistent_workers": True}
            yield f"kept seeds {workers}", lambda o=kept, s=shown: epochs(3, s, 3, True, **o)
            yield f"kept strided {workers}", lambda o=kept: epochs(2, Strided(), 3, **o)


def cases(torch: ModuleType, data: ModuleType) -> dict[str, Callable[[], Any]]:
    """Every case by its name; to be called right after ``seed(torch)``."""
    found: dict[str, Callable[[], Any]] = {}
    for name, make in sampler_cases(torch, data).items():

        def by_steps(make: Callable[[Any], Any] = make, size: int = 4) -> list[Any]:
            generator = torch.Generator().manual_seed(11)
            batches = data.BatchSampler(make(generator), size, False)
            tensors = data.TensorDataset(torch.arange(10))
            drawn = []
            for batch in data.DataLoader(tensors, batch_sampler=batches):
                drawn.append([batch, torch.rand(1, generator=generator)])
            return [*drawn, torch.rand(1, generator=generator)]

        found[f"sampler {name}"] = lambda make=make: list(make(None))
        found[f"steps {name}"] = by_steps
    for lengths in ([3, 17], [0.33, 0.33, 0.34], [0.1, 0.2, 0.3, 0.4]):
        found[f"split {lengths}"] = lambda lengths=lengths: [
            part.indices for part in data.random_split(range(20), lengths)
        ]
    found.update(loader_cases(torch, data))
    return found


def record(torch: ModuleType, case: Callable[[], Any]) -> Any:
    """The case's outcome under seed 7, and three numbers drawn afterwards."""
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    return plain([case(), torch.rand(3)])


if __name__ == "__main__":
    import torch
    import torch.utils.data

    outcomes = {name: record(torch, case) for name, case in cases(torch, torch.utils.data).items()}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in outcomes.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
