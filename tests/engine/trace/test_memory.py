"""Which value an array holds, through views and writes."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.graph.interpreter import evaluate
from flambeau._engine.graph.ir import Node, Value
from flambeau._engine.trace.memory import Memories, Unrecordable, root_of
from flambeau._engine.trace.recorder import _shape_of


class Story:
    """Memories, with the nodes they emit run at once."""

    def __init__(self):
        self.arrays: dict[Value, np.ndarray] = {}
        self.memories = Memories(self.emit)

    def emit(self, name, operands, params):
        aval = _shape_of(name, operands, params)
        value = Value(aval.shape, aval.dtype)
        evaluate(Node(name, tuple(operands), params, (value,)), self.arrays, ())
        return value

    def know(self, array):
        value = Value(array.shape, array.dtype)
        self.arrays[value] = array.copy()
        self.memories.add_input(array, value, 0)

    def write(self, target, number):
        value = Value(target.shape, target.dtype)
        self.arrays[value] = np.full(target.shape, number, target.dtype)
        self.memories.write(target, value)
        target[...] = number

    def told(self, array):
        return self.arrays[self.memories.value(array)]


@pytest.mark.parametrize(
    "region",
    [
        lambda a: a, lambda a: a[1], lambda a: a[:, 1:3], lambda a: a[::2, ::-1][:, ::2],
        lambda a: a.T, lambda a: a.reshape(-1)[3:9], lambda a: a.reshape(6, 2), lambda a: a[2, 3:],
    ],
)  # fmt: skip
def test_a_write_through_a_view_is_seen_by_every_alias(region):
    story, base = Story(), np.arange(12.0).reshape(3, 4)
    before = base[1:, :2]
    story.know(base)
    np.testing.assert_array_equal(story.told(before), before)
    story.write(region(base), 50)
    for alias in (base, before, base[:, 2], base.T):
        np.testing.assert_array_equal(story.told(alias), alias)
    story.write(base[0], 7)
    np.testing.assert_array_equal(story.told(region(base)), region(base))


def test_unknown_arrays_are_refused():
    story = Story()
    story.know(np.zeros(3))
    with pytest.raises(Unrecordable):
        story.memories.value(np.zeros(3))


def test_memory_that_several_inputs_share_is_not_written():
    story, base = Story(), np.zeros(4)
    story.know(base[:2])
    story.know(base[1:])
    with pytest.raises(Unrecordable):
        story.write(base[:2], 1)


def test_the_root_of_an_array_is_who_owns_its_memory():
    base = np.zeros((3, 4), np.float32)
    views = [base[1:], base.T[::2], np.lib.stride_tricks.as_strided(base, (2,), (4,)),
             np.frombuffer(memoryview(base), np.float32), base.view(np.int32)]  # fmt: skip
    assert all(root_of(view) is base for view in views)
    assert root_of(base.copy()) is not base
