"""What has to be saved so that a run that fails leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau._engine.eager import RULES
from flambeau._engine.eager.mt19937 import GeneratorState
from flambeau._engine.graph.ir import Node, ProgramFault, Value
from flambeau._engine.loops import plan as plans
from flambeau._engine.loops.kernel import Access, Gemm, Instruction, Loop, Special, Stage
from flambeau._engine.loops.plan import Buffer, Callback, Plan, Step
from flambeau._engine.runtime.hazards import at_risk, writes_of
from flambeau._engine.runtime.program import Program

from .kernels import F32, callback

INDEX, ROWS = ("int64", (5,), (1,)), ("float32", (5,), (1,))
CHECK = Special("check_index", (INDEX,), (("high", 9), ("low", 0)))
GATHER = Special("gather", (ROWS, INDEX, ROWS), (("dim", 0),))
COPY = Loop(
    (), (5,),
    (Stage((Instruction("load", detail=Access(0, "float32", (1,))),),
           stores=((Access(1, "float32", (1,)), 0),)),),
)  # fmt: skip
PRODUCT = Gemm(
    (), 1, 5, 1, "float32", Access(0, "float32", (1, 1)), Access(1, "float32", (5, 1)),
    (Instruction("product"),), ((Access(2, "float32", (5, 1)), 0),),
)  # fmt: skip
DRAW = Special("random_uniform", (("uint32", (625,), (1,)), ROWS))


def plan(*steps) -> Plan:
    """Buffers 0 to 3 are inputs, 4 a generator's, 5 scratch memory."""
    buffers = [Buffer(plans.INPUT, 40, position=i) for i in range(4)]
    buffers += [Buffer(plans.OBJECT, 2500, array=np.zeros(625, np.uint32))]
    buffers += [Buffer(plans.ARENA, 40, offset=0)]
    return Plan(buffers, list(steps), 40, 0, 4)


def step(kernel, *buffers: int) -> Step:
    return Step(kernel, tuple((number, 0) for number in buffers))


def safe(kernel, *buffers: int) -> Step:
    """A step that does not fault."""
    made = step(kernel, *buffers)
    made.faults = False
    return made


def test_what_steps_write():
    assert writes_of(step(COPY, 0, 1)) == {1}
    assert writes_of(step(PRODUCT, 0, 1, 2)) == {2}
    assert writes_of(step(GATHER, 0, 3, 5)) == {5}
    assert writes_of(step(CHECK, 3)) == set()
    assert writes_of(step(DRAW, 4, 5)) == {4, 5}
    assert writes_of(callback("exp", (5,), (0,), 2)) == {2}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([step(GATHER, 0, 3, 5), step(COPY, 5, 1)], []),  # the good order
        ([step(COPY, 0, 1), step(GATHER, 0, 3, 5)], [1]),
        ([step(PRODUCT, 0, 2, 1), step(GATHER, 0, 3, 5)], [1]),
        ([step(COPY, 0, 1), safe(GATHER, 0, 3, 5)], []),  # known to be in range
        ([step(DRAW, 4, 5), step(GATHER, 0, 3, 5)], [4]),
        ([step(COPY, 0, 5), step(GATHER, 0, 3, 5)], []),  # scratch memory
        ([step(COPY, 0, 1), step(COPY, 0, 2)], []),  # nothing can fail
        ([step(COPY, 0, 1), callback("exp", (5,), (0,), 5)], [1]),
    ],
)
def test_what_is_written_before_a_step_that_can_fail(steps, expected):
    assert at_risk(plan(*steps)) == (expected, [])


def test_a_generator_that_a_callback_drew_from_is_put_back(monkeypatch):
    generator = GeneratorState(5)
    params = {"shape": (8,), "dtype": F32, "low": 0.0, "high": 1.0, "generator": generator}
    drawn = Value((8,), F32)
    place = (0, 0, (8,), F32, (1,))
    draw = Callback(Node("random_uniform", (), params, (drawn,)), (), (place,))
    buffers = [Buffer(plans.OUTPUT, 32, position=i) for i in range(2)]
    steps = [draw, callback("exp", (8,), (0,), 1)]
    program = Program(Plan(buffers, steps, 0, 0, 0, [((8,), F32, False)] * 2))
    first, second = program.run([])
    np.testing.assert_array_equal(second, np.exp(first))
    state = generator.to_bytes()
    with monkeypatch.context() as patched:
        patched.setitem(RULES, "exp", lambda array: 1 / 0)
        with pytest.raises(ProgramFault, match="ZeroDivisionError"):
            program.run([])
    assert generator.to_bytes() == state
