"""Chains: attention's scores stay within one kernel, forward and backward, masked or not."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.loops import assemble
from flambeau._engine.loops.kernel import Chain, Gemm, Loop
from flambeau._engine.loops.lower import plan_of
from tests.engine.loops.programs import I64, Making, compare

RNG = np.random.default_rng(0)
KINDS = ("full", "causal", "bool", "added", "dropped")


def floats(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def turned(m, a):
    rank = len(a.shape)
    return m.call("permute", a, dims=(*range(rank - 2), rank - 1, rank - 2))


def attention(m, kind, lead, rows, columns, size, dtype=np.float32, apart=False):
    """q, k, v, the weights and the result; `apart`: heads are views of (batch, length, heads, e)"""
    if apart:
        batch, heads = lead
        q, k, v = (
            m.call(
                "permute", m.input(floats(batch, n, heads, size, dtype=dtype)), dims=(0, 2, 1, 3)
            )
            for n in (rows, columns, columns)
        )
    else:
        q, k, v = (m.input(floats(*lead, n, size, dtype=dtype)) for n in (rows, columns, columns))
    scores = m.call("mul", m.call("matmul", q, turned(m, k)), 0.5)
    weights = m.call(*masked(m, kind, scores, rows, columns, dtype), dim=len(lead) + 1)
    if kind == "dropped":
        kept = (RNG.random(scores.shape) < 0.8).astype(dtype)
        weights = m.call("mul", weights, m.input(kept))
    return q, k, v, weights, m.call("matmul", weights, v)


def masked(m, kind, scores, rows, columns, dtype):
    if kind == "causal":
        i, j = (m.call("arange", start=0, step=1, count=n, dtype=I64) for n in (rows, columns))
        seen = m.call("ge", m.call("view", i, shape=(rows, 1)), j)
        return "safe_softmax", m.call("where", seen, scores, float("-inf"))
    if kind == "bool":
        seen = RNG.random((rows, columns)) < 0.6
        seen[1] = False
        return "safe_softmax", m.call("where", m.input(seen), scores, float("-inf"))
    if kind == "added":
        return "softmax", m.call("add", scores, m.input(floats(rows, columns, dtype=dtype)))
    return "softmax", scores


def gradients(m, kind, q, k, v, weights, rows, columns):
    g = m.input(floats(*q.shape[:-1], v.shape[-1], dtype=q.dtype))
    dv = m.call("matmul", turned(m, weights), g)
    dp = m.call("matmul", g, turned(m, v))
    dims = (len(q.shape) - 1,)
    total = m.call("sum", m.call("mul", dp, weights), dims=dims, keepdim=True)
    ds = m.call("mul", weights, m.call("sub", dp, total))
    return m.call("matmul", ds, k), m.call("matmul", turned(m, ds), q), dv


def kinds_of(plan):
    return [type(step.kernel).__name__ for step in plan.steps]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(5, 7), (7, 5), (64, 64), (65, 96), (96, 65), (2, 2)])
def test_forward(kind, sizes):
    m = Making()
    *_, out = attention(m, kind, (2, 3), *sizes, 4)
    plan = compare(m.graph([out]), m.arrays, m.numbers)
    assert kinds_of(plan) == ["Chain"] and not plan.arena_bytes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(5, 7), (7, 5), (64, 64), (96, 65)])
@pytest.mark.parametrize("apart", [False, True])
def test_backward(kind, sizes, apart):
    m = Making()
    q, k, v, weights, out = attention(m, kind, (2, 2), *sizes, 4, apart=apart)
    found = gradients(m, kind, q, k, v, weights, *sizes)
    plan = compare(m.graph([out, *found]), m.arrays, m.numbers)
    if kind != "dropped":
        assert set(kinds_of(plan)) == {"Chain"}
        assert not plan.arena_bytes or len(plan.steps) > 1


def test_float64():
    m = Making()
    *_, out = attention(m, "causal", (2, 2), 64, 64, 4, dtype=np.float64)
    assert kinds_of(compare(m.graph([out]), m.arrays, m.numbers)) == ["Chain"]


def test_rows_by_blocks():
    """Rows that together are too large for the caches come in blocks."""
    m = Making()
    *_, out = attention(m, "full", (8, 4), 256, 4096, 2)
    (step,) = plan_of(m.graph([out])).steps
    ((times, parts),) = step.kernel.groups
    assert times == 2 and len(parts) == 3 and max(step.kernel.scratch) == 128 * 4096 * 4
    m = Making()  # few matrices: their blocks are tasks
    *_, out = attention(m, "full", (1, 2), 256, 4096, 2)
    plan = compare(m.graph([out]), m.arrays, m.numbers)
    assert plan.steps[0].kernel.blocks == 4


def test_hidden_scores_are_left_out():
    m = Making()
    *_, out = attention(m, "causal", (2, 2), 64, 64, 4)
    (step,) = plan_of(m.graph([out])).steps
    products = [p.kernel for _, p in step.kernel.parts() if isinstance(p.kernel, Gemm)]
    assert [(g.m, g.n, g.k) for g in products] == [
        (32, 32, 4), (32, 4, 32), (32, 64, 4), (32, 4, 64),
    ]  # fmt: skip


def test_a_mask_with_a_sum_beside_it_is_computed_in_full():
    """The hidden scores are -inf, and somebody wants to know."""
    m = Making()
    q, k = m.input(floats(2, 2, 64, 4)), m.input(floats(2, 2, 64, 4))
    scores = m.call("matmul", q, turned(m, k))
    name, scores = masked(m, "causal", scores, 64, 64, np.float32)
    least = m.call("amin", scores, dims=(3,), keepdim=False)
    out = m.call("matmul", m.call(name, scores, dim=3), k)
    compare(m.graph([out, least]), m.arrays, m.numbers)


def test_scores_that_are_results_are_stored():
    for kind in ("full", "causal"):
        m = Making()
        *_, weights, out = attention(m, kind, (2, 2), 64, 64, 4)
        compare(m.graph([weights, out]), m.arrays, m.numbers)


def test_scores_that_others_read_are_whole():
    """A sum over heads reads the weights in another way: nothing may be left out."""
    m = Making()
    *_, weights, out = attention(m, "causal", (2, 2), 64, 64, 4)
    compare(m.graph([out, m.call("sum", weights, dims=(0, 1), keepdim=False)]), m.arrays, m.numbers)


def test_an_update_between_two_members_is_not_passed():
    """The values are overwritten after they were read: the chain may not come later."""
    m = Making()
    q, k, v, weights, out = attention(m, "full", (2, 2), 8, 8, 4)
    again = m.call("matmul", weights, m.call("mul", v, 2.0))
    compare(m.graph([out], [(v, again)]), m.arrays, m.numbers)


def test_bits_are_the_same_with_and_without(monkeypatch):
    """The kernels of a chain are those that it is made of."""
    runtime = pytest.importorskip("flambeau._engine.runtime.program")
    for kind in ("full", "bool"):
        m = Making()
        q, k, v, weights, out = attention(m, kind, (2, 2), 130, 70, 8)
        graph = m.graph([out, *gradients(m, kind, q, k, v, weights, 130, 70)])
        plan = plan_of(graph)
        assert any(isinstance(step.kernel, Chain) for step in plan.steps)
        with monkeypatch.context() as patch:
            patch.setattr(assemble, "chained", lambda steps, *_: steps)
            plain = plan_of(graph)
        assert all(isinstance(step.kernel, Gemm | Loop) for step in plain.steps)
        one, other = (runtime.Program(p).run(m.arrays) for p in (plan, plain))
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
