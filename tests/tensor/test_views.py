"""Views share memory, and writes through any alias are seen by all: the same programs in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import flambeau


def _row(a: np.ndarray, k: int) -> np.ndarray:
    return a[k % len(a) : k % len(a) + 1]


# (what flambeau does, the same in NumPy); each takes the tensor or array, and a number
VIEWS: dict[str, tuple[Callable[[Any, int], Any], Callable[[Any, int], Any]]] = {
    "permute": (lambda t, k: t.permute(*range(1, t.dim()), 0), lambda a, k: np.moveaxis(a, 0, -1)),
    "transpose": (lambda t, k: t.transpose(0, -1), lambda a, k: a.swapaxes(0, -1)),
    "T": (lambda t, k: t.mT if t.dim() > 1 else t, lambda a, k: a.mT if a.ndim > 1 else a),
    "select": (lambda t, k: t.select(0, k % len(t)), lambda a, k: a[k % len(a), ...]),
    "narrow": (lambda t, k: t.narrow(0, k % len(t), 1), lambda a, k: _row(a, k)),
    "slice": (lambda t, k: t[:: k + 1], lambda a, k: a[:: k + 1]),
    "unsqueeze": (lambda t, k: t.unsqueeze(k % 2), lambda a, k: np.expand_dims(a, k % 2)),
    "flatten": (lambda t, k: t.contiguous().view(-1), lambda a, k: np.ascontiguousarray(a).ravel()),
    "unbind": (lambda t, k: t.unbind(0)[k % len(t)], lambda a, k: a[k % len(a), ...]),
    "split": (lambda t, k: t.split(1)[k % len(t)], lambda a, k: _row(a, k)),
    "unfold": (
        lambda t, k: t.unfold(0, 1, k + 1),
        lambda a, k: np.expand_dims(a[:: k + 1], -1),
    ),
}
WRITES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "add_": (lambda t: t.add_(1), lambda a: np.add(a, 1, out=a)),
    "mul_": (lambda t: t.mul_(3), lambda a: np.multiply(a, 3, out=a)),
    "fill_": (lambda t: t.fill_(7), lambda a: a.fill(7)),
    "copy_": (lambda t: t.copy_(flambeau.tensor(5.0)), lambda a: np.copyto(a, 5.0)),
    "neg_": (lambda t: t.neg_(), lambda a: np.negative(a, out=a)),
    "setitem": (lambda t: t.__setitem__(..., 2), lambda a: a.__setitem__(..., 2)),
}
STEPS = st.lists(st.tuples(st.sampled_from(sorted(VIEWS)), st.integers(0, 2)), max_size=4)


@given(
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4),
    STEPS,
    st.lists(st.sampled_from(sorted(WRITES)), min_size=1, max_size=3),
)
def test_writes_through_chains_of_views(shape, steps, writes):
    array = np.arange(int(np.prod(shape)), dtype=np.float64).reshape(shape)
    base = flambeau.from_numpy(array.copy())
    seen, model = base, array
    for name, k in steps:
        if seen.dim() == 0:
            break
        ours, theirs = VIEWS[name]
        seen, model = ours(seen, k), theirs(model, k)
        assert seen.shape == model.shape
    version = base._version
    shared = np.shares_memory(model, array)
    for name in writes:
        ours, theirs = WRITES[name]
        ours(seen)
        theirs(model)
    assert np.array_equal(seen.numpy(), model)
    assert np.array_equal(base.numpy(), array)
    assert base._version == version + (len(writes) if shared else 0)


def test_the_diagonal_can_be_written():
    x = flambeau.zeros(2, 3)
    x.diagonal(1).copy_(flambeau.tensor([1.0, 2.0]))
    assert x.tolist() == [[0, 1, 0], [0, 0, 2]]


@pytest.mark.parametrize("name", ["chunk", "split", "unbind"])
def test_several_views_of_one_call_are_not_written_to_in_grad_mode(name):
    x = flambeau.ones(4, requires_grad=True) * 1
    piece = getattr(x, name)(*(() if name == "unbind" else (2,)))[0]
    with pytest.raises(RuntimeError, match="multiple views"):
        piece.add_(1)
    with flambeau.no_grad():
        x.unsafe_split(2)[0].add_(1)
    assert x.tolist() == [2, 2, 1, 1]


def test_a_write_through_a_view_changes_the_gradient_of_its_base():
    x = flambeau.ones(3, requires_grad=True)
    y = x * 1
    y[1:].mul_(flambeau.tensor([2.0, 3.0]))
    y.sum().backward()
    assert x.grad.tolist() == [1, 2, 3]


def test_a_view_made_before_a_write_to_its_base_knows_of_it():
    x = flambeau.ones(3, requires_grad=True)
    y = x * 1
    last = y[2]
    y.mul_(5)
    last.backward()
    assert x.grad.tolist() == [0, 0, 5]


def test_a_strided_view_reaches_beyond_the_tensor_it_is_made_from():
    x = flambeau.arange(6)
    assert x[4:].as_strided((2,), (1,), 0).tolist() == [0, 1]


def test_stretched_memory_is_not_written_to():
    with pytest.raises(RuntimeError, match="single memory location"):
        flambeau.ones(1).expand(3).add_(1)


def test_overlapping_windows_add_up_in_the_gradient():
    x = flambeau.ones(4, requires_grad=True)
    x.unfold(0, 2, 1).sum().backward()
    assert x.grad.tolist() == [1, 2, 2, 1]
