"""Runs that fail must leave no trace: what has to be saved for that.

A plan should have the steps that can fault before those that write to inputs and objects. Where
it has not, what is written early is copied before the run, and put back when a fault follows.
"""

from __future__ import annotations

from typing import Any

from ..loops.kernel import Chain, Gemm, Kernel, Loop, Special
from ..loops.plan import INPUT, OBJECT, Callback, Plan, Step
from ..loops.special import STATE_WORDS
from ..prims import PRIMITIVES


def at_risk(plan: Plan) -> tuple[list[int], list[Any]]:
    """What is written before a step that can fault: INPUT and OBJECT buffers, and generators."""
    risky: set[int] = set()
    written: set[int] = set()
    generators: dict[int, Any] = {}
    risky_generators: dict[int, Any] = {}
    for step in plan.steps:
        if _can_fault(step):
            risky |= written
            risky_generators |= generators
        written |= {n for n in writes_of(step) if plan.buffers[n].kind in (INPUT, OBJECT)}
        if isinstance(step, Callback):
            generator = step.node.params.get("generator")
            if generator is not None:
                generators[id(generator)] = generator
    return sorted(risky), list(risky_generators.values())


def writes_of(step: Step | Callback) -> set[int]:
    """The numbers of the buffers that a step writes to."""
    if isinstance(step, Callback):
        return {result[0] for result in step.results}
    return {step.arguments[place][0] for place in _results_of(step.kernel)}


def _results_of(kernel: Kernel) -> set[int]:
    """The arguments that a kernel writes to."""
    if isinstance(kernel, Gemm):
        return {access.argument for access, _ in kernel.stores}
    if isinstance(kernel, Loop):
        stores = [s for stage in kernel.stages for s in (*stage.stores, *stage.row_stores)]
        return {access.argument for access, _ in stores}
    if isinstance(kernel, Chain):
        found = {
            part.arguments[n][0] for _, part in kernel.parts() for n in _results_of(part.kernel)
        }
        return {argument for argument in found if argument >= 0}
    return _results_of_special(kernel)


def _results_of_special(kernel: Special) -> set[int]:
    """The places of a Special's results; a generator's state, which comes first, is written too."""
    count = len(kernel.arguments)
    known = PRIMITIVES.get(kernel.name)
    results = known.outputs if known is not None else count
    draws = kernel.arguments[:1] == (("uint32", (STATE_WORDS,), (1,)),)
    return {*range(max(count - results, 0), count), *([0] if draws else [])}


def _can_fault(step: Step | Callback) -> bool:
    """Whether a step can: a callback, or a Special that its plan says so of."""
    return isinstance(step, Callback) or (isinstance(step.kernel, Special) and step.faults)
