"""What a program says of its steps."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.loops import plan as plans
from flambeau._engine.loops.kernel import Access, Gemm, Instruction, Loop, Reduction, Special, Stage
from flambeau._engine.loops.plan import Buffer, Plan
from flambeau._engine.runtime.program import Program
from flambeau._engine.runtime.statistics import kernel_facts

from .kernels import callback, chain, scale

SHAPE = (8, 64)


def test_steps_are_described():
    plan = chain(SHAPE, *[scale(SHAPE, factor=2.0)] * 2)
    plan.steps[1] = callback("exp", SHAPE, (1,), 2)
    plan.steps[1].event = 5
    first, second = Program(plan).describe()
    assert (first.kind, first.bytes, first.event) == ("test_scale", 2 * 4 * 512, 0)
    assert (second.kind, second.bytes, second.event) == ("callback", 2 * 4 * 512, 5)
    assert second.text == "exp(float32[8, 64], float32[8, 64])"


def test_a_matrix_product():
    body = (
        Instruction("product"),
        Instruction("load", detail=Access(2, "float32", (0, 1))),
        Instruction("add", (0, 1)),
        Instruction("relu", (2,)),
    )
    kernel = Gemm(
        (), 4, 5, 6, "float32", Access(0, "float32", (6, 1)), Access(1, "float32", (1, 6)),
        body, ((Access(3, "float32", (5, 1)), 3),),
    )  # fmt: skip
    kind, text, moved, flops = kernel_facts(kernel)
    assert (kind, text) == ("gemm", "4x5 over 6 float32: add relu")
    assert moved == 4 * (4 * 6 + 6 * 5 + 5 + 4 * 5)
    assert flops == 20 * (12 + 2)


def test_a_loop():
    load = Instruction("load", detail=Access(0, "float32", (10, 1)))
    stages = (
        Stage((load,), (Reduction("sum", 0, "float32"),)),
        Stage(
            (load, Instruction("row", detail=0), Instruction("sub", (0, 1))),
            stores=((Access(1, "float32", (10, 1)), 2),),
        ),
    )
    kind, text, moved, flops = kernel_facts(Loop((3,), (10,), stages))
    assert (kind, text) == ("loop", "3x10 over 10: sum sub")
    assert moved == 4 * 60
    assert flops == 60


@pytest.mark.parametrize("work", [10, 10**6])
def test_steps_are_timed_without_a_trace(work):
    buffers = [Buffer(plans.INPUT, 2048, position=i) for i in range(2)]
    steps = [plans.Step(scale(SHAPE, factor=3.0, work=work), ((0, 0), (1, 0)))]
    program = Program(Plan(buffers, list(steps), 0, 0, 2, []))
    target = np.ones((64, 16), np.float32).T[::2]
    spent = program.time_steps([np.ones(SHAPE, np.float32), target], [], repeats=3)
    assert len(spent) == 1 and 0 < spent[0] < 10**8
    np.testing.assert_array_equal(target, 1)
    program.times[:] = 0
    program.run([np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32)])
    assert not program.times.any()


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("convolution", ("given", "weight", "result")),
        ("convolution_input_grad", ("result", "weight", "given")),
        ("convolution_weight_grad", ("given", "result", "weight")),
    ],
)
def test_a_convolution(name, order):
    shapes = {"given": (2, 3, 8, 8), "weight": (5, 3, 2, 2), "result": (2, 5, 7, 7)}
    arguments = tuple(("float32", shapes[each], ()) for each in order)
    kind, _, _, flops = kernel_facts(Special(name, arguments, ()))
    assert kind == name and flops == 2 * (2 * 5 * 7 * 7) * (3 * 2 * 2)
