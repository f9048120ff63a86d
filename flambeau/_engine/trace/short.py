"""The guard of an optimizer's step that is like the last one, written out as one function.

Where a step's tensors have been admitted once (see `step`), they need only be the very same ones
the next time. The source is written once; which tensors they are lies in the function's globals,
so that other ones need no other function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..base import state as switches
from .pattern import Input, Result

if TYPE_CHECKING:
    from .step import Entry, StepPlan


class Short:
    """A step's short guard.

    Attributes:
        fits: `fits(run, args)` says whether a step is like the last one, and binds its inputs
            and numbers then; False: it has to be looked at as if it were the first.
    """

    def __init__(self, plan: StepPlan):
        self.scope: dict[str, Any] = {"switches": switches, "rule": None, "specs": plan.specs}
        exec("\n".join(_lines(plan)), self.scope)  # of this module's own making
        self._own = frozenset(self.scope)
        self.fits: Callable[[Any, tuple], bool] = self.scope["fits"]

    @staticmethod
    def possible(plan: StepPlan) -> bool:
        """Whether all parameters have a gradient, no tensor comes twice, and numbers are
        expressions."""
        entries = [entry for entries in plan.groups for entry in entries]
        seen = [x for e in entries if e for x in (e.param, e.grad, *(t for _, t in e.tensors))]
        twice = any(type(x) is Input and not x.new and x.number in plan.specs for x in seen)
        expressions = all(each.expression is not None for each in plan.sets)
        return None not in entries and not twice and expressions

    def let_go(self) -> None:
        """Hold no tensors: no step is like the last one."""
        for name in self.scope.keys() - self._own:
            del self.scope[name]
        self.scope["rule"] = None

    def remember(self, plan: StepPlan, groups: Any, states: Any, brought: list[Any]) -> None:
        """These are the tensors of a step that fits, and the inputs that it brings along."""
        scope, first = self.scope, min(plan.specs, default=0)
        scope["rule"], scope["epoch"], scope["brought"] = plan.rule, switches.epoch, brought
        for index, (group, entries) in enumerate(zip(groups, plan.groups, strict=True)):
            for place, (param, entry) in enumerate(zip(group["params"], entries, strict=True)):
                name, state = f"{index}_{place}", states.get(param)
                scope[f"p{name}"], scope[f"f{name}"] = param, param.__dict__
                scope[f"s{name}"] = state
                assert entry is not None
                if _is_new(entry.grad):
                    brought[entry.grad.number - first] = None  # it passes
                for number, (key, _) in enumerate(entry.tensors):
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
    passing: list[str] = []
    for index, entries in enumerate(plan.groups):
        yield f"        g = groups[{index}]"
        yield "        params = g['params']"
        yield f"        if len(params) != {len(entries)}: return False"
        for place, entry in enumerate(entries):
            assert entry is not None
            name = f"{index}_{place}"
            yield f"        if {' or '.join(_differences(entry, name, place))}: return False"
            if _is_new(entry.grad):
                grad, number = f"f{name}['_grad']", entry.grad.number
                yield f"        if not specs[{number}].admits({grad}, run): return False"
                passing.append(f"    inputs[{number}] = {grad}")
        for at, each in enumerate(plan.sets):
            if each.group == index:
                yield from _number_lines(each, at, numbers)
    yield "    except KeyError: return False"
    yield "    inputs += brought"
    yield from passing
    yield f"    run.numbers += [{', '.join(numbers)}]"
    yield "    return True"


def _differences(entry: Entry, name: str, place: int) -> Iterator[str]:
    """Expressions that say whether a parameter, its gradient or its state is another one."""
    yield f"params[{place}] is not p{name}"
    if not _is_new(entry.param):
        yield f"{_tensor(entry.param)} is not p{name}"
    if not _is_new(entry.grad):
        yield f"f{name}['_grad'] is not {_tensor(entry.grad)}"
    yield f"states.get(p{name}) is not s{name}"
    for number, (key, pattern) in enumerate(entry.tensors):
        expected = f"t{name}_{number}" if _is_new(pattern) else _tensor(pattern)
        yield f"s{name}[{key!r}] is not {expected}"


def _is_new(pattern: Any) -> bool:
    """Whether a step is the first event that sees a tensor."""
    return type(pattern) is Input and pattern.new


def _tensor(pattern: Any) -> str:
    """The expression for a tensor that an earlier event has seen, or made."""
    return f"slots[{pattern.slot}]" if type(pattern) is Result else f"inputs[{pattern.number}]"


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
