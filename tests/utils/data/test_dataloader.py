"""The DataLoader in one process: options, lengths, and the whole-batch fast path."""

from __future__ import annotations

import itertools

import pytest

import flambeau
from flambeau.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)
from flambeau.utils.data._utils.gather import _TensorDataLoaderIter


class Count(IterableDataset):
    def __iter__(self):
        return iter(range(5))


class ShortCount(Count):
    def __len__(self):
        return 3


class Spelled(TensorDataset):
    """A TensorDataset whose samples are user code: never the fast path."""

    def __getitem__(self, index):
        return super().__getitem__(index)


def tensors(kind=TensorDataset, rows=20):
    return kind(flambeau.arange(3.0 * rows).reshape(rows, 3), flambeau.arange(rows))


REFUSED = [
    ({"num_workers": -1}, "num_workers option should be non-negative"),
    ({"timeout": -1}, "timeout option should be non-negative"),
    ({"prefetch_factor": 2}, "prefetch_factor option could only"),
    ({"prefetch_factor": -1, "num_workers": 1}, "prefetch_factor option should be non-negative"),
    ({"persistent_workers": True}, "persistent_workers option needs"),
    ({"multiprocessing_context": "fork"}, "can only be used with multi-process loading"),
    ({"multiprocessing_context": "no", "num_workers": 1}, "a valid start method in"),
    ({"shuffle": True, "sampler": range(3)}, "mutually exclusive with shuffle"),
    ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
    ({"batch_sampler": [[1]], "drop_last": True}, "batch_sampler option is mutually exclusive"),
    ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
    ({"batch_size": 0}, "batch_size=0"),
]


@pytest.mark.parametrize(("options", "text"), REFUSED)
def test_refused_options(options, text):
    with pytest.raises(ValueError, match=text):
        DataLoader(tensors(), **options)


@pytest.mark.parametrize("name", ["shuffle", "sampler", "batch_sampler"])
def test_iterable_datasets_have_no_order(name):
    with pytest.raises(ValueError, match=f"expected unspecified {name} option"):
        DataLoader(Count(), **{name: [[1]]})
    assert len(list(DataLoader(Count(), shuffle=False))) == 5


def test_other_refusals():
    with pytest.raises(TypeError, match="valid context object"):
        DataLoader(tensors(), num_workers=1, multiprocessing_context=3)
    with pytest.raises(AssertionError, match="requires timeout == 0"):
        iter(DataLoader(tensors(), timeout=1))
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        iter(DataLoader(tensors())).__getstate__()


@pytest.mark.parametrize("name", ["batch_size", "sampler", "dataset", "drop_last"])
def test_fixed_attributes(name):
    loader = DataLoader(tensors())
    with pytest.raises(ValueError, match=f"{name} attribute should not be set"):
        setattr(loader, name, 3)
    loader.timeout = 0


def test_warnings():
    with pytest.warns(UserWarning, match="suggested max number of worker"):
        DataLoader(tensors(), num_workers=9999)
    with pytest.warns(UserWarning, match="no accelerator is found"):
        next(iter(DataLoader(tensors(), pin_memory=True)))
    loader = DataLoader(ShortCount(), batch_size=None)
    assert len(loader) == 3
    with pytest.warns(UserWarning, match=r"reported to be 3.*but 4 samples have been"):
        assert [*itertools.islice(loader, 4)] == [0, 1, 2, 3]


def test_lengths():
    assert [len(DataLoader(tensors(), 6, drop_last=drop)) for drop in (False, True)] == [4, 3]
    assert len(DataLoader(tensors(), batch_size=None)) == 20
    assert len(iter(DataLoader(tensors(), 6))) == 4
    assert len(DataLoader(ShortCount(), batch_size=2)) == 2
    with pytest.raises(TypeError, match="has no len"):
        len(DataLoader(Count()))


def test_iterable():
    assert [batch.tolist() for batch in DataLoader(Count(), 2)] == [[0, 1], [2, 3], [4]]
    assert [batch.tolist() for batch in DataLoader(Count(), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Count(), None)) == [0, 1, 2, 3, 4]


def test_getitems_and_own_collation():
    class Batched(list):
        def __getitems__(self, indices):
            return [self[index] * 10 for index in indices]

    assert list(DataLoader(Batched("abc"), 2, collate_fn="".join)) == [
        "a" * 10 + "b" * 10,
        "c" * 10,
    ]


def batches(dataset, **options):
    flambeau.manual_seed(0)
    loaded = [
        tuple(tensor.tolist() for tensor in batch) for batch in DataLoader(dataset, **options)
    ]
    return loaded, flambeau.rand(2).tolist()


@pytest.mark.parametrize("batch_size", [1, 6, 20, 32])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_fast_path_is_the_slow_path(batch_size, drop_last, shuffle):
    options = {"batch_size": batch_size, "drop_last": drop_last, "shuffle": shuffle}
    assert batches(tensors(), **options) == batches(tensors(Spelled), **options)
    indices = [4, -1, 4, 0, 13, 2]
    fast, slow = (Subset(tensors(kind), indices) for kind in (TensorDataset, Spelled))
    assert batches(fast, **options) == batches(slow, **options)


@pytest.mark.parametrize(
    "sampler",
    [
        RandomSampler(range(20), num_samples=33),
        RandomSampler(range(20), replacement=True, num_samples=70),
        [3, 3, -2, 0],
        [flambeau.tensor(3), flambeau.tensor(1)],
    ],
)
def test_fast_path_with_samplers(sampler):
    for size in (1, 7, 40):
        options = {"batch_sampler": BatchSampler(sampler, size, False)}
        assert batches(tensors(), **options) == batches(tensors(Spelled), **options)


def is_fast(dataset, **options):
    return type(iter(DataLoader(dataset, **options))) is _TensorDataLoaderIter


def test_where_the_fast_path_is_taken():
    class Named(TensorDataset):
        name = "a subclass that leaves samples alone"

    assert is_fast(tensors()) and is_fast(tensors(Named)) and is_fast(tensors(), shuffle=True)
    assert is_fast(random_split(tensors(), [0.5, 0.5])[0], collate_fn=default_collate)
    assert not is_fast(tensors(Spelled))
    assert not is_fast(tensors(), batch_size=None)
    assert not is_fast(tensors(), collate_fn=list)
    assert not is_fast(TensorDataset(flambeau.ones(3, requires_grad=True)))


def test_batches_are_copies_and_see_changes():
    dataset = tensors()
    loader = iter(DataLoader(dataset, batch_size=2))
    first, _ = next(loader)
    first.zero_()
    assert dataset.tensors[0][1].tolist() == [3, 4, 5]
    dataset.tensors[0][2] = 7
    assert next(loader)[0][0].tolist() == [7, 7, 7]


def test_memory_that_is_not_contiguous():
    turned = flambeau.arange(12.0).reshape(3, 4).t()
    (batch,) = next(iter(DataLoader(TensorDataset(turned), batch_size=3)))
    assert batch.tolist() == turned[:3].tolist() and batch.is_contiguous()


def test_errors_of_the_slow_path_and_iteration_goes_on():
    loader = iter(DataLoader(tensors(), batch_sampler=[[1], [20], [2]]))
    assert next(loader)[1].tolist() == [1]
    with pytest.raises(IndexError, match="20 is out of bounds for dimension 0 with size 20"):
        next(loader)
    assert next(loader)[1].tolist() == [2]
