"""Random programs keep flambeau's own promises (`against_torch.py` compares with PyTorch)."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings, strategies as st

import flambeau
from flambeau._engine.autograd.views import replay

from .programs import Machine, next_line, program, smooth_program, state

RANDOMS = st.randoms(use_true_random=False)
QUIET = settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def run(lines):
    """A program's machine when it has run, and the kinds of errors on the way."""
    machine = Machine(flambeau)
    return machine, [machine.run(line) for line in lines]


@QUIET
@given(RANDOMS)
def test_a_program_gives_the_same_bits_twice(random):
    lines = program(random, flambeau, 20)
    (first, errors), (second, again) = run(lines), run(lines)
    assert errors == again
    assert repr({n: state(t) for n, t in first.tensors.items()}) == repr(
        {n: state(t) for n, t in second.tensors.items()}
    )


@QUIET
@given(RANDOMS)
def test_errors_are_those_a_user_may_expect(random):
    machine = Machine(flambeau)
    for number in range(20):
        line = next_line(random, machine, number)
        kind = machine.run(line)
        if "'NoneType'" in str(machine.error):  # the program's own fault: `.grad` is None
            continue
        assert kind in ("", "RuntimeError", "IndexError", "TypeError", "ValueError"), (
            line,
            machine.error,
        )


@QUIET
@given(RANDOMS)
def test_views_are_what_their_steps_make_of_the_base(random):
    machine, _ = run(program(random, flambeau, 20))
    for t in machine.tensors.values():
        if t._view is None or t._view.base._storage is not t._storage:
            continue
        with flambeau.no_grad():
            made = replay(t._view.steps, t._view.base)
        assert made._array.shape == t._array.shape
        assert np.array_equal(made._array, t._array, equal_nan=t._array.dtype.kind in "fc")


@QUIET
@given(RANDOMS)
def test_no_gradient_shares_memory_with_anything(random):
    machine, _ = run(program(random, flambeau, 20))
    tensors = [t for t in machine.tensors.values() if not t.is_inference()]
    seen = {}
    for t in tensors:
        if t._grad is not None:
            seen.setdefault(id(t._grad), t._grad)
    held = [g._array for g in seen.values()]
    for number, grad in enumerate(held):
        for other in held[:number] + [t._array for t in tensors]:
            assert other is grad or not np.shares_memory(grad, other)


def _total(lines, values):
    machine = Machine(flambeau)
    machine.names["v0"] = flambeau.tensor(values, dtype=flambeau.float64).requires_grad_()
    for line in lines:
        assert machine.run(line) == "", (line, machine.error)
    total = sum((t * t).sum() for n, t in machine.tensors.items() if n != "v0")
    return machine.names["v0"], total


@QUIET
@given(RANDOMS)
def test_gradients_through_views_and_writes_are_slopes(random):
    values = np.linspace(-1.0, 1.2, 6).reshape(2, 3)
    lines = smooth_program(random, flambeau, values, 12)
    x, total = _total(lines, values)
    if not isinstance(total, flambeau.Tensor) or not total.requires_grad:
        return
    try:
        total.backward()
    except RuntimeError as error:  # rightly, and as PyTorch does
        assert "modified by an inplace" in str(error) or "more than one element" in str(error)
        return
    step = 1e-6
    for place in np.ndindex(values.shape):
        moved = []
        for sign in (1, -1):
            changed = values.copy()
            changed[place] += sign * step
            moved.append(_total(lines, changed)[1].item())
        slope = (moved[0] - moved[1]) / (2 * step)
        found = x.grad[place].item()
        assert abs(found - slope) <= 1e-4 * (1 + abs(slope)), (lines, place, found, slope)
