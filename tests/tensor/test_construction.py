"""`Tensor(...)`: sizes, data, subclasses; what torch 2.13 gives."""

from __future__ import annotations

import pytest

import flambeau
from flambeau import Tensor


def test_of_a_size():
    assert Tensor(2, 3).shape == (2, 3)
    assert Tensor().shape == (0,)
    assert Tensor(flambeau.Size([2, 2])).shape == (2, 2)


def test_of_data():
    assert Tensor([1, 2]).tolist() == [1.0, 2.0]
    assert Tensor([[True, False]]).dtype is flambeau.float32
    x = flambeau.ones(2)
    Tensor(x).add_(1)
    assert x.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("arguments", [(1.5,), ("a",), (2, [1]), (True,)])
def test_refused(arguments):
    with pytest.raises(TypeError):
        Tensor(*arguments)


def test_subclass():
    class Mine(Tensor):
        pass

    mine = Mine([1.0, 2.0])
    assert type(mine) is Mine
    assert mine.sum().item() == 3
