"""Programs: runs, outputs, updates, callbacks, faults."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from flambeau._engine.eager import RULES
from flambeau._engine.graph.ir import Node, Number, ProgramFault, Value
from flambeau._engine.loops import plan as plans
from flambeau._engine.loops.plan import Buffer, Callback, Plan, Step
from flambeau._engine.runtime import objects
from flambeau._engine.runtime.program import Program

from .kernels import F32, callback, chain, scale

SHAPE = (6, 50)


@pytest.fixture
def x():
    return np.random.RandomState(0).randn(*SHAPE).astype(np.float32)


def both_ways(monkeypatch):
    """Once as it is, once where Python has to read its objects itself."""
    yield
    monkeypatch.setattr(objects, "known", lambda: False)
    yield


def test_steps_run_in_order(x, monkeypatch):
    for _ in both_ways(monkeypatch):
        program = Program(chain(SHAPE, scale(SHAPE, factor=2.0), scale(SHAPE, factor=0.25)))
        (out,) = program.run([x])
        np.testing.assert_array_equal(out, x / 2)


def test_numbers_are_read_at_each_run(x, monkeypatch):
    for _ in both_ways(monkeypatch):
        program = Program(chain(SHAPE, scale(SHAPE, number=1), numbers=2))
        for number in (2.0, 3, True, np.float64(0.5), np.float32(4), 10**15, -1, -1.0):
            for numbers in ([0.0, number], (7, number)):
                (out,) = program.run((x,), numbers)
                np.testing.assert_array_equal(out, x * np.float32(number))


def test_a_number_too_large_for_a_float_is_an_error_and_nothing_runs(x):
    program = Program(chain(SHAPE, scale(SHAPE, number=0), numbers=1))
    with pytest.raises(OverflowError):
        program.run([x], [10**400])
    np.testing.assert_array_equal(program.run([x], [2])[0], x * 2)


def test_wrong_counts_are_errors(x):
    program = Program(chain(SHAPE, scale(SHAPE, number=0), numbers=1))
    for inputs, numbers in (([x, x], [1.0]), ([], [1.0]), ([x], []), ([x], [1.0, 2.0])):
        with pytest.raises(Exception, match="pack"):
            program.run(inputs, numbers)


def test_arrays_of_every_kind_are_read(x):
    program = Program(chain(SHAPE, scale(SHAPE, factor=2.0)))
    inside = np.zeros((8, 50), np.float32)[1:7]
    inside[...] = x
    subclass = x.view(np.matrix)
    for array in (x, inside, subclass):
        np.testing.assert_array_equal(program.run([array])[0], x * 2)


def test_outputs_are_fresh(x):
    program = Program(chain(SHAPE, scale(SHAPE, factor=2.0)))
    first, second = program.run([x])[0], program.run([-x])[0]
    np.testing.assert_array_equal(first, x * 2)
    np.testing.assert_array_equal(second, x * -2)
    assert first.flags.c_contiguous and first.flags.owndata


def test_a_static_output_is_one_array(x, monkeypatch):
    for _ in both_ways(monkeypatch):
        program = Program(chain(SHAPE, scale(SHAPE, factor=2.0), static=True))
        first, second = program.run([x])[0], program.run([-x])[0]
        assert first is second
        np.testing.assert_array_equal(second, x * -2)


def test_static_and_fresh_outputs_in_their_order(x):
    buffers = [
        Buffer(plans.INPUT, x.nbytes, position=0),
        *(Buffer(kind, x.nbytes, position=i) for i, kind in enumerate(
            (plans.OUTPUT, plans.STATIC, plans.OUTPUT))),
    ]  # fmt: skip
    steps = [Step(scale(SHAPE, factor=float(i)), ((0, 0), (i, 0))) for i in (1, 2, 3)]
    outputs = [(SHAPE, F32, False), (SHAPE, F32, True), (SHAPE, F32, False)]
    program = Program(Plan(buffers, list(steps), 0, 0, 1, outputs))
    for factor, out in enumerate(program.run([x]), 1):
        np.testing.assert_array_equal(out, x * factor)


def test_inputs_are_updated_in_place(x):
    buffers = [Buffer(plans.INPUT, x.nbytes, position=i) for i in range(2)]
    plan = Plan(buffers, [Step(scale(SHAPE, factor=3.0), ((0, 0), (1, 0)))], 0, 0, 2, [])
    target = np.zeros_like(x)
    assert Program(plan).run([x, target]) == []
    np.testing.assert_array_equal(target, x * 3)


def test_constants_and_byte_offsets(x):
    constant = np.arange(400, dtype=np.float32)
    buffers = [
        Buffer(plans.CONSTANT, constant.nbytes, array=constant),
        Buffer(plans.OUTPUT, 4 * 300, position=0),
    ]
    steps = [Step(scale((300,), factor=2.0), ((0, 40), (1, 0)))]
    program = Program(Plan(buffers, list(steps), 0, 0, 0, [((300,), F32, False)]))
    np.testing.assert_array_equal(program.run([])[0], constant[10:310] * 2)


def test_empty_plans_run():
    assert Program(Plan([], [], 0, 0, 0, [])).run([]) == []


# --- callbacks -------------------------------------------------------------------------------


def test_callbacks_stand_between_kernels(x):
    plan = chain(SHAPE, *[scale(SHAPE, factor=2.0)] * 3)
    plan.steps[1] = callback("exp", SHAPE, (1,), 2)
    program = Program(plan)
    for _ in range(3):
        np.testing.assert_array_equal(program.run([x])[0], 2 * np.exp(2 * x))


def test_callbacks_read_numbers_and_strided_inputs():
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    operand, out = Value((6, 4), F32, strides=(1, 6)), Value((6, 4), F32)
    node = Node("mul", (operand, Number(0)), {}, (out,))
    given = (0, 0, (6, 4), F32, (1, 6))
    step = Callback(node, (given, None), ((1, 0, (6, 4), F32, (4, 1)),))
    buffers = [Buffer(plans.INPUT, 96, position=0), Buffer(plans.OUTPUT, 96, position=0)]
    program = Program(Plan(buffers, [step], 0, 1, 1, [((6, 4), F32, False)]))
    np.testing.assert_array_equal(program.run([base.T], [2.5])[0], base.T * 2.5)
    # at a byte offset, backwards
    step.operands = ((0, 20, (4, 6), F32, (6, -1)), None)
    step.results = ((1, 0, (4, 6), F32, (6, 1)),)
    node.inputs = (Value((4, 6), F32), 3.0)
    node.outputs = (Value((4, 6), F32),)
    program = Program(Plan(buffers, [step], 0, 1, 1, [((4, 6), F32, False)]))
    np.testing.assert_array_equal(program.run([base], [0.0])[0], base[:, ::-1] * 3)


def test_an_error_in_a_callback_is_a_fault(x, monkeypatch):
    plan = chain(SHAPE, *[scale(SHAPE, factor=2.0)] * 2)
    plan.steps[1] = callback("exp", SHAPE, (1,), 2)
    program = Program(plan)

    class Stop(Exception):
        pass

    def stop(array):
        raise Stop

    with monkeypatch.context() as patched:
        patched.setitem(RULES, "exp", stop)
        for _ in range(3):
            with pytest.raises(ProgramFault, match="exp raised Stop"):
                program.run([x])
    np.testing.assert_array_equal(program.run([x])[0], np.exp(2 * x))


# --- faults ----------------------------------------------------------------------------------


def test_a_fault_is_raised(x, monkeypatch):
    for _ in both_ways(monkeypatch):
        program = Program(chain(SHAPE, scale(SHAPE, factor=2.0, faults=True)), "mine")
        x[0, 0] = -1
        with pytest.raises(ProgramFault, match=r"step 0 of program 'mine'"):
            program.run([x])
        x[0, 0] = 1
        np.testing.assert_array_equal(program.run([x])[0], x * 2)


def test_what_was_written_before_a_callback_raised_is_put_back(x, monkeypatch):
    buffers = [Buffer(plans.INPUT, x.nbytes, position=i) for i in range(2)]
    buffers.append(Buffer(plans.OUTPUT, x.nbytes, position=0))
    steps = [
        Step(scale(SHAPE, factor=3.0), ((0, 0), (1, 0))),
        callback("exp", SHAPE, (0,), 2),
    ]
    program = Program(Plan(buffers, steps, 0, 0, 2, [(SHAPE, F32, False)]))
    target = np.ones_like(x)
    with monkeypatch.context() as patched:
        patched.setitem(RULES, "exp", lambda array: 1 / 0)
        with pytest.raises(ProgramFault, match="ZeroDivisionError"):
            program.run([x, target])
    np.testing.assert_array_equal(target, 1)
    program.run([x, target])
    np.testing.assert_array_equal(target, x * 3)


# --- memory ----------------------------------------------------------------------------------


def test_equal_kernels_are_compiled_once(x, emitter):
    first = Program(chain(SHAPE, scale(SHAPE, factor=2.0), scale(SHAPE, factor=2.0)))
    second = Program(chain(SHAPE, scale(SHAPE, factor=2.0)))
    assert len(emitter.emitted) == 1
    np.testing.assert_array_equal(first.run([x])[0], x * 4)
    np.testing.assert_array_equal(second.run([x])[0], x * 2)


def test_kernels_that_differ_in_the_sign_of_zero_are_two(x, emitter):
    plus, minus = (Program(chain(SHAPE, scale(SHAPE, factor=zero))) for zero in (0.0, -0.0))
    assert len(emitter.emitted) == 2
    assert np.signbit(plus.run([x])[0]).sum() + np.signbit(minus.run([x])[0]).sum() == x.size


def test_kernels_hold_no_arrays():
    with pytest.raises(TypeError, match="unhashable"):
        Program(chain(SHAPE, scale(SHAPE, factor=2.0, table=np.zeros(5000))))


def test_code_goes_when_the_last_program_does(x):
    program = Program(chain(SHAPE, scale(SHAPE, factor=7.0)))
    other = Program(chain(SHAPE, scale(SHAPE, factor=7.0)))
    code = weakref.ref(program.natives[0])
    del program
    gc.collect()
    np.testing.assert_array_equal(other.run([x])[0], x * 7)
    del other
    gc.collect()
    assert code() is None


def test_runs_leave_no_memory_behind(x):
    program = Program(chain(SHAPE, *[scale(SHAPE, factor=2.0)] * 4))
    for _ in range(100):
        program.run([x])
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(1000):
        program.run([x])
    gc.collect()
    assert len(gc.get_objects()) - before < 50
