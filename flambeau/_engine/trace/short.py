"""The guard of an optimizer's step that is like the last one, written out as one function.

Where a step's tensors have been admitted once (see `step`), they need only be the very same ones
the next time. The source is written once; which tensors they are lies in the function's globals,
so that other ones need no other function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..autograd.tensor import Tensor
from ..base import state as switches
from .pattern import Input, Result

if TYPE_CHECKING:
    from .step import StepPlan


class Short:
    """A step's short guard.

    Attributes:
        fits: `fits(run, args)` says whether a step is like the last one, and binds its inputs
            and numbers then; False: it has to be looked at as if it were the first.
    """

    def __init__(self, plan: StepPlan):
        self.scope: dict[str, Any] = {"switches": switches, "epoch": -1}
        exec("\n".join(_lines(plan)), self.scope)  # of this module's own making
        self.fits: Callable[[Any, tuple], bool] = self.scope["fits"]

    @staticmethod
    def possible(plan: StepPlan) -> bool:
        """Whether all parameters come with the segment, their gradients from it, and numbers
        from expressions."""
        return all(each.expression is not None for each in plan.sets) and all(
            entry is not None and type(entry.grad) is Result
            and type(entry.param) is Input and not entry.param.new
            for entries in plan.groups for entry in entries
        )  # fmt: skip

    def remember(self, plan: StepPlan, groups: Any, states: Any, brought: list[Tensor]) -> None:
        """These are the tensors of a step that fits."""
        scope = self.scope
        scope["rule"], scope["epoch"], scope["brought"] = plan.rule, switches.epoch, brought
        for index, (group, entries) in enumerate(zip(groups, plan.groups, strict=True)):
            for place, (param, entry) in enumerate(zip(group["params"], entries, strict=True)):
                name, state = f"{index}_{place}", states.get(param)
                scope[f"p{name}"], scope[f"f{name}"] = param, param.__dict__
                scope[f"s{name}"] = state
                for number, (key, _) in enumerate(entry.tensors):  # type: ignore[union-attr]
                    scope[f"t{name}_{number}"] = state[key]
        for index, numbers in enumerate(plan.sets):
            params = groups[numbers.group]["params"]
            for place, member in enumerate(numbers.members):
                for number, key in enumerate(numbers.counters):
                    array = states[params[member]][key].__dict__["_array"]
                    scope[f"a{index}_{place}_{number}"] = array


def _lines(plan: StepPlan) -> Iterator[str]:
    yield "def fits(run, args):"
    yield "    its_rule, groups, states = args"
    yield "    if its_rule is not rule or switches.epoch != epoch: return False"
    yield f"    if len(groups) != {len(plan.groups)}: return False"
    yield "    slots, inputs = run.slots, run.inputs"
    yield "    try:"
    numbers: list[str] = []
    for index, entries in enumerate(plan.groups):
        yield f"        g = groups[{index}]"
        yield "        params = g['params']"
        yield f"        if len(params) != {len(entries)}: return False"
        for place, entry in enumerate(entries):
            yield from _entry_lines(entry, f"{index}_{place}", place)
        for at, each in enumerate(plan.sets):
            if each.group == index:
                yield from _number_lines(each, at, numbers)
    yield "    except KeyError: return False"
    yield "    inputs += brought"
    yield f"    run.numbers += [{', '.join(numbers)}]"
    yield "    return True"


def _entry_lines(entry: Any, name: str, place: int) -> Iterator[str]:
    """Lines that compare a parameter, its gradient and its state's tensors."""
    checks = [
        f"params[{place}] is not p{name}",
        f"inputs[{entry.param.number}] is not p{name}",
        f"f{name}['_grad'] is not slots[{entry.grad.slot}]",
        f"states.get(p{name}) is not s{name}",
    ]
    for number, (key, _) in enumerate(entry.tensors):
        checks.append(f"s{name}[{key!r}] is not t{name}_{number}")
    yield f"        if {' or '.join(checks)}: return False"


def _number_lines(numbers: Any, index: int, found: list[str]) -> Iterator[str]:
    """Lines that compute a set's numbers; their names are added to `found`."""
    count = len(numbers.members)
    for number in range(len(numbers.counters)):
        yield f"        c{number} = a{index}_0_{number}.item()"
        others = [f"a{index}_{place}_{number}.item() != c{number}" for place in range(1, count)]
        if others:
            yield f"        if {' or '.join(others)}: return False"
    yield f"        if {' or '.join(numbers.expression.checks)}: return False"
    for text in numbers.expression.texts:
        found.append(f"n{len(found)}")
        yield f"        {found[-1]} = {text}"
