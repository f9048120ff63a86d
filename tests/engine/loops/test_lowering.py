"""Lowering by hand: what is written in place, what is copied, what is called back, and how long
it takes."""

from __future__ import annotations

import time

import numpy as np
import pytest

from flambeau._engine.graph.ir import Graph, Node, Output, Value
from flambeau._engine.loops.capabilities import Capabilities
from flambeau._engine.loops.kernel import Gemm, Loop, Special
from flambeau._engine.loops.lower import plan_of
from flambeau._engine.loops.plan import INPUT, OUTPUT, STATIC, Callback
from tests.engine.loops.programs import F32, F64, Making, compare, copies

RNG = np.random.default_rng(0)


def floats(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def run(making, outputs, updates=(), **options):
    return compare(making.graph(outputs, updates), making.arrays, making.numbers, **options)


def kinds(plan):
    return [
        type(s).__name__ if isinstance(s, Callback) else type(s.kernel).__name__ for s in plan.steps
    ]


def written(plan):
    """The kinds of the buffers that the kernels store to, step by step."""
    out = []
    for step in plan.steps:
        if isinstance(step, Callback) or isinstance(step.kernel, Special):
            continue
        kernel = step.kernel
        stores = (
            kernel.stores
            if isinstance(kernel, Gemm)
            else [s for stage in kernel.stages for s in (*stage.stores, *stage.row_stores)]
        )
        out.append({plan.buffers[step.arguments[a.argument][0]].kind for a, _ in stores})
    return out


# --- updates -------------------------------------------------------------------------------------


def test_an_update_is_written_in_place():
    m = Making()
    w, g = m.input(floats(4, 3)), m.input(floats(4, 3))
    plan = run(m, [], [(w, m.call("sub", w, m.call("mul", g, m.number(0.1))))])
    assert written(plan) == [{INPUT}] and not plan.arena_bytes


def test_readers_of_the_old_content_come_first():
    m = Making()
    x, w = m.input(floats(5, 3)), m.input(floats(3, 4))
    new = m.call("mul", w, 0.5)
    plan = run(m, [m.call("matmul", x, w)], [(w, new)])
    assert kinds(plan) == ["Gemm", "Loop"]


def test_an_update_that_changes_nothing():
    m = Making()
    a = m.input(floats(4))
    assert not run(m, [], [(a, a)]).steps


def test_a_swap_keeps_both():
    m = Making()
    a, b = m.input(floats(4)), m.input(floats(4))
    run(m, [], [(a, b), (b, a)])


def test_a_circle_of_three():
    m = Making()
    a, b, c = (m.input(floats(4)) for _ in range(3))
    run(m, [], [(a, m.call("neg", b)), (b, m.call("neg", c)), (c, m.call("neg", a))])


def test_a_transposed_update_of_itself():
    m = Making()
    a = m.input(floats(4, 4))
    run(m, [], [(a, m.call("permute", a, dims=(1, 0)))])


def test_an_update_that_reads_a_row_of_itself():
    m = Making()
    a = m.input(floats(4, 4))
    row = m.call("slice", a, index=(1,))
    run(m, [], [(a, m.call("add", a, row))])


def test_rows_in_place():
    m = Making()
    a = m.input(floats(6, 5))
    plan = run(m, [], [(a, m.call("softmax", a, dim=1))])
    assert written(plan) == [{INPUT}]


def test_a_function_is_computed_once_a_point():
    m = Making()
    a = m.input(floats(6, 5))
    plan = run(m, [m.call("softmax", a, dim=1)])
    (step,) = plan.steps
    names = [one.name for stage in step.kernel.stages for one in stage.body]
    assert names.count("exp") == 1  # it waits for the sum where the result will be


def test_columns_in_place():
    m = Making()
    a = m.input(floats(6, 5))
    total = m.call("sum", a, dims=(0,), keepdim=True)
    run(m, [], [(a, m.call("sub", a, total))])


def test_a_product_updates_its_operand():
    m = Making()
    a, b = m.input(floats(4, 4)), m.input(floats(4, 4))
    run(m, [], [(a, m.call("matmul", a, b))])


def test_a_product_updates_what_its_epilogue_reads():
    m = Making()
    a, b, c = m.input(floats(4, 3)), m.input(floats(3, 5)), m.input(floats(4, 5))
    plan = run(m, [], [(c, m.call("add", c, m.call("matmul", a, b)))])
    assert kinds(plan) == ["Gemm"] and written(plan) == [{INPUT}]


def test_an_update_of_strided_memory():
    m = Making()
    a = m.input(np.asfortranarray(floats(4, 6)))
    b = m.input(floats(4, 12)[:, ::2])
    total = m.call("add", a, b)
    run(m, [total], [(a, total), (b, m.call("mul", total, 2.0))])


def test_an_update_by_a_call():
    m = Making()
    a = m.input(floats(4, 6))
    run(m, [], [(a, m.call("cumsum", a, dim=1))])


def test_inputs_that_share_memory():
    m = Making()
    memory = floats(8)
    a, b = m.input(memory[:6]), m.input(memory[2:])
    graph = m.graph([], [(a, m.call("neg", m.call("add", a, b)))])
    graph.notes["shared"] = [(0, 1)]
    plan = plan_of(graph)
    assert len(plan.steps) == 2  # computed aside, then copied
    assert written(plan)[-1] == {INPUT}


def row(place):
    return (("slice", {"index": (place,)}, None),)


def test_a_region_is_written_in_place():
    m = Making()
    a, b = m.input(floats(4, 6)), m.input(floats(6))
    new = m.call("region_write", a, m.call("exp", b), steps=row(2))
    plan = run(m, [m.call("sum", new, dims=(1,), keepdim=False)], [(a, new)])
    assert not any(s.kernel.inner == (4, 6) for s in plan.steps if isinstance(s.kernel, Loop))


def test_a_region_is_written_over_itself():
    m = Making()
    a = m.input(floats(4, 6))
    shifted = m.call("slice", a, index=((0, 3, 1),))
    steps = (("slice", {"index": ((1, 4, 1),)}, None),)
    run(m, [], [(a, m.call("region_write", a, shifted, steps=steps))])


def test_a_region_of_what_an_update_holds():
    m = Making()
    a = m.input(np.asfortranarray(floats(2, 6)))
    turned = m.call("flip", m.call("neg", a), dims=(0,))
    run(m, [m.call("region_write", turned, 2.5, steps=row(1))], [(a, turned)])


def test_several_regions_and_a_number():
    m = Making()
    a, b = m.input(floats(4, 6)), m.input(floats(6, dtype=F64))
    first = m.call("region_write", m.call("neg", a), 1, steps=row(0))
    second = m.call("region_write", first, b, steps=row(1))
    third = m.call("region_write", second, m.call("slice", second, index=(1,)), steps=row(3))
    run(m, [third, a], [(a, second)])


# --- results -------------------------------------------------------------------------------------


def test_results_of_every_kind():
    m = Making()
    a = m.input(floats(3, 4))
    b = m.call("exp", a)
    turned = m.call("permute", b, dims=(1, 0))
    uniform = m.call("full", shape=(2,), value=3.0, dtype=F32)
    run(m, [a, b, b, turned, uniform, m.call("slice", a, index=(0,))])


def test_static_outputs_have_memory_of_their_own():
    m = Making()
    a = m.input(floats(3))
    b = m.call("exp", a)
    graph = Graph((a,), 0, tuple(m.nodes), (Output(b, static=True), Output(b)))
    kinds_ = {buffer.kind for buffer in plan_of(graph).buffers}
    assert {STATIC, OUTPUT} <= kinds_


def test_a_result_is_written_where_it_belongs():
    m = Making()
    a, b = m.input(floats(3, 4)), m.input(floats(4, 2))
    plan = run(m, [m.call("relu", m.call("matmul", a, b))])
    assert kinds(plan) == ["Gemm"] and written(plan) == [{OUTPUT}]


def test_pieces_are_written_side_by_side():
    m = Making()
    a, b = m.input(floats(3, 4)), m.input(floats(4, 2))
    product = m.call("matmul", a, b)
    rows = m.call("softmax", a, dim=1)
    plan = run(m, [m.call("cat", product, rows, dim=1)])
    assert kinds(plan) == ["Gemm", "Loop"]


def test_pieces_that_are_there_already():
    m = Making()
    a = m.input(floats(3, 4))
    b = m.call("exp", a)
    turned = m.call("permute", a, dims=(0, 1))
    inner = m.call("cat", b, a, b, dim=0)
    run(m, [m.call("cat", inner, turned, inner, b, dim=0), b])


def test_a_piece_that_is_read_besides():
    m = Making()
    a, w = m.input(floats(3, 4)), m.input(floats(2, 4))
    b = m.call("tanh", a)
    joined = m.call("cat", b, m.call("exp", a), dim=1)
    run(m, [m.call("linear", b, w, None), m.call("sum", joined, dims=(1,), keepdim=False)])


# --- numbers and dtypes --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_rounds_once_an_operation(dtype):
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    m = Making()
    a, w = m.input(floats(4, 8).astype(kind)), m.input(floats(3, 8).astype(kind))
    bias = m.input(floats(3).astype(kind))
    h = m.call("linear", a, w, bias)
    scaled = m.call("add", m.call("mul", h, m.number(0.3)), m.number(0.1))
    run(m, [m.call("softmax", scaled, dim=1), m.call("sum", a, dims=(0,), keepdim=False)])


def test_integers_and_booleans():
    m = Making()
    a = m.input(RNG.integers(-5, 5, (3, 4)))
    b = m.call("gt", a, 0)
    run(m, [
        m.call("add", a, 3), m.call("where", b, a, 0), m.call("any", b, dims=(1,), keepdim=False),
        m.call("all", a, dims=(0,), keepdim=True), m.call("argmax", a, dim=1, keepdim=False),
        m.call("sum", a, dims=(0, 1), keepdim=False), m.call("convert", b, dtype=F64),
    ])  # fmt: skip


def test_double_precision():
    m = Making()
    a, b = m.input(floats(3, 4, dtype=F64)), m.input(floats(4, 2, dtype=F64))
    run(m, [m.call("log_softmax", m.call("matmul", a, b), dim=0)])


def test_empty_and_scalar_values():
    m = Making()
    a, b = m.input(floats(0, 3)), m.input(floats())
    run(m, [m.call("exp", a), m.call("sum", a, dims=(0,), keepdim=False), m.call("exp", b)])


def test_literals():
    from flambeau._engine.prims.creation import Literal

    m = Making()
    a = m.input(floats(3, 3))
    mask = m.call("constant", array=Literal(np.tri(3, dtype=bool)))
    run(m, [m.call("where", mask, a, 0), mask])


# --- what does not fit ---------------------------------------------------------------------------


def test_what_has_no_code_is_called_back():
    m = Making()
    a = m.input(floats(3, 4))
    turned = m.call("permute", m.call("exp", a), dims=(1, 0))
    found = m.call("neg", m.call("lgamma", turned))
    refusing = Capabilities(elementwise=lambda name, operands, result: name != "lgamma")
    plan = run(m, [found], capabilities=refusing)
    assert kinds(plan) == ["Loop", "Callback", "Loop"]
    (callback,) = [s for s in plan.steps if isinstance(s, Callback)]
    assert callback.operands[0][4] == (1, 4)  # the view's true strides


def test_reshapes_that_no_strides_describe():
    m = Making()
    a = m.input(floats(4, 3, 4))
    x = m.call("view", m.call("exp", a), shape=(2, 3, 8))
    y = m.call(
        "view", m.call("copy", m.call("permute", x, dims=(2, 1, 0)), order="C"), shape=(6, 8)
    )
    run(m, [m.call("add", x, m.call("flip", x, dims=(2,))), m.call("cumsum", y, dim=0)])


def test_a_reshape_of_strided_memory():
    m = Making()
    a = m.input(np.asfortranarray(floats(4, 6)))
    w = m.input(floats(3, 8))
    flat = m.call("view", m.call("copy", a, order="C"), shape=(3, 8))
    run(m, [m.call("linear", flat, w, None)])


def test_positions_added_to_products():
    m = Making()
    x, w, places = m.input(floats(2, 5, 3)), m.input(floats(4, 3)), m.input(floats(5, 4))
    run(m, [m.call("add", m.call("linear", x, w, None), places)])


def chain(length):
    """A long chain with a residual: no kernel can hold it all."""
    a = Value((8, 8), F32)
    nodes, values = [], [a]
    for step in range(length):
        out = Value((8, 8), F32)
        name = ("tanh", "add", "mul")[step % 3]
        inputs = (values[-1],) if name == "tanh" else (values[-1], values[max(0, step - 40)])
        nodes.append(Node(name, inputs, {}, (out,)))
        values.append(out)
    return Graph((a,), 0, tuple(nodes), (Output(values[-1]),))


def lowering_time(graph):
    best = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        plan_of(graph)
        best = min(best, time.perf_counter() - start)
    return best


def test_time_grows_with_the_number_of_nodes():
    small, large = lowering_time(chain(500)), lowering_time(chain(4000))
    assert large < 8 * small * 3


def test_a_long_chain():
    graph = chain(700)
    arrays = [floats(8, 8)]
    plan = compare(graph, copies(arrays), [])
    largest = max(len(s.kernel.stages[0].body) for s in plan.steps if isinstance(s.kernel, Loop))
    assert largest < 1000
