"""Ops that look at elements outside primitives are declared, and nothing else does.

What an op did when it was recorded is taken to be what it does for other elements too, unless it is
declared with `reads_values=True`, or asks in a way that a tracer sees (`item()`, `elements()`,
`nonzero`). The former always ask, the others with some arguments.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import flambeau
from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import state
from flambeau._ops.declare import OPS, OpDescriptor
from tests.modes import mode

from .audit import ASK, BACKWARD, CONSTANT, RANDOM, READ, VIEW, WRITE, Audit, Finding
from .samples import arguments, samples

# the engine adds to a leaf's gradient in place, and tells a tracer
_ACCUMULATES = "_engine/autograd/backward.py"
_NEED_SCIPY = {"linalg.ldl_factor", "linalg.ldl_factor_ex", "linalg.ldl_solve"}


@dataclass
class Call:
    """What one sample call of an op did.

    Attributes:
        findings: of this op, and of the backward pass through it.
        same: whether it ran the same primitives for other elements.
    """

    op: str
    source: str
    findings: set[Finding] = field(default_factory=set)
    same: bool = True

    @property
    def kinds(self) -> set[str]:
        """What kinds of things the op itself did."""
        return {found.kind for found in self.findings if found.op == self.op}


def test_every_op_has_a_sample():
    missing = OPS.keys() - {name for name, _ in _calls()} - _NEED_SCIPY
    assert not missing


def test_nobody_looks_without_asking():
    assert not _found(READ)


def test_undeclared_ops_work_through_primitives():
    assert not _found(WRITE, VIEW, CONSTANT, RANDOM, declared=False)


def _found(*kinds: str, declared: bool = True) -> list[str]:
    """Findings of these kinds, without those of declared ops if need be."""
    return sorted(
        {
            str(found)
            for call in _audited()
            for found in call.findings
            if found.kind in kinds and found.where != _ACCUMULATES
            if declared or found.op == BACKWARD or not OPS[call.op].reads_values
        }
    )


def test_ops_that_always_look_are_declared():
    always: dict[str, bool] = {}
    for call in _audited():
        looks = ASK in call.kinds
        always[call.op] = always.get(call.op, True) and looks
    declared = {name for name in always if OPS[name].reads_values}
    assert {name for name, looks in always.items() if looks} == declared


def test_the_same_primitives_run_for_other_elements():
    wrong = [
        f"{call.op}({call.source})"
        for call in _audited()
        if not call.same and not call.findings and not OPS[call.op].reads_values
    ]
    assert not wrong, "\n".join(wrong)


def test_a_reader_is_found():
    x = flambeau.ones(2)
    peek = OpDescriptor("peek", "", lambda t: 1.0 in t, False)
    with mode("off"), Audit() as audit:
        bool((x._array > 0).all())  # outside flambeau's files: nobody's
        assert not audit.findings
        state.on_op(peek, (x,), {})  # type: ignore[misc]
        flambeau.allclose(x, x)
    found = {(one.op, one.kind) for one in audit.findings}
    assert found == {("peek", READ), ("allclose", ASK)}
    assert type(x._array) is np.ndarray


def _calls() -> Iterator[tuple[str, str]]:
    """The samples, and those of in-place ops: the out-of-place ones on a clone."""
    for name, source in samples():
        yield name, source
        if name + "_" in OPS and OPS[name + "_"].inplace:
            yield name + "_", source


@functools.cache
def _audited() -> tuple[Call, ...]:
    with mode("off"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(_audit(name, source) for name, source in _calls())


def _audit(name: str, source: str) -> Call:
    call = Call(name, source)
    records = []
    for seed in (3, 4):
        args, kwargs = arguments(source, seed)
        if OPS[name].inplace:
            args = (args[0].clone() if isinstance(args[0], Tensor) else args[0], *args[1:])
        with Audit() as audit:
            _run(name, args, kwargs)
        records.append(audit.calls)
        call.findings |= {f for f in audit.findings if f.op in (name, BACKWARD)}
    call.same = records[0] == records[1]
    return call


def _run(name: str, args: tuple, kwargs: dict[str, Any]) -> None:
    """Call an op, and differentiate what can be."""
    flambeau.manual_seed(0)
    try:
        result = state.on_op(OPS[name], args, kwargs)  # type: ignore[misc]
    except RuntimeError:
        if OPS[name].inplace:
            return  # a result that cannot be written into the first operand
        raise
    outs = result if isinstance(result, (tuple, list)) else (result,)
    for out in outs:
        if isinstance(out, Tensor) and out.requires_grad:  # type: ignore[attr-defined]
            with contextlib.suppress(RuntimeError):  # some have no derivative
                flambeau.autograd.backward(out, flambeau.ones_like(out), retain_graph=True)
