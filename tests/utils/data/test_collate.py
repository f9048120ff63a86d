"""From samples to batches."""

from __future__ import annotations

import collections
import types

import numpy as np
import pytest

import flambeau
from flambeau.utils.data import default_collate, default_convert
from flambeau.utils.data._utils.collate import collate, default_collate_fn_map

Point = collections.namedtuple("Point", "x y")

LEAVES = [
    ([1.5, 2], flambeau.float64, [1.5, 2.0]),
    ([1, 2], flambeau.int64, [1, 2]),
    ([1, 2.5], flambeau.float32, [1.0, 2.5]),
    ([True, False], flambeau.bool, [True, False]),
    ([np.float64(1), np.float64(2)], flambeau.float64, [1.0, 2.0]),
    ([np.float32(1), np.float32(2)], flambeau.float32, [1.0, 2.0]),
    ([np.int16(1), np.int16(2)], flambeau.int16, [1, 2]),
    ([np.array([1], np.float32)] * 2, flambeau.float32, [[1.0], [1.0]]),
    ([np.array(3), np.array(4)], flambeau.int64, [3, 4]),
]


@pytest.mark.parametrize(("samples", "dtype", "values"), LEAVES)
def test_leaves(samples, dtype, values):
    batch = default_collate(samples)
    assert batch.dtype is dtype and batch.tolist() == values


def test_tensors_are_stacked_and_differentiable():
    leaf = flambeau.ones(2, requires_grad=True)
    batch = default_collate([leaf, 2 * leaf])
    batch.sum().backward()
    assert batch.tolist() == [[1, 1], [2, 2]] and leaf.grad.tolist() == [3, 3]


def test_containers_keep_their_types():
    ordered = collections.OrderedDict(a=1)
    assert type(default_collate([ordered, ordered])) is collections.OrderedDict
    frozen = types.MappingProxyType({"a": 1})
    assert type(default_collate([frozen, frozen])) is types.MappingProxyType
    counts = collections.defaultdict(int, a=1)
    assert default_collate([counts, counts]).default_factory is int
    assert type(default_collate([Point(1, 2), Point(3, 4)])) is Point
    assert type(default_collate([(1, 2), (3, 4)])) is list
    assert type(default_collate([collections.deque([1, 2])] * 2)) is collections.deque
    columns = default_collate([range(2), range(2)])  # a range cannot hold tensors
    assert [column.tolist() for column in columns] == [[0, 0], [1, 1]]
    assert default_collate(["a", b"b"]) == ["a", b"b"]


def test_nested():
    batch = default_collate([{"p": Point(1, "a"), "l": [1.0, (2,)]}] * 2)
    assert batch["p"].x.tolist() == [1, 1] and batch["p"].y == ("a", "a")
    assert batch["l"][0].tolist() == [1.0, 1.0] and batch["l"][1][0].tolist() == [2, 2]


def test_refusals():
    for bad in (None, object(), {1}):
        with pytest.raises(TypeError, match="default_collate: batch must contain tensors"):
            default_collate([bad])
    with pytest.raises(TypeError, match="found <U1"):
        default_collate([np.array("a")])
    with pytest.raises(RuntimeError, match="each element in list of batch"):
        default_collate([[1], [1, 2]])
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        default_collate([flambeau.ones(2), flambeau.ones(3)])
    with pytest.raises(KeyError):
        default_collate([{"a": 1}, {"b": 1}])


def test_own_table():
    def keep(batch, *, collate_fn_map):
        return batch

    assert collate([(1, {2})] * 2, collate_fn_map={int: keep, set: keep}) == [(1, 1), ({2}, {2})]
    default_collate_fn_map[set] = keep
    try:
        assert default_collate([{1}, {2}]) == [{1}, {2}]
    finally:
        del default_collate_fn_map[set]


def test_convert():
    converted = default_convert({"a": np.ones(2), "b": (1, np.float32(2)), "c": "text"})
    assert converted["a"].tolist() == [1, 1] and converted["c"] == "text"
    assert converted["b"][0] == 1 and converted["b"][1].dtype is flambeau.float32
    text = np.array(["a"])
    assert default_convert(text) is text
    assert default_convert(np.str_("a")) == "a"
    assert type(default_convert(Point(1, 2))) is Point
