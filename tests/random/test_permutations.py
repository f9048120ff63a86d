"""Long permutations are made without a loop; they are those that swapping one by one makes."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.eager.distributions import _swap_all, _swap_one_by_one


@pytest.mark.parametrize("count", [1, 2, 9, 500, 65536, 65537, 150_000])
def test_two_ways_to_swap(count):
    places = np.arange(count - 1)
    random = np.random.default_rng(count)
    for least in (places, np.maximum(places, count // 2), np.full(count - 1, count - 1)):
        targets = random.integers(least, count)
        assert (_swap_all(targets, count) == _swap_one_by_one(targets, count)).all()
