"""Matrix products as native code against NumPy in float64: shapes, strides, epilogues, hosts."""

from __future__ import annotations

import ctypes
import random
from dataclasses import dataclass, field
from functools import cache
from math import prod

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import ml_dtypes

from flambeau._engine.llvm import gemm, gemm_plan
from flambeau._engine.llvm.gemm_plan import DotTiling, plan, simplify
from flambeau._engine.loops.kernel import Access, Gemm, Instruction

from .native import HOSTS, Native

HALF = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
NUMBERS = (0.5, 0.9)


@dataclass
class Operand:
    """An array in a buffer that is NaN elsewhere, and how a kernel sees it."""

    buffer: np.ndarray
    strides: tuple[int, ...]
    offset: int
    shape: tuple[int, ...]

    @property
    def view(self) -> np.ndarray:
        size = self.buffer.itemsize
        steps = tuple(s * size for s in self.strides)
        return np.lib.stride_tricks.as_strided(self.buffer[self.offset :], self.shape, steps)

    def access(self, argument: int) -> Access:
        return Access(argument, str(self.buffer.dtype), self.strides, self.offset)


def operand(choose, shape, dtype, layout="random", broadcast=()):
    """Random numbers of a shape, in a layout: "rows" (C order), "columns" (the last two dimensions
    exchanged) or "random" (any order of dimensions, gaps between elements)."""
    rank = len(shape)
    order = list(range(rank))
    gaps = [1] * rank
    if layout == "columns":
        order[-2:] = order[-1], order[-2]
    elif layout == "random":
        choose.shuffle(order)
        gaps = [choose.choice((1, 1, 2, 3)) for _ in shape]
    strides, step = [0] * rank, 1
    for dimension in reversed(order):
        if dimension in broadcast:
            continue
        strides[dimension] = step * gaps[dimension]
        step = strides[dimension] * max(shape[dimension], 1)
    offset = choose.choice((0, 0, 5))
    kind = np.dtype(HALF.get(dtype, dtype))
    boolean = kind.kind == "b"
    buffer = np.full(step + offset, boolean or np.nan).astype(kind)
    made = Operand(buffer, tuple(strides), offset, tuple(shape))
    values = np.random.default_rng(choose.randrange(1 << 30)).standard_normal(shape)
    made.view[...] = values > 0 if boolean else values
    return made


@dataclass
class Case:
    """A product with its epilogue: the kernel, its arrays, and what they must become."""

    kernel: Gemm
    arrays: list[np.ndarray]
    outputs: list[tuple[Operand, np.ndarray]]  # and the expected values, in float64
    scale: np.ndarray = field(default_factory=lambda: np.zeros(1))


def load(made: Operand, argument: int) -> Instruction:
    return Instruction("load", (), str(made.buffer.dtype), made.access(argument))


def epilogue(kind, choose, shape, dtype, product):
    """(body, operands from argument 2 on, [(operand, position in the body, expected)])."""
    first = Instruction("product", (), dtype)

    def make(broadcast=(), kind=dtype):
        rank = len(shape)
        return operand(choose, shape, kind, "random", [rank + d for d in broadcast])

    out = make()
    if kind == "plain":
        return [first], [out], [(out, 0, product)]
    if kind == "bias":
        bias = make((-2, *range(-len(shape), -2)))
        body = [first, load(bias, 3), Instruction("add", (0, 1), dtype),
                Instruction("relu", (2,), dtype)]  # fmt: skip
        return body, [out, bias], [(out, 3, np.maximum(product + bias.view, 0))]
    if kind == "rows":
        scale = make((-1,))
        body = [first, load(scale, 3), Instruction("number", (), dtype, 1),
                Instruction("mul", (0, 1), dtype), Instruction("mul", (3, 2), dtype)]  # fmt: skip
        return body, [out, scale], [(out, 4, product * scale.view * NUMBERS[1])]
    if kind == "mask":
        mask, second = make(kind="bool"), make()
        body = [first, load(mask, 3), Instruction("constant", (), dtype, 0.0),
                Instruction("where", (1, 0, 2), dtype)]  # fmt: skip
        stores = [(out, 3, np.where(mask.view, product, 0)), (second, 0, product)]
        return body, [out, mask, second], stores
    if kind == "momentum":
        velocity = make()
        moved = velocity.view * NUMBERS[1] + product
        stepped = out.view - NUMBERS[0] * moved
        body = [
            first, load(velocity, 3), Instruction("number", (), dtype, 1),
            Instruction("mul", (1, 2), dtype), Instruction("add", (3, 0), dtype), load(out, 2),
            Instruction("number", (), dtype, 0), Instruction("mul", (6, 4), dtype),
            Instruction("sub", (5, 7), dtype),
        ]  # fmt: skip
        return body, [out, velocity], [(out, 8, stepped), (velocity, 4, moved)]
    if kind == "long":
        body = [first]
        expected = product
        for _ in range(5):
            body.append(Instruction("tanh", (len(body) - 1,), dtype))
            body.append(Instruction("add", (len(body) - 1, 0), dtype))
            expected = np.tanh(expected) + product
            body.append(Instruction("neg", (len(body) - 1,), dtype))
            expected = -expected
        return body, [out], [(out, len(body) - 1, expected)]
    assert kind == "index"
    body, expected = [first], product
    for dimension in range(len(shape)):
        body += [Instruction("index", (), "int64", dimension),
                 Instruction("convert", (len(body),), dtype)]  # fmt: skip
        body.append(Instruction("add", (len(body) - 1, len(body) - 3), dtype))
        expected = expected + np.indices(shape)[dimension]
    return body, [out], [(out, len(body) - 1, expected)]


def case(choose, m, n, k, *, dtype="float32", inputs=None, batch=(), layouts=("rows", "rows"),
         kind="plain", broadcast=((), ())):  # fmt: skip
    """A product of random numbers."""
    a = operand(choose, (*batch, m, k), inputs or dtype, layouts[0], broadcast[0])
    b = operand(choose, (*batch, k, n), inputs or dtype, layouts[1], broadcast[1])
    wide_a, wide_b = a.view.astype(np.float64), b.view.astype(np.float64)
    body, others, stores = epilogue(kind, choose, (*batch, m, n), dtype, wide_a @ wide_b)
    places = {id(x): 2 + i for i, x in enumerate(others)}
    kernel = Gemm(
        batch, m, n, k, dtype, a.access(0), b.access(1), tuple(body),
        tuple((made.access(places[id(made)]), position) for made, position, _ in stores),
    )  # fmt: skip
    arrays = [a.buffer, b.buffer, *(x.buffer for x in others)]
    outputs = [(made, expected) for made, _, expected in stores]
    return Case(kernel, arrays, outputs, np.abs(wide_a) @ np.abs(wide_b))


@cache
def native(kernel, host):
    return Native(kernel, host, gemm)


def execute(kernel, arrays, host, cuts=2, order=1):
    """Run a kernel's tasks in `cuts` ranges."""
    code = native(kernel, host)
    scratch = np.full(gemm.scratch_bytes(kernel, host) + 1, 255, np.uint8)  # NaN
    pointers = (ctypes.c_void_p * (len(arrays) + 1))(
        *(a.ctypes.data for a in arrays), scratch.ctypes.data
    )
    numbers = (ctypes.c_double * 2)(*NUMBERS)
    ends = sorted({code.tasks * i // cuts for i in range(cuts + 1)})
    for begin, end in list(zip(ends, ends[1:]))[::order]:
        assert code.function(pointers, numbers, begin, end) == 0
    assert scratch[-1] == 255


def check(made: Case, host, cuts=2):
    """Run a case, and compare all memory that it may and may not write."""
    kernel = made.kernel
    written = {id(out.buffer) for out, _ in made.outputs}
    before = [array.copy() for array in made.arrays]
    execute(kernel, made.arrays, host, cuts)
    epsilon = np.finfo(kernel.dtype).eps
    for out, expected in made.outputs:
        bound = 8 * epsilon * ((kernel.k + 8) * made.scale + np.abs(expected) + 1)
        assert np.all(np.abs(out.view - expected) <= bound), kernel
        out.view[...] = 0
    for array, old in zip(made.arrays, before):
        if id(array) not in written:
            assert array.tobytes() == old.tobytes()
    for out, _ in made.outputs:  # the gaps
        old = next(o for a, o in zip(made.arrays, before) if a is out.buffer)
        kept = Operand(old, out.strides, out.offset, out.shape)
        kept.view[...] = 0
        assert out.buffer.tobytes() == old.tobytes(), kernel


SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 31, 32, 33, 48, 63, 64, 65, 80, 100)
KINDS = ("plain", "bias", "rows", "mask", "momentum", "long", "index")
LAYOUTS = ("rows", "columns", "random")


@pytest.mark.parametrize("seed", range(24))
def test_random_products(seed):
    choose = random.Random(seed)
    for number in range(8):
        batch = choose.choice(((), (), (), (3,), (2, 2), (1,), (0,)))
        m, n, k = (choose.choice(SIZES) for _ in range(3))
        broadcast = tuple([d for d in range(len(batch)) if choose.random() < 0.3] for _ in "ab")
        dtype = choose.choice(("float32", "float32", "float64"))
        made = case(
            choose, m, n, k,
            dtype=dtype,
            inputs=choose.choice(tuple(HALF)) if dtype == "float32" and number == 0 else None,
            batch=batch,
            layouts=(choose.choice(LAYOUTS), choose.choice(LAYOUTS)),
            kind=choose.choice(KINDS),
            broadcast=broadcast,
        )  # fmt: skip
        host = HOSTS[choose.randrange(2) % len(HOSTS)] if choose.random() < 0.9 else HOSTS[-1]
        check(made, host, cuts=choose.choice((1, 2, 3)))


@pytest.mark.parametrize("layouts", [(a, b) for a in LAYOUTS[:2] for b in LAYOUTS[:2]])
@pytest.mark.parametrize(
    "m, n, k",
    [(32, 64, 20), (32, 3, 64), (3, 64, 32), (1, 256, 300), (300, 1, 70), (37, 53, 6000),
     (130, 200, 160), (64, 64, 0)],
)  # fmt: skip
def test_layers(m, n, k, layouts):
    choose = random.Random(m * n + k)
    for kind, host in zip(("bias", "momentum"), HOSTS):
        check(case(choose, m, n, k, layouts=layouts, kind=kind), host, cuts=3)


@pytest.mark.parametrize("k", [0, 1, 5, 40, 3000])
def test_large_results_are_asked_for_in_time(k):
    """Between sections of the sum, of which there may be more than steps of k."""
    made = case(random.Random(7), 301, 500, k, layouts=("columns", "rows"), kind="momentum")
    tiling = plan(simplify(made.kernel), HOSTS[0])
    assert tiling.prefetch and (tiling.blocks > 1) == (k == 3000)
    check(made, HOSTS[0], cuts=3)


def test_distant_columns_of_a_are_packed():
    for host in HOSTS:
        made = case(random.Random(8), 1030, 140, 50, layouts=("columns", "rows"), kind="momentum")
        assert plan(simplify(made.kernel), host).pack_a
        check(made, host, cuts=3)


@pytest.mark.parametrize("right", ["rows", "columns"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_packed_rows_serve_the_tasks_that_follow(monkeypatch, right, batch):
    """Row parts of tiles of two heights, for several columns each; each batch has its own."""
    monkeypatch.setattr(gemm_plan, "PACKED_ROWS", 2_000_000)
    for host in HOSTS[:2]:
        made = case(random.Random(8), 1031, 384, 900, batch=batch, layouts=("columns", right))
        tiling = plan(simplify(made.kernel), host)
        assert tiling.rows_stay and tiling.row_parts.parts > 1 and tiling.column_parts.parts > 1
        assert len(tiling.rows.sizes()) == 2
        check(made, host, cuts=3)


def test_packed_rows_in_several_blocks_of_k():
    made = case(random.Random(9), 1030, 130, 5000, layouts=("columns", "columns"), kind="bias")
    tiling = plan(simplify(made.kernel), HOSTS[0])
    assert tiling.pack_a and tiling.blocks > 1
    check(made, HOSTS[0], cuts=3)


@pytest.mark.parametrize("inputs", HALF)
@pytest.mark.parametrize("left", LAYOUTS)
def test_rows_are_widened_when_they_are_packed(inputs, left):
    for host in HOSTS:
        made = case(random.Random(10), 77, 90, 130, layouts=(left, "rows"), inputs=inputs)
        assert plan(simplify(made.kernel), host).pack_a
        check(made, host)


@pytest.mark.parametrize("kind", ["bias", "long"])
def test_k_in_several_blocks(kind):
    """Sums are kept between blocks of k, and the epilogue runs once."""
    choose = random.Random(1)
    made = case(choose, 33, 50, 9000, layouts=("rows", "rows"), kind=kind)
    assert plan(simplify(made.kernel), HOSTS[0]).blocks > 1
    check(made, HOSTS[0])


@pytest.mark.parametrize("inputs", [None, *HALF])
def test_short_sides_are_dot_products(inputs):
    for host in HOSTS:
        made = case(
            random.Random(2), 1, 100, 500, layouts=("rows", "columns"), kind="bias", inputs=inputs
        )
        assert isinstance(plan(simplify(made.kernel), host), DotTiling)
        check(made, host)


@pytest.mark.parametrize("layouts", [("rows", "rows"), ("rows", "columns"), ("columns", "rows")])
@pytest.mark.parametrize(
    "m, n, k", [(1, 3000, 1000), (200, 300, 400), (100, 300, 5000), (1100, 300, 200)]
)
def test_bits_do_not_depend_on_the_division_of_tasks(m, n, k, layouts):
    results = []
    for cuts, order in ((1, 1), (2, -1), (5, 1), (1000, -1)):
        made = case(random.Random(3), m, n, k, layouts=layouts)
        assert gemm.tasks(made.kernel, HOSTS[0]) > 1
        execute(made.kernel, made.arrays, HOSTS[0], cuts, order)
        results.append(made.outputs[0][0].view.tobytes())
    assert len(set(results)) == 1


def test_matrices_that_share_b_are_one():
    choose = random.Random(6)
    a, b, c = (
        operand(choose, shape, "float32", "rows", broadcast)
        for shape, broadcast in (((3, 5, 9, 30), ()), ((3, 5, 30, 40), (0, 1)), ((3, 5, 9, 40), ()))
    )
    kernel = Gemm(
        (3, 5), 9, 40, 30, "float32", a.access(0), b.access(1), (Instruction("product"),),
        ((c.access(2), 0),),
    )  # fmt: skip
    simple = simplify(kernel)
    assert (simple.batch, simple.m, simple.n, simple.k) == ((), 135, 40, 30)
    execute(kernel, [a.buffer, b.buffer, c.buffer], HOSTS[0])
    np.testing.assert_allclose(c.view, a.view @ b.view, rtol=1e-4, atol=1e-4)


def test_nan_and_infinity_stay_where_they_belong():
    made = case(random.Random(4), 20, 40, 30, layouts=("columns", "columns"))
    a, b = (np.ones(s, np.float32) for s in ((30, 20), (40, 30)))
    a[3, 7], b[11, 4] = np.nan, np.inf
    kernel = simplify(made.kernel)
    made.arrays[0][kernel.a.offset :] = a.ravel()
    made.arrays[1][kernel.b.offset :] = b.ravel()
    execute(made.kernel, made.arrays, HOSTS[0])
    found = made.outputs[0][0].view
    assert np.isnan(found[7]).all()
    others = np.delete(found, 7, 0)
    assert np.isposinf(others[:, 11]).all()
    assert (np.delete(others, 11, 1) == 30).all()


def test_negative_strides():
    a, b, c = (np.zeros(s, np.float32) for s in (20 * 30, 30 * 24, 20 * 24))
    a[:], b[:] = np.arange(600) % 7, np.arange(720) % 5
    kernel = Gemm(
        (), 20, 24, 30, "float32", Access(0, "float32", (-30, -1), 599),
        Access(1, "float32", (24, -1), 23), (Instruction("product"),),
        ((Access(2, "float32", (24, 1)), 0),),
    )  # fmt: skip
    execute(kernel, [a, b, c], HOSTS[0])
    expected = a.reshape(20, 30)[::-1, ::-1] @ b.reshape(30, 24)[:, ::-1]
    assert (c.reshape(20, 24) == expected).all()


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_work_grows_with_the_product_and_tasks_with_work(host):
    choose = random.Random(5)
    small, large = case(choose, 8, 8, 8).kernel, case(choose, 300, 300, 300).kernel
    assert gemm.tasks(small, host) == 1 < gemm.tasks(large, host)
    assert gemm.work(small) < gemm.work(large)
    assert prod(large.batch) == 1
