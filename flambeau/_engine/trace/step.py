"""An optimizer's step as an event: which tensors it works on, and the numbers of each run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..base import state as switches
from ..base.devices import CPU
from .memory import Unrecordable
from .options import Expression, expression_of
from .pattern import Input, InputSpec, kept_from, same, takes
from .pending import delivered
from .short import Short
from .symbols import SYMBOLS, Varying


class Entry:
    """One parameter: patterns of it, of its gradient, and of its state's tensors by name."""

    __slots__ = ("grad", "param", "tensors")

    def __init__(self, param: Any, grad: Any, tensors: tuple[tuple[str, Any], ...]):
        self.param = param
        self.grad = grad
        self.tensors = tensors


class _NumberSet:
    """Numbers that parameters of one group share, because their counters are equal.

    Attributes:
        members: (position in the group) of the parameters; the first stands for all.
        counters: names of the counters.
        varying: names of the numbers that are floats; `fixed`, the other ones and their values.
        expression: the numbers as expressions, see `options`; None where the rule is asked.
    """

    __slots__ = (
        "arrays", "counters", "epoch", "expression", "fixed", "group", "members", "varying",
    )  # fmt: skip

    def __init__(self, group: int, counters: tuple[str, ...]):
        self.group = group
        self.counters = counters
        self.members: list[int] = []
        self.arrays: list[tuple[str, list[np.ndarray]]] = []  # the counters', at `epoch`
        self.epoch = -2
        self.expression: Expression | None = None
        self.varying: tuple[str, ...] = ()
        self.fixed: dict[str, Any] = {}


class StepPlan:
    """What a step did, and whether another one is the same.

    Attributes:
        groups: for each group, an entry (or None: no gradient) a parameter.
        sets: the number sets, in the order of their first parameters.
        specs: of the inputs that the step brings along.
    """

    def __init__(self, rule: Any, specs: dict[int, InputSpec]):
        self.rule = rule
        self.specs = specs
        self.groups: list[list[Entry | None]] = []
        self.names: list[tuple[str, ...]] = []
        self.sets: list[_NumberSet] = []
        self.epoch = -1  # when all tensors were admitted
        self.short: Short | None = None  # for steps like the last one

    @property
    def key(self) -> tuple:
        """Equal for steps that fit the same events."""
        return (
            id(self.rule),
            tuple(
                tuple(None if e is None else (e.param, e.grad, e.tensors) for e in entries)
                for entries in self.groups
            ),
            tuple((s.group, tuple(s.members), repr(s.fixed)) for s in self.sets),
            tuple((number, spec.key) for number, spec in self.specs.items()),
        )

    def let_go(self) -> None:
        """Hold no tensors: the next step is looked at as if it were the first."""
        self.epoch = -1
        for each in self.sets:
            each.arrays, each.epoch = [], -2
        if self.short is not None:
            self.short.let_go()

    # --- replay -------------------------------------------------------------------------------

    def fits(self, run: Any, args: tuple) -> bool:
        """Whether a step is like this one; binds inputs and numbers."""
        if self.short is not None and self.short.fits(run, args):
            return True
        if not self._all_fit(run, args):
            return False
        groups, states = args[1:]
        return all(self._numbers_fit(run, each, groups[each.group], states) for each in self.sets)

    def _all_fit(self, run: Any, args: tuple) -> bool:
        rule, groups, states = args
        first = len(run.inputs)
        self.epoch = -1
        for each in self.sets:
            each.epoch = -2  # the counters are to be looked up again
        if rule is not self.rule or len(groups) != len(self.groups):
            return False
        for group, entries, names in zip(groups, self.groups, self.names, strict=True):
            params = group["params"]
            if len(params) != len(entries) or not _plain(group):
                return False
            if params and rule.tensors(group, params[0]) != names:
                return False
            for param, entry in zip(params, entries, strict=True):
                if not self._entry_fits(run, param, entry, states):
                    return False
        self.epoch = switches.epoch
        if kept_from(run, first):  # memory that others see is looked at each time
            return True
        if self.short is None and Short.possible(self):
            self.short = Short(self)
        if self.short is not None:
            self.short.remember(self, groups, states, run.inputs[first:])
        return True

    def _entry_fits(self, run: Any, param: Any, entry: Entry | None, states: Any) -> bool:
        grad = param.__dict__.get("_grad")
        if entry is None or grad is None:
            return entry is None and grad is None
        if not takes(run, self.specs, entry.param, param) or not takes(
            run, self.specs, entry.grad, grad
        ):
            return False
        if entry.tensors:
            state = states.get(param)
            if state is None:
                return False
            for name, pattern in entry.tensors:
                if not takes(run, self.specs, pattern, state.get(name)):
                    return False
        return True

    def _numbers_fit(self, run: Any, numbers: _NumberSet, group: Any, states: Any) -> bool:
        params = group["params"]
        before: list[float] = []
        if numbers.counters:
            if numbers.epoch != self.epoch:
                self._note_counters(numbers, params, states)
            for _, arrays in numbers.arrays:
                value = arrays[0].item()
                for array in arrays:
                    if array.item() != value:
                        return False
                before.append(value)
        if numbers.expression is not None:
            found = numbers.expression.evaluate(group, *before)
            if found is not None:
                run.numbers += found
                return True
        return self._numbers_anew(run, numbers, group, states)

    def _numbers_anew(self, run: Any, numbers: _NumberSet, group: Any, states: Any) -> bool:
        """Ask the rule itself, on copies of the counters."""
        first = group["params"][numbers.members[0]]
        state: dict[str, Any] = {}
        if numbers.counters:
            state = states[first].copy()
            for name, arrays in numbers.arrays:
                state[name] = wrap(arrays[0].copy())
        found = self.rule.numbers(group, state, first)
        for name, value in numbers.fixed.items():
            if found[name] is not value and not same(found[name], value):
                return False
        given = [found[name] for name in numbers.varying]
        for value in given:
            if type(value) is not float:
                return False
        run.numbers += given
        for name in numbers.counters:
            run.numbers.append(state[name]._array.item())
        return True

    def _note_counters(self, numbers: _NumberSet, params: Any, states: Any) -> None:
        numbers.arrays = [
            (name, [states[params[m]][name].__dict__["_array"] for m in numbers.members])
            for name in numbers.counters
        ]
        numbers.epoch = self.epoch


def _plain(group: dict[str, Any]) -> bool:
    return not group.get("differentiable") and not group.get("capturable")


# --- recording ------------------------------------------------------------------------------------


def record_step(recording: Any, args: tuple, specs: dict[int, InputSpec]) -> StepPlan:
    """Note what a step is about to do, symbolically; the step itself runs afterwards.

    Raises:
        Unrecordable: an option or a tensor that programs do not do.
    """
    rule, groups, states = args
    plan = StepPlan(rule, specs)
    for group in groups:
        if not _plain(group):
            raise Unrecordable("a step that is differentiable or capturable")
        params = group["params"]
        plan.names.append(rule.tensors(group, params[0]) if params else ())
        entries = []
        for param in params:
            entries.append(_entry(recording, plan, param, group, states))
        plan.groups.append(entries)
    _note_updates(recording, plan, groups, states)
    grads = {entry.grad for entries in plan.groups for entry in entries if entry is not None}
    for number, spec in specs.items():
        spec.remember = Input(number, True) not in grads  # those pass
    return plan


def _entry(recording: Any, plan: StepPlan, param: Any, group: Any, states: Any) -> Entry | None:
    grad = param.__dict__.get("_grad")
    if grad is None:
        return None
    names = plan.rule.tensors(group, param)
    counters = tuple(plan.rule.counters(group))
    for t in (param, grad):
        array = delivered(t).__dict__["_array"]
        if array.dtype not in (np.float32, np.float64) or t._device is not CPU:
            raise Unrecordable("a parameter that is not a float32 or float64 CPU tensor")
    state = states.get(param) or {}
    if any(name not in state for name in (*names, *counters)):
        raise Unrecordable("the first step, which makes the optimizer's state")
    for name in counters:  # guards read them, which say nothing of writes that are pending
        memory = recording.recorder.memories.find(state[name].__dict__["_array"])
        if memory is not None and (memory.generation or memory.source is None):
            raise Unrecordable("a second step in the segment: its numbers depend on the first")
    pattern, grad_pattern = (recording.reference(t, plan.specs) for t in (param, grad))
    tensors = tuple(
        (name, recording.reference(state[name], plan.specs)) for name in (*names, *counters)
    )
    return Entry(pattern, grad_pattern, tensors)


def _note_updates(recording: Any, plan: StepPlan, groups: Any, states: Any) -> None:
    recorder, rule = recording.recorder, plan.rule
    by_counters: dict[tuple, tuple[_NumberSet, dict[str, Any], list[Varying]]] = {}
    for index, (group, entries) in enumerate(zip(groups, plan.groups, strict=True)):
        counters = tuple(rule.counters(group))
        for member, (param, entry) in enumerate(zip(group["params"], entries, strict=True)):
            if entry is None:
                continue
            state = states.get(param) or {}
            before = tuple(state[name].__dict__["_array"].item() for name in counters)
            found = by_counters.get((index, before))
            if found is None:
                found = _numbers(recording, rule, group, state, param, index, counters)
                by_counters[index, before] = found
                plan.sets.append(found[0])
            numbers, values, advanced = found
            numbers.members.append(member)
            _note_update(recorder, rule, group, param, state, values)
            for name, value in zip(counters, advanced, strict=True):
                array = state[name].__dict__["_array"]
                params = {"shape": array.shape, "value": value, "dtype": array.dtype}
                recorder.assign(array, recorder.emit("full", (), params))


def _numbers(
    recording: Any, rule: Any, group: Any, state: dict, param: Any, index: int,
    counters: tuple[str, ...],
) -> tuple[_NumberSet, dict[str, Any], list[Varying]]:  # fmt: skip
    scratch = dict(state)
    for name in counters:
        scratch[name] = wrap(state[name].__dict__["_array"].copy())
    found = rule.numbers(group, scratch, param)
    made = _NumberSet(index, counters)
    made.varying = tuple(name for name, value in found.items() if type(value) is float)
    made.fixed = {name: value for name, value in found.items() if type(value) is not float}
    if any(isinstance(value, Tensor) for value in made.fixed.values()):
        raise Unrecordable("an option that is a tensor")
    made.expression = expression_of(rule, group, state, counters, made.varying, param)
    give = recording.give
    values: dict[str, Any] = dict(made.fixed)
    values.update({name: give(found[name]) for name in made.varying})
    return made, values, [give(scratch[name]._array.item()) for name in counters]


def _note_update(
    recorder: Any, rule: Any, group: Any, param: Any, state: dict, values: dict[str, Any]
) -> None:
    names = rule.tensors(group, param)
    arrays = [t.__dict__["_array"] for t in (param, *(state[name] for name in names))]
    symbols = [recorder.symbol(array) for array in arrays]
    grad = recorder.symbol(param.__dict__["_grad"].__dict__["_array"])
    try:
        results = rule.update(SYMBOLS, symbols[0], grad, *symbols[1:], **values)
    except (AttributeError, TypeError) as error:
        raise Unrecordable(f"an update rule beyond what can be recorded: {error}") from error
    for array, result in zip(arrays, results, strict=True):
        value = result.value
        if value.shape != array.shape:
            raise Unrecordable("an update of another shape")
        if value.dtype != array.dtype:
            value = recorder.emit("convert", (value,), {"dtype": array.dtype})
        recorder.assign(array, value)
