"""Datasets: what a :class:`~flambeau.utils.data.DataLoader` reads samples from.

A *map-style* dataset answers ``dataset[index]``; an *iterable* dataset only ``iter(dataset)``.
"""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import flambeau

if TYPE_CHECKING:
    from flambeau import Generator, Tensor

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

Sample_co = TypeVar("Sample_co", covariant=True)


class Dataset(Generic[Sample_co]):
    """A map from keys (usually 0 ... len - 1) to samples.

    Subclasses write ``__getitem__(index)`` and usually ``__len__()``. They may write
    ``__getitems__(indices) -> list`` too: the DataLoader then asks for a whole batch at a time.

    >>> class Squares(Dataset):
    ...     def __getitem__(self, index):
    ...         return index * index
    ...     def __len__(self):
    ...         return 4
    >>> [(Squares() + Squares())[i] for i in (3, 4, 5)]
    [9, 0, 1]
    """

    # No default __len__: a missing one must make len() raise TypeError, which samplers rely on.

    def __getitem__(self, index: Any) -> Sample_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[Sample_co]) -> ConcatDataset[Sample_co]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample_co], Iterable[Sample_co]):
    """A stream of samples: subclasses write ``__iter__()``, and ``__len__()`` if they know it.

    With ``num_workers > 0`` each worker process iterates its own copy of the dataset. To share
    the stream out, read :func:`~flambeau.utils.data.get_worker_info` in ``__iter__`` (or change
    the copy in ``worker_init_fn``); otherwise each worker returns every sample.

    >>> class Count(IterableDataset):
    ...     def __iter__(self):
    ...         info = get_worker_info()
    ...         first, step = (0, 1) if info is None else (info.id, info.num_workers)
    ...         return iter(range(first, 6, step))
    >>> list(Count() + Count())
    [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
    """

    def __add__(self, other: Dataset[Sample_co]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset["tuple[Tensor, ...]"]):
    """Sample ``i`` is the tuple of row ``i`` of every tensor.

    Args:
        *tensors: tensors with the same size of dimension 0.

    Raises:
        AssertionError: the sizes of dimension 0 differ.

    >>> inputs, labels = flambeau.zeros(10, 3), flambeau.arange(10)
    >>> TensorDataset(inputs, labels)[2]
    (tensor([0., 0., 0.]), tensor(2))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensor.size(0) != tensors[0].size(0) for tensor in tensors):
            sizes = ", ".join(str(tensor.size(0)) for tensor in tensors)
            raise AssertionError(
                f"Size mismatch between tensors: TensorDataset needs one size of dimension 0, "
                f"but got {sizes}"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].size(0)


class StackDataset(Dataset[Any]):
    """Datasets side by side: sample ``i`` is a tuple (or dict) of sample ``i`` of each.

    Args:
        *args: datasets of one length, for samples that are tuples; or
        **kwargs: datasets of one length, for samples that are dicts.

    Raises:
        ValueError: no dataset, both kinds, or different lengths.

    >>> StackDataset(image=[1, 2], text=["one", "two"])[1]
    {'image': 2, 'text': 'two'}
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or"
                "``dict``- (via ``kwargs``) like input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self._members()]
        self._length = lengths[0]
        if any(length != self._length for length in lengths):
            raise ValueError(f"Size mismatch between datasets: their lengths are {lengths}")

    def _members(self) -> Iterable[Any]:
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def _assemble(self, parts: Iterable[Any]) -> Any:
        """One sample from one part of each member."""
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, parts, strict=True))
        return tuple(parts)

    def __getitem__(self, index: Any) -> Any:
        return self._assemble([dataset[index] for dataset in self._members()])

    def __getitems__(self, indices: Sequence[Any]) -> list[Any]:
        columns = [_samples_at(dataset, indices) for dataset in self._members()]
        return [self._assemble(parts) for parts in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


def _samples_at(dataset: Any, indices: Sequence[Any]) -> Sequence[Any]:
    """The samples at `indices`, through the dataset's own ``__getitems__`` where it has one."""
    if not callable(getattr(dataset, "__getitems__", None)):
        return [dataset[index] for index in indices]
    samples = dataset.__getitems__(indices)
    if len(samples) != len(indices):
        raise ValueError(
            f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(samples)}"
        )
    return samples


class ConcatDataset(Dataset[Sample_co]):
    """Map-style datasets one after another.

    Args:
        datasets: at least one map-style dataset with a length.

    Raises:
        AssertionError: no dataset, or an IterableDataset among them.

    >>> both = ConcatDataset([[1, 2], [3]])
    >>> len(both), both[2], both[-1]
    (3, 3, 3)
    """

    datasets: list[Dataset[Sample_co]]
    cumulative_sizes: list[int]

    @staticmethod
    def cumsum(sequence: Iterable[Any]) -> list[int]:
        return list(itertools.accumulate(len(dataset) for dataset in sequence))

    def __init__(self, datasets: Iterable[Dataset[Sample_co]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> Sample_co:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        first = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][idx - first]

    @property
    def cummulative_sizes(self) -> list[int]:
        warnings.warn(
            "`cummulative_sizes` attribute is renamed to `cumulative_sizes`",
            category=FutureWarning,
            stacklevel=2,
        )
        return self.cumulative_sizes


class ChainDataset(IterableDataset[Any]):
    """Iterable datasets one after another.

    Args:
        datasets: iterable datasets.

    Raises:
        AssertionError: (on iteration) a member is not an IterableDataset.
    """

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _members(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._members():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._members())


class Subset(Dataset[Sample_co]):
    """The samples of `dataset` at `indices`, in that order.

    >>> list(Subset(["a", "b", "c"], [2, 0]))
    ['c', 'a']
    """

    dataset: Dataset[Sample_co]
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[Sample_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]) -> list[Sample_co]:
        chosen = [self.indices[idx] for idx in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__(chosen)  # type: ignore[attr-defined]
        return [self.dataset[index] for index in chosen]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset[Sample_co],
    lengths: Sequence[int | float],
    generator: Generator | None = None,
) -> list[Subset[Sample_co]]:
    """Split a dataset at random into parts that share no sample.

    Args:
        dataset: a map-style dataset with a length.
        lengths: sizes that sum to ``len(dataset)``; or fractions that sum to 1: each part gets
            ``floor(n * fraction)`` samples and the rest goes round-robin from the first part.
        generator: source of the permutation; the default generator if None.

    Raises:
        ValueError: a fraction outside [0, 1], or sizes that do not sum to the length.

    >>> train, test = random_split(range(10), [0.8, 0.2], flambeau.Generator().manual_seed(1))
    >>> len(train), sorted([*train, *test]) == list(range(10))
    (8, True)
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = _sizes_of_fractions(len(dataset), lengths)  # type: ignore[arg-type]
    else:
        sizes = list(lengths)  # type: ignore[arg-type]
    if sum(sizes) != len(dataset):  # type: ignore[arg-type]
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = flambeau.randperm(sum(sizes), generator=generator).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def _sizes_of_fractions(total: int, fractions: Sequence[float]) -> list[int]:
    sizes = []
    for position, fraction in enumerate(fractions):
        if fraction < 0 or fraction > 1:
            raise ValueError(f"Fraction at index {position} is not between 0 and 1")
        sizes.append(math.floor(total * fraction))
    for extra in range(total - sum(sizes)):
        sizes[extra % len(sizes)] += 1
    for position, size in enumerate(sizes):
        if size == 0:
            warnings.warn(
                f"Length of split at index {position} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return sizes
