"""The sampler that shares one dataset out among several processes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import flambeau

from .sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index of the dataset's order, starting at `rank`.

    The order is ``randperm`` seeded with ``seed + epoch``, the same in each process. To make the
    shares equal, the order is lengthened by repeating its beginning, or cut with `drop_last`.

    Args:
        dataset: a dataset with a length.
        num_replicas, rank: how many processes there are, and which one this is.
        shuffle: permute, or keep the dataset's order.
        seed: the same in all processes.
        drop_last: cut the order's tail instead of repeating its beginning.

    Raises:
        ValueError: `rank` outside [0, num_replicas), or one of them left out (there is no
            process group to ask).

    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise ValueError(
                "Default process group has not been initialized: flambeau has no process groups, "
                "so pass num_replicas= and rank= to DistributedSampler"
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        rounded = math.floor if drop_last else math.ceil
        self.num_samples = rounded(len(dataset) / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        if self.shuffle:
            generator = flambeau.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = flambeau.randperm(len(self.dataset), generator=generator).tolist()
        else:
            order = list(range(len(self.dataset)))
        repeated = itertools.cycle(order)
        return itertools.islice(repeated, self.rank, self.total_size, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's permutation; call it before each epoch, in every process."""
        self.epoch = epoch
