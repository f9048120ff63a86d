"""Samplers: the order in which a DataLoader reads a map-style dataset.

A sampler draws its random numbers when they are first needed, from PyTorch's stream, so the
same seed gives PyTorch's order. The random samplers draw *blocks* of indices (`_blocks`), from
which both their ``__iter__`` and the DataLoader's whole-batch fast path read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

import flambeau

from ..._engine.eager.distributions import any_integers, permutation

if TYPE_CHECKING:
    from flambeau import Generator

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

Index_co = TypeVar("Index_co", covariant=True)

_INT64 = np.dtype(np.int64)
_DRAWS_WITH_REPLACEMENT = 32  # indices drawn at a time, as PyTorch does


def draw_seed(generator: Generator | None) -> int:
    """One non-negative 63-bit number from `generator` (None: the default generator)."""
    state = (flambeau.default_generator if generator is None else generator)._state
    return int(any_integers(state, 1, _INT64)[0])  # what `random_` gives, without a tensor


# a generator costs more to make than to seed: the last epoch's serves the next one
_spare: list[Generator] = []


def _spare_generator() -> Generator:
    try:
        return _spare.pop()
    except IndexError:
        return flambeau.Generator()


def _check_num_samples(num_samples: Any, bool_is_wrong: bool = False) -> None:
    wrong_type = not isinstance(num_samples, int) or (
        bool_is_wrong and isinstance(num_samples, bool)
    )
    if wrong_type or num_samples <= 0:
        raise ValueError(
            f"num_samples should be a positive integer value, but got num_samples={num_samples}"
        )


class Sampler(Generic[Index_co]):
    """Base of samplers: subclasses write ``__iter__()`` over indices, usually ``__len__()`` too."""

    # No default __len__: see Dataset.

    def __iter__(self) -> Iterator[Index_co]:
        raise NotImplementedError(f"{type(self).__name__} should implement __iter__")


class SequentialSampler(Sampler[int]):
    """0, 1, ..., len(data_source) - 1."""

    data_source: Sized

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def _blocks(self) -> Iterator[np.ndarray]:
        yield np.arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Indices of `data_source` in random order.

    Args:
        data_source: anything with a length.
        replacement: draw each index independently, instead of by permutations.
        num_samples: how many indices an epoch (default: ``len(data_source)``). Without
            replacement, a number above the length runs through several permutations.
        generator: source of randomness. If None, each epoch seeds a new one by one draw from
            the default generator.

    Raises:
        TypeError: `replacement` is not a bool.
        ValueError: `num_samples` is not a positive integer.

    >>> sorted(RandomSampler(range(4)))
    [0, 1, 2, 3]
    """

    data_source: Sized
    replacement: bool

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(self.replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={self.replacement}"
            )
        _check_num_samples(self.num_samples)

    @property
    def num_samples(self) -> int:
        # The data source may grow or shrink between epochs.
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def _blocks(self) -> Iterator[np.ndarray]:
        total = len(self.data_source)
        generator = self.generator
        if generator is None:
            generator = _spare_generator()
            generator.manual_seed(draw_seed(None))
        if self.replacement:
            whole, rest = divmod(self.num_samples, _DRAWS_WITH_REPLACEMENT)
            for count in [_DRAWS_WITH_REPLACEMENT] * whole + [rest]:
                yield flambeau.randint(
                    high=total, size=(count,), dtype=flambeau.int64, generator=generator
                ).numpy()
        else:
            whole, rest = divmod(self.num_samples, total)
            for _ in range(whole):
                yield permutation(generator._state, total, _INT64)
            # PyTorch draws the last permutation even where no index of it is used, which shows
            # in a generator that others use too.
            if rest or self.generator is not None:
                yield permutation(generator._state, total, _INT64)[:rest]
        if self.generator is None:
            _spare[:] = [generator]

    def __iter__(self) -> Iterator[int]:
        for block in self._blocks():
            yield from block.tolist()

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order, each once.

    Args:
        indices: a sequence of indices.
        generator: source of the permutation; the default generator if None.
    """

    indices: Sequence[int]

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for position in flambeau.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Index ``i`` drawn with probability ``weights[i] / sum(weights)``.

    Args:
        weights: one non-negative weight an index; they need not sum to 1.
        num_samples: how many indices to draw.
        replacement: whether one index can be drawn again.
        generator: source of randomness; the default generator if None.

    Raises:
        ValueError: a bad `num_samples` or `replacement`, or `weights` that is not 1-d.

    >>> sorted(WeightedRandomSampler([0.5, 0.0, 0.5], 2, replacement=False))
    [0, 2]
    """

    weights: Any
    num_samples: int
    replacement: bool

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _check_num_samples(num_samples, bool_is_wrong=True)
        if not isinstance(replacement, bool):
            raise ValueError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.weights = flambeau.as_tensor(weights, dtype=flambeau.double)
        if self.weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def _blocks(self) -> Iterator[np.ndarray]:
        yield flambeau.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        ).numpy()

    def __iter__(self) -> Iterator[int]:
        for block in self._blocks():
            yield from block.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler["list[int]"]):
    """Lists of `batch_size` consecutive indices of another sampler.

    Args:
        sampler: any iterable of indices.
        batch_size: indices a batch.
        drop_last: leave out a last batch that is not full.

    Raises:
        ValueError: `batch_size` is not a positive integer, or `drop_last` not a bool.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool
    ) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
