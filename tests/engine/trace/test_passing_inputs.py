"""Inputs that are another tensor at each run: not held afterwards, and their writes are counted."""

from __future__ import annotations

import gc
import os
import weakref

import numpy as np
import pytest

import flambeau
from flambeau._engine.trace.hub import HUB
from tests.modes import MODES, mode


@pytest.mark.parametrize("name", MODES)
def test_a_batch_is_not_held_after_its_step(name):
    model = flambeau.nn.Linear(30, 4)
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.1)
    seen = []
    with mode(name):
        for _ in range(12):
            array = np.ones((20, 30), np.float32)
            seen.append(weakref.ref(array))
            loss = model(flambeau.from_numpy(array)).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            del array, loss
    gc.collect()
    assert [position for position, array in enumerate(seen) if array() is not None] == []


@pytest.mark.parametrize("name", MODES)
def test_writes_to_batches_are_counted(name):
    other = flambeau.ones(4)
    with mode(name):
        for _ in range(10):
            x = flambeau.tensor([1.0, 2.0, 3.0, 4.0])
            before = x._version
            y = x * 2
            x.add_(other)
            assert (x * y).sum().item() == 80
            assert x._version == before + 1


@pytest.mark.parametrize("name", MODES)
def test_writes_to_gradients_that_grow_are_counted_as_in_eager(name):
    def version() -> int:
        leaf = flambeau.ones(4, requires_grad=True)
        optimizer = flambeau.optim.SGD([leaf], lr=0.0)
        for _ in range(10):
            optimizer.zero_grad()
            loss = (leaf * leaf).sum() * 2
            loss.backward(retain_graph=True)
            loss.backward()
            optimizer.step()
        assert leaf.grad.tolist() == [8.0] * 4
        return leaf.grad._version

    with mode("off"):
        expected = version()
    with mode(name):
        assert version() == expected > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("name", MODES)
def test_a_forked_process_that_rests_still_has_its_tensors(name):
    with mode(name):
        for _ in range(6):
            x = flambeau.ones(8) * 3
            y = x.exp() + x  # pending, or being recorded, at the fork
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                HUB.rest()
                os.write(writing, str((y * 2).sum().item()).encode())
                os._exit(0)
            os.waitpid(child, 0)
            assert float(os.read(reading, 99)) == (y * 2).sum().item()


@pytest.mark.parametrize("name", MODES)
def test_a_pending_tensor_can_be_given_another_class(name):
    class Marked(flambeau.Tensor):
        pass

    with mode(name):
        for _ in range(8):
            x = flambeau.ones(4) * 2
            x.__class__ = Marked
            assert type(x) is Marked and x.tolist() == [2.0] * 4
