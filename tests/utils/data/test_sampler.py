"""Samplers: lengths, laziness and refusals; their orders are in test_golden."""

from __future__ import annotations

import pytest

import flambeau
from flambeau.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    WeightedRandomSampler,
)


def test_lengths():
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    assert len(RandomSampler("abc")) == 3
    assert len(RandomSampler("abc", num_samples=7)) == 7
    assert [len(BatchSampler(range(5), 2, drop)) for drop in (False, True)] == [3, 2]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]


def test_random_sampler_draws_when_first_asked():
    generator = flambeau.Generator().manual_seed(0)
    before = generator.get_state().tolist()
    indices = iter(RandomSampler(range(5), generator=generator))
    assert generator.get_state().tolist() == before
    next(indices)
    assert generator.get_state().tolist() != before


def test_random_sampler_follows_a_growing_source():
    source = [1, 2]
    sampler = RandomSampler(source)
    source.append(3)
    assert sorted(sampler) == [0, 1, 2]


def test_random_sampler_refuses():
    with pytest.raises(TypeError, match="replacement should be a boolean"):
        RandomSampler("abc", replacement=3)
    for bad in (0, -1, 2.0):
        with pytest.raises(ValueError, match=f"num_samples={bad}"):
            RandomSampler("abc", num_samples=bad)
    with pytest.raises(ValueError, match="num_samples=0"):
        RandomSampler([])


def test_weighted_sampler_refuses():
    for bad in (0, 2.0, True):
        with pytest.raises(ValueError, match="num_samples"):
            WeightedRandomSampler([1.0], bad)
    with pytest.raises(ValueError, match="replacement should be"):
        WeightedRandomSampler([1.0], 1, replacement=3)
    with pytest.raises(ValueError, match=r"weights have shape \(1, 2\)"):
        WeightedRandomSampler([[1.0, 2.0]], 1)


def test_batch_sampler_refuses():
    for bad in (0, True, 2.0):
        with pytest.raises(ValueError, match=f"batch_size={bad}"):
            BatchSampler(range(3), bad, False)
    with pytest.raises(ValueError, match="drop_last=1"):
        BatchSampler(range(3), 2, 1)


def test_sampler_without_iter():
    with pytest.raises(NotImplementedError, match="Sampler"):
        iter(Sampler())


@pytest.mark.parametrize("drop_last", [False, True])
def test_distributed_shares_are_disjoint_and_equal(drop_last):
    shares = [
        list(DistributedSampler(range(10), 4, rank, drop_last=drop_last)) for rank in range(4)
    ]
    assert {len(share) for share in shares} == {2 if drop_last else 3}
    together = [index for share in shares for index in share]
    assert len(set(together)) == (8 if drop_last else 10)


def test_distributed_epochs_and_refusals():
    sampler = DistributedSampler(range(30), 2, 0)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    with pytest.raises(ValueError, match="Invalid rank 2"):
        DistributedSampler(range(3), 2, 2)
    with pytest.raises(ValueError, match="process group has not been initialized"):
        DistributedSampler(range(3))
