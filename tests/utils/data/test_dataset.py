"""Datasets: what they contain, and what they refuse."""

from __future__ import annotations

import pytest

import flambeau
from flambeau.utils.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


class Count(IterableDataset):
    def __init__(self, stop):
        self.stop = stop

    def __iter__(self):
        return iter(range(self.stop))

    def __len__(self):
        return self.stop


class Batched(Dataset):
    """Answers a batch at a time, ten times too large."""

    def __getitems__(self, indices):
        return [10 * index for index in indices]

    def __len__(self):
        return 5


def test_dataset_without_getitem_or_len():
    with pytest.raises(NotImplementedError, match="Subclasses of Dataset should implement"):
        Dataset()[0]
    with pytest.raises(TypeError, match="has no len"):
        len(Dataset())


def test_tensor_dataset():
    dataset = TensorDataset(flambeau.arange(6).reshape(3, 2), flambeau.tensor([7, 8, 9]))
    row, label = dataset[1]
    assert row.tolist() == [2, 3] and label.item() == 8
    assert len(dataset) == 3
    with pytest.raises(AssertionError, match="Size mismatch between tensors.*3, 2"):
        TensorDataset(flambeau.zeros(3), flambeau.zeros(2))
    with pytest.raises(IndexError):
        dataset[3]


def test_stack_dataset():
    assert StackDataset([1, 2], "ab")[1] == (2, "b")
    assert StackDataset(number=[1, 2], letter="ab")[0] == {"number": 1, "letter": "a"}
    assert StackDataset(Batched(), range(5)).__getitems__([1, 2]) == [(10, 1), (20, 2)]
    for arguments, named in [((), {}), (([1], [1, 2]), {}), (([1],), {"a": [1]})]:
        with pytest.raises(ValueError, match="Size mismatch|At least one|both types"):
            StackDataset(*arguments, **named)


def test_stack_dataset_checks_nested_batches():
    class Short(Batched):
        def __getitems__(self, indices):
            return [0]

    with pytest.raises(ValueError, match="Expected 2, got 1"):
        StackDataset(Short(), range(5)).__getitems__([1, 2])


def test_concat_dataset():
    dataset = ConcatDataset([[0, 1], [], [2]])
    assert [dataset[i] for i in (0, 1, 2, -1, -3)] == [0, 1, 2, 2, 0]
    assert len(dataset) == 3 and dataset.cumulative_sizes == [2, 2, 3]
    with pytest.raises(ValueError, match="absolute value of index"):
        dataset[-4]
    with pytest.raises(IndexError):
        dataset[3]
    with pytest.raises(AssertionError, match="should not be an empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Count(1)])
    with pytest.warns(FutureWarning, match="renamed"):
        assert dataset.cummulative_sizes == [2, 2, 3]


def test_chain_dataset():
    assert list(Count(2) + Count(3)) == [0, 1, 0, 1, 2]
    assert len(Count(2) + Count(3)) == 5
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([[1]]))


def test_subset():
    subset = Subset("abcdef", [4, 2, 0])
    assert list(subset) == ["e", "c", "a"] and len(subset) == 3
    assert Subset(Batched(), [4, 2]).__getitems__([1, 0]) == [20, 40]
    assert Subset(flambeau.arange(9), [4, 2, 0])[[0, 2]].tolist() == [4, 0]


def test_random_split_lengths():
    assert [len(part) for part in random_split(range(10), [0.33, 0.33, 0.34])] == [4, 3, 3]
    parts = random_split(range(10), [3, 7], flambeau.Generator().manual_seed(1))
    assert sorted([*parts[0], *parts[1]]) == list(range(10))
    with pytest.raises(ValueError, match="does not equal the length"):
        random_split(range(10), [3, 3])
    with pytest.raises(ValueError, match="Fraction at index 0"):
        random_split(range(10), [1.5, -0.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(3), [0.1, 0.1, 0.8])
