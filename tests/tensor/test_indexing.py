"""Reading and writing with `[]`, against NumPy, which has the same rules for these indices."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as hnp

import flambeau

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def _array(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(int(np.prod(shape)), dtype=np.float64).reshape(shape)


def _positive_steps(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(not isinstance(p, slice) or (p.step or 1) > 0 for p in parts)


@st.composite
def basic(draw: st.DrawFn) -> tuple[tuple[int, ...], Any]:
    """A shape, and an index of numbers, slices, None and Ellipsis for it."""
    shape = draw(SHAPES)
    index = draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=6).filter(_positive_steps))
    return shape, index


@st.composite
def gathering(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple]:
    """A shape, and an index of slices with index arrays or one mask among them."""
    shape = draw(SHAPES)
    count = draw(st.integers(1, len(shape)))
    joint = draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=3))
    parts: list[Any] = []
    for size in shape[:count]:
        kind = draw(st.sampled_from(("array", "array", "slice", "list")))
        if kind == "slice":
            parts.append(draw(st.slices(size).filter(lambda s: (s.step or 1) > 0)))
        else:
            found = draw(hnp.arrays(np.int64, joint, elements=st.integers(-size, size - 1)))
            parts.append(found.tolist() if kind == "list" else found)
    return shape, tuple(parts)


def _torchlike(index: Any) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(flambeau.from_numpy(p) if isinstance(p, np.ndarray) else p for p in parts)


@given(basic())
def test_basic_reading_gives_a_view(case):
    shape, index = case
    array = _array(shape)
    t = flambeau.from_numpy(array)
    found = t[index]
    assert np.array_equal(found.numpy(), array[index])
    assert found.numel() == 0 or np.shares_memory(found.numpy(), array)


@given(gathering())
def test_gathering_gives_a_copy(case):
    shape, index = case
    array = _array(shape)
    found = flambeau.from_numpy(array)[_torchlike(index)]
    assert np.array_equal(found.numpy(), array[index])
    if any(not isinstance(p, slice) for p in index):
        assert not np.shares_memory(found.numpy(), array)


@given(st.one_of(basic(), gathering()), st.booleans())
def test_writing(case, broadcast):
    shape, index = case
    expected = _array(shape)
    target = flambeau.from_numpy(expected.copy())
    region = np.shape(expected[index])
    value = -np.ones(region[1:] if broadcast else region)
    expected[index] = value
    target[_torchlike(index)] = flambeau.from_numpy(np.asarray(value))
    assert np.array_equal(target.numpy(), expected)


@given(st.data())
def test_masks(data):
    shape = data.draw(SHAPES)
    depth = data.draw(st.integers(1, len(shape)))
    mask = data.draw(hnp.arrays(np.bool_, shape[:depth]))
    expected = _array(shape)
    t = flambeau.from_numpy(expected.copy())
    assert np.array_equal(t[flambeau.from_numpy(mask)].numpy(), expected[mask])
    t[flambeau.from_numpy(mask)] = 3
    expected[mask] = 3
    assert np.array_equal(t.numpy(), expected)


@given(st.one_of(basic(), gathering()))
def test_the_gradient_counts_how_often_an_element_is_read(case):
    shape, index = case
    x = flambeau.zeros(shape, dtype=flambeau.float64, requires_grad=True)
    x[_torchlike(index)].sum().backward()
    counts = np.zeros(shape)
    np.add.at(counts, index, 1)
    assert np.array_equal(x.grad.numpy(), counts)


def test_repeated_writing_through_an_index_adds_when_asked():
    x = flambeau.zeros(3)
    x.index_put_((flambeau.tensor([0, 0, 2]),), flambeau.ones(3), accumulate=True)
    assert x.tolist() == [2, 0, 1]


def test_a_read_only_array_is_not_written_to():
    array = np.zeros(3)
    array.flags.writeable = False
    x = flambeau.from_numpy(array)
    try:
        x[0] = 1
    except RuntimeError as error:
        assert "read-only" in str(error)
    else:
        raise AssertionError("no error")
