"""Loop kernels against the NumPy interpreter of plans: shapes, strides, reductions, stages."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.llvm import loop
from flambeau._engine.llvm.host import detect
from flambeau._engine.llvm.keep import kept_rows
from flambeau._engine.llvm.space import lay_out
from flambeau._engine.loops.kernel import Access, Instruction, Loop, Reduction, Stage
from tests.engine.loops.interpret import run_loop

from .native import HOSTS, Native, elementwise

SHAPES = [
    (), (1,), (3,), (16,), (1000,), (5, 7), (32, 64), (33, 65), (7, 1, 9), (2, 3, 4, 5), (0,),
    (4, 0), (70000,),
]  # fmt: skip


class Memory:
    """Arrays as an interpreted kernel's arguments."""

    def __init__(self, arrays):
        self.arrays = [a.reshape(-1) for a in arrays]

    def elements(self, argument, dtype):
        return self.arrays[argument]


def load(argument, strides, dtype="float32", offset=0):
    return Instruction("load", (), dtype, Access(argument, dtype, strides, offset))


def compare(kernel, arrays, numbers=(), host=None, tolerance=2e-6):
    """Runs the kernel natively and interpreted; flat arrays are compared."""
    wanted = [a.copy() for a in arrays]
    with np.errstate(all="ignore"):
        run_loop(kernel, range(len(arrays)), Memory(wanted), numbers)
    got = [a.copy() for a in arrays]
    assert Native(kernel, host)(got, numbers) == 0
    for a, b in zip(got, wanted):
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)


def numbers_like(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_elementwise_shapes(shape):
    a, b = numbers_like(shape), numbers_like(shape, 1)
    out = np.empty_like(a)
    Native(elementwise("add", [a, b], out), HOSTS[len(shape) % len(HOSTS)])([a, b, out])
    np.testing.assert_array_equal(out, a + b)


@pytest.mark.parametrize("host", HOSTS, ids=lambda h: h.name)
def test_views(host):
    base = numbers_like((40, 50))
    bias = numbers_like(50, 1)
    for view in (base.T, base[::2], base[:, ::3], base[::-1, 5:], base[3:9, 4:5], base[:, ::-1]):
        for other in (np.broadcast_to(bias[:1], view.shape), view):
            out = np.zeros(view.shape, np.float32)
            Native(elementwise("mul", [view, other], out), host)([view, other, out])
            np.testing.assert_array_equal(out, view * other)


def test_strided_store_leaves_the_rest():
    a, out = numbers_like((9, 11)), np.full((18, 22), 7, np.float32)
    into = out[::2, 1::2]
    Native(elementwise("neg", [a], into))([a, into])
    np.testing.assert_array_equal(into, -a)
    assert (out[1::2] == 7).all() and (out[:, ::2] == 7).all()


def test_in_place():
    a = numbers_like(1003)
    kept = a.copy()
    body = (load(0, (1,)), Instruction("exp", (0,)))
    kernel = Loop((1003,), (), (Stage(body=body, stores=((Access(0, "float32", (1,)), 1),)),))
    Native(kernel)([a])
    np.testing.assert_allclose(a, np.exp(kept), rtol=1e-6)


def test_numbers_and_indices():
    body = (
        Instruction("number", (), "float32", 1),
        Instruction("index", (), "int64", 0),
        Instruction("index", (), "int64", 1),
        Instruction("mul", (1, 2), "int64"),
        Instruction("convert", (3,), "float32"),
        Instruction("mul", (0, 4)),
        Instruction("number", (), "int64", 0),
        Instruction("add", (1, 6), "int64"),
    )
    stores = ((Access(0, "float32", (21, 1)), 5), (Access(1, "int64", (21, 1)), 7))
    kernel = Loop((6,), (21,), (Stage(body=body, stores=stores),))
    compare(kernel, [np.zeros(126, np.float32), np.zeros(126, np.int64)], [3.0, 0.5])


KINDS = ["sum", "prod", "amax", "amin", "argmax", "argmin", "any", "all"]
REDUCED = [(4, 5), (3, 16), (7, 100), (5, 1023), (2, 4096), (1, 7), (9, 1), (300, 3)]


def reduction(kind, shape, dtype, inner_first):
    """A reduction over the last dimension of memory, or over the first."""
    outer, inner = shape[::-1] if inner_first else shape
    strides = (1, shape[1]) if inner_first else (shape[1], 1)
    truth = kind in ("any", "all")
    result = "bool" if truth else "int64" if kind[:3] == "arg" else dtype
    stage = Stage(
        body=(load(0, strides, dtype), Instruction("convert", (0,), "bool")),
        reductions=(Reduction(kind, int(truth), result),),
        row=(Instruction("row", (), result, 0),),
        row_stores=((Access(1, result, (1, 0)), 0),),
    )
    return Loop((outer,), (inner,), (stage,)), np.zeros(outer, result)


@pytest.mark.parametrize("inner_first", [False, True])
@pytest.mark.parametrize("shape", REDUCED, ids=str)
def test_reductions(shape, inner_first):
    random = np.random.default_rng(0)
    host = HOSTS[sum(shape) % len(HOSTS)]
    a = random.normal(size=shape).astype(np.float32)
    for kind in KINDS:
        kernel, out = reduction(kind, shape, "float32", inner_first)
        compare(kernel, [a.ravel(), out], host=host, tolerance=1e-4)
        whole = random.integers(-9, 9, shape, dtype=np.int32)
        kernel, out = reduction(kind, shape, "int32", inner_first)
        if kind not in ("any", "all"):
            compare(kernel, [whole.ravel(), out], host=host)


@pytest.mark.parametrize("inner_first", [False, True])
def test_extremes_of_ties_and_nan(inner_first):
    random = np.random.default_rng(0)
    a = random.integers(0, 3, (64, 37)).astype(np.float32)
    a[3, 5] = a[3, 30] = a[40, 36] = np.nan
    a[7] = -np.inf
    a[:, 11] = np.inf
    for kind in ("amax", "amin", "argmax", "argmin", "sum"):
        kernel, out = reduction(kind, a.shape, "float32", inner_first)
        compare(kernel, [a.ravel(), out])


def test_reduction_of_nothing():
    kernel, out = reduction("sum", (4, 0), "float32", False)
    out[:] = 9
    compare(kernel, [np.empty(0, np.float32), out])


def test_several_inner_dimensions():
    # over batch and columns of (batch, channel, column): a batch norm's sums
    shape = (5, 6, 21)
    kinds = (("sum", 0, "float32"), ("sum", 1, "float32"), ("argmax", 0, "int64"))
    stage = Stage(
        body=(load(0, (21, 126, 1)), Instruction("square", (0,))),
        reductions=tuple(Reduction(*kind) for kind in kinds),
        row=tuple(Instruction("row", (), kind[2], k) for k, kind in enumerate(kinds)),
        row_stores=tuple((Access(k + 1, kinds[k][2], (1, 0, 0)), k) for k in range(3)),
    )
    kernel = Loop((6,), (5, 21), (stage,))
    arrays = [numbers_like(math.prod(shape)), *np.zeros((2, 6), np.float32), np.zeros(6, np.int64)]
    compare(kernel, arrays, tolerance=1e-5)


def softmax(rows, columns, stride):
    """exp(x - max) / sum, every stage from x anew."""
    x, out = Access(0, "float32", (stride, 1)), Access(1, "float32", (columns, 1))
    shifted = (
        Instruction("load", (), "float32", x),
        Instruction("row", (), "float32", 0),
        Instruction("sub", (0, 1)),
        Instruction("exp", (2,)),
    )
    stages = (
        Stage(body=shifted[:1], reductions=(Reduction("amax", 0, "float32"),)),
        Stage(
            body=shifted, reductions=(Reduction("sum", 3, "float32"),),
            row=(Instruction("row", (), "float32", 1), Instruction("reciprocal", (0,))),
            row_results=(1,),
        ),
        Stage(
            body=(*shifted, Instruction("row", (), "float32", 2), Instruction("mul", (3, 4))),
            stores=((out, 5),),
        ),
    )  # fmt: skip
    return Loop((rows,), (columns,), stages)


@pytest.mark.parametrize("host", HOSTS, ids=lambda h: h.name)
@pytest.mark.parametrize("columns", [1, 3, 10, 16, 33, 100, 257, 1000, 5000])
def test_softmax(columns, host):
    rows = 5 if columns > 12 else 43  # narrow rows go side by side
    x = numbers_like((rows, columns + 2)) * 5
    x[2, 0] = np.nan
    out = np.zeros((rows, columns), np.float32)
    kernel = softmax(rows, columns, columns + 2)
    compare(kernel, [x.ravel(), out.ravel()], host=host, tolerance=1e-5)


def test_softmax_in_place():
    rows, columns = 4, 70
    (*first, last) = softmax(rows, columns, columns).stages
    here = Access(0, "float32", (columns, 1))
    kernel = Loop((rows,), (columns,), (*first, replace(last, stores=((here, 5),))))
    x = numbers_like((rows, columns))
    want = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    kept, dtypes = kept_rows(kernel)
    assert dtypes == ("float32",)
    assert [i.name for i in kept.stages[2].body] == ["load", "row", "mul"]
    Native(kernel)([x])
    np.testing.assert_allclose(x, want, rtol=1e-5)


def test_what_a_stage_has_overwritten_is_not_kept():
    here = Access(0, "float32", (50, 1))
    load_exp = (Instruction("load", (), "float32", here), Instruction("exp", (0,)))
    total = Reduction("sum", 1, "float32")
    store = Stage(body=load_exp, reductions=(total,), stores=((here, 1),))
    again = Stage(body=load_exp, stores=((Access(1, "float32", (50, 1)), 1),))
    kernel = Loop((3,), (50,), (store, again))
    assert kept_rows(kernel) == (kernel, ())
    x, out = numbers_like((3, 50)), np.zeros((3, 50), np.float32)
    want = np.exp(np.exp(x))
    Native(kernel)([x, out])
    np.testing.assert_allclose(out, want, rtol=1e-5)


def test_softmax_over_a_leading_dimension():
    kernel = softmax(40, 7, 1)
    turned = [
        Stage(
            tuple(turn(i) for i in s.body), s.reductions, tuple((flip(a), n) for a, n in s.stores),
            s.row, s.row_results, s.row_stores,
        )
        for s in kernel.stages
    ]  # fmt: skip
    arrays = [numbers_like(280), np.zeros(280, np.float32)]
    compare(Loop((40,), (7,), tuple(turned)), arrays, tolerance=1e-5)


def flip(access):
    return Access(access.argument, access.dtype, (1, 40))


def turn(i):
    return Instruction(i.name, i.operands, i.dtype, flip(i.detail)) if i.name == "load" else i


def test_the_axis_is_where_memory_is_contiguous():
    rows = [load(k, (1, 0, 0)) for k in range(1, 6)]  # per channel: they do not count
    body = (load(0, (21, 126, 1)), *rows, Instruction("mul", (0, 1)))
    stage = Stage(body=body, reductions=(Reduction("sum", 6, "float32"),))
    assert not lay_out(Loop((6,), (5, 21), (stage,)), detect()).across
    stage = Stage(body=(load(0, (1, 9)),), reductions=(Reduction("sum", 0, "float32"),))
    assert lay_out(Loop((9,), (5,), (stage,)), detect()).across


def test_tasks_depend_on_shapes_alone():
    host = detect()
    small, large = elementwise_of((32, 64)), elementwise_of((2048, 2048))
    assert loop.tasks(small, host) == 1
    assert 64 <= loop.tasks(large, host) <= 1024
    assert loop.work(small) < 20_000 < loop.work(large)


def elementwise_of(shape):
    a = np.empty(shape, np.float32)
    return elementwise("add", [a, a], a)
