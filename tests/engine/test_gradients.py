"""Every gradient rule against finite differences, once and twice, and what it may not share."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau
from flambeau._engine.autograd.calls import P
from flambeau._engine.autograd.table import GRADIENTS
from flambeau._engine.autograd.tensor import wrap
from flambeau._engine.prims import PRIMITIVES

from .samples import ELSEWHERE, SAMPLES

CASES = [(name, number) for name in SAMPLES for number in range(len(SAMPLES[name]))]


def test_every_gradient_rule_has_a_sample():
    differentiable = {name for name, found in GRADIENTS.items() if found is not None}
    assert differentiable - SAMPLES.keys() == ELSEWHERE.keys()
    assert SAMPLES.keys() <= PRIMITIVES.keys()


def _call(name, sample):
    """A function of the differentiable operands, and those operands."""
    fixed, free = {}, {}
    for position, x in enumerate(sample.operands):
        number = isinstance(x, np.ndarray) and x.dtype.kind in "fc"
        if number and position not in sample.fixed:
            free[position] = wrap(x.copy()).requires_grad_()
        else:
            fixed[position] = wrap(x) if isinstance(x, np.ndarray) else x

    def function(*given):
        operands = dict(zip(free, map(sample.start, given), strict=True)) | fixed
        ordered = [operands[i] for i in range(len(operands))]
        return sample.finish(getattr(P, name)(*ordered, **sample.params))

    return function, tuple(free.values())


@pytest.mark.parametrize(("name", "number"), CASES)
def test_first_derivative(name, number):
    sample = SAMPLES[name][number]
    function, inputs = _call(name, sample)
    assert flambeau.autograd.gradcheck(function, inputs)


@pytest.mark.parametrize(("name", "number"), [c for c in CASES if SAMPLES[c[0]][c[1]].second])
def test_second_derivative(name, number):
    sample = SAMPLES[name][number]
    function, inputs = _call(name, sample)
    assert flambeau.autograd.gradgradcheck(function, inputs, atol=1e-4)


@pytest.mark.parametrize(("name", "number"), CASES)
def test_results_and_gradients_have_memory_of_their_own(name, number):
    sample = SAMPLES[name][number]
    function, inputs = _call(name, sample)
    found = function(*inputs)
    outs = list(found) if isinstance(found, (list, tuple)) else [found]
    if not PRIMITIVES[name].view:
        for out in outs:
            for x in inputs:
                assert not np.shares_memory(out._array, x._array)
    outs = [o for o in outs if o.requires_grad]
    before = [x._array.copy() for x in inputs]
    sum(o.abs().sum() for o in outs).backward()
    kept = [o._array for o in outs] + [x._array for x in inputs]
    grads = [x.grad._array for x in inputs if x.grad is not None]
    for number, grad in enumerate(grads):
        assert not any(np.shares_memory(grad, other) for other in kept + grads[:number])
        assert grad.flags.writeable
    for x, array in zip(inputs, before, strict=True):
        assert np.array_equal(x._array, array)
