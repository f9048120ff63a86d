"""In-place writes: what they change, and that a failed one changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau


def _frozen():
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    return flambeau.as_tensor(array)


def _leaf():
    return flambeau.ones(3, requires_grad=True)


def _no_grad_view():
    base = flambeau.ones(3, requires_grad=True) * 1
    with flambeau.no_grad():
        return base[:2]


FAILING = {
    "shape": (flambeau.ones(3), lambda t: t.add_(flambeau.ones(4))),
    "grows": (flambeau.ones(3), lambda t: t.add_(flambeau.ones(2, 3))),
    "dtype": (flambeau.ones(3, dtype=flambeau.int64), lambda t: t.add_(1.5)),
    "complex": (flambeau.ones(3), lambda t: t.mul_(1j)),
    "expanded": (flambeau.ones(1).expand(3), lambda t: t.add_(1)),
    "leaf": (_leaf(), lambda t: t.mul_(2)),
    "leaf view": (_leaf(), lambda t: t[0].mul_(2)),
    "leaf subscript": (_leaf(), lambda t: t.__setitem__(0, 2.0)),
    "leaf mask": (_leaf(), lambda t: t.__setitem__(t > 0, 2.0)),
    "leaf copy": (_leaf(), lambda t: t.copy_(flambeau.zeros(3))),
    "leaf fill": (_leaf(), lambda t: t.fill_(3)),
    "leaf random": (_leaf(), lambda t: t.uniform_()),
    "no_grad view": (_no_grad_view(), lambda t: t.mul_(2)),
    "subscript shape": (flambeau.ones(3), lambda t: t.__setitem__(slice(2), flambeau.ones(3))),
    "subscript range": (flambeau.ones(3), lambda t: t.__setitem__([0, 5], 1.0)),
    "index_put": (
        flambeau.ones(3),
        lambda t: t.index_put_((flambeau.tensor([0, 7]),), flambeau.ones(2)),
    ),
    "index_add": (
        flambeau.ones(3),
        lambda t: t.index_add_(0, flambeau.tensor([5]), flambeau.ones(1)),
    ),
    "scatter": (flambeau.ones(3), lambda t: t.scatter_(0, flambeau.tensor([3]), 1.0)),
    "scatter dtype": (
        flambeau.ones(3),
        lambda t: t.scatter_add_(0, flambeau.tensor([0]), flambeau.ones(1).double()),
    ),
    "zero division": (flambeau.ones(3, dtype=flambeau.int64), lambda t: t.remainder_(0)),
    "transpose": (flambeau.ones(3), lambda t: t.transpose_(0, 4)),
    "masked": (flambeau.ones(3), lambda t: t.masked_fill_(flambeau.ones(2) > 0, 1.0)),
    "masked_scatter": (
        flambeau.ones(3),
        lambda t: t.masked_scatter_(flambeau.ones(3) > 0, flambeau.ones(1)),
    ),
    "out": (flambeau.ones(3, dtype=flambeau.int64), lambda t: flambeau.exp(t, out=t)),
    "not a tensor": (flambeau.ones(3), lambda t: t.add_("1")),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_failed_write_changes_nothing(name):
    t, write = FAILING[name]
    before, version, node = t.detach().clone(), t._version, t.grad_fn
    with pytest.raises((RuntimeError, IndexError, TypeError)):
        write(t)
    assert t.shape == before.shape
    assert t.detach().equal(before)
    assert t._version == version
    assert t.grad_fn is node


def test_read_only_memory_is_not_written():
    t = _frozen()
    with pytest.raises(RuntimeError, match="read-only"):
        t.add_(1)
    assert t._version == 0


def test_a_view_without_history_takes_no_value_with_one():
    w = flambeau.ones(3, requires_grad=True)
    base = flambeau.zeros(3)
    with flambeau.no_grad():
        view = base[:3]
    with pytest.raises(RuntimeError, match="no_grad mode"):
        view.mul_(w)
    view.mul_(2)
    assert base._version == 1


def test_a_view_that_requires_grad_is_a_leaf_too():
    t = flambeau.zeros(2, 2).view(4).requires_grad_()
    with pytest.raises(RuntimeError, match="view of a leaf"):
        t.mul_(2)


def test_one_value_may_be_written_to_repeated_elements():
    t = flambeau.zeros(1).expand(3)
    t.fill_(2)
    assert t.tolist() == [2, 2, 2]
    t.zero_()
    assert t.tolist() == [0, 0, 0]


def test_overlapping_reads_see_the_old_values():
    x = flambeau.arange(5.0)
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3]
    x = flambeau.arange(4.0).view(2, 2)
    x.copy_(x.t())
    assert x.tolist() == [[0, 2], [1, 3]]
    x += x.t()
    assert x.tolist() == [[0, 3], [3, 6]]


def test_versions_count_writes_and_are_shared():
    x = flambeau.zeros(3)
    view, detached, apart = x[1:], x.detach(), x.data
    view.add_(1)
    detached.mul_(2)
    apart.add_(1)
    assert (x._version, view._version, detached._version, apart._version) == (2, 2, 2, 1)


def test_views_survive_their_base_turning_in_place():
    w = flambeau.ones(2, 3, requires_grad=True)
    base = w * 2
    row = base[0]
    base.t_()
    row.mul_(3)
    assert base.shape == (3, 2)
    (base * flambeau.tensor([[1.0, 10.0]])).sum().backward()
    assert w.grad.tolist() == [[6, 6, 6], [20, 20, 20]]


def test_a_tensor_may_be_overwritten_by_a_view_of_itself():
    w = flambeau.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = w * 1
    column = x[:, 1]
    x.copy_(column)
    assert x.tolist() == [[2, 4], [2, 4]]
    (x.sum() + column.sum()).backward()
    # x = [[b, d], [b, d]] and its second column is [d, d]
    assert w.grad.tolist() == [[0, 2], [0, 4]]


@pytest.mark.parametrize("write", ["add_", "mul_", "sub_", "div_", "copy_"])
def test_writes_through_views_equal_their_out_of_place_forms(write):
    def parts(make):
        a = flambeau.arange(1.0, 7.0, dtype=flambeau.float64).reshape(2, 3).requires_grad_()
        b = flambeau.tensor([0.5, 2.0], dtype=flambeau.float64).requires_grad_()
        out = make(a * 1, b)
        (out * out).sum().backward()
        return out, a.grad, b.grad

    def in_place(a, b):
        getattr(a.t()[1:].t()[:, 0], write)(b)
        return a

    def apart(a, b):
        column = a[:, 1]
        new = b if write == "copy_" else getattr(column, write[:-1])(b)
        return flambeau.cat([a[:, :1], new[:, None], a[:, 2:]], 1)

    for found, expected in zip(parts(in_place), parts(apart), strict=True):
        assert flambeau.allclose(found, expected)
