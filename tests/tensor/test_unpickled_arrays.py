"""NumPy arrays that were pickled have dtypes that are equal, not identical, to the usual ones."""

from __future__ import annotations

import pickle

import numpy as np

import flambeau


def test_they_mix_with_other_tensors():
    array = pickle.loads(pickle.dumps(np.ones((2, 3), np.float32)))
    layer = flambeau.nn.Linear(3, 2)
    for x in (flambeau.from_numpy(array), flambeau.tensor(array), flambeau.as_tensor(array)):
        assert layer(x).dtype is flambeau.float32
        assert flambeau.cat([x, flambeau.ones(1, 3)]).dtype is flambeau.float32
        assert flambeau.nn.functional.mse_loss(x, flambeau.ones(2, 3)).item() == 0
        assert (x.numpy() == array).all()


def test_memory_is_still_shared():
    array = pickle.loads(pickle.dumps(np.ones(3, np.float32)))
    flambeau.from_numpy(array).add_(1)
    assert array.tolist() == [2, 2, 2]
