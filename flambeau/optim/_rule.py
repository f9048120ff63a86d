"""How update rules are applied: the one loop behind almost every optimizer's `step`.

A rule is data: which tensors and counters a parameter's state holds, which numbers a step needs,
and `update`, a pure function

    update(xp, param, grad, *state_tensors, **numbers) -> (param, *state_tensors)

of values that know `+ - * /` and comparisons; `xp` names the few functions beyond those. Eager
steps call it with NumPy arrays (no dispatch, no tape); a differentiable step calls it with
Tensors, and so can a recorder. Numbers are recomputed each step and passed in, so that a learning
rate that varies is an input and never a constant of the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

import flambeau
from flambeau._engine.autograd.calls import P
from flambeau._engine.autograd.mode import enable_grad
from flambeau._engine.autograd.tensor import Tensor, storage_of
from flambeau._engine.base import defaults, dtypes, state as switches
from flambeau._engine.eager import quiet
from flambeau._engine.eager.precision import BFLOAT16, is_half
from flambeau._engine.trace.segment import STEP
from flambeau._engine.trace.symbols import Varying
from flambeau.optim.optimizer import Optimizer, _use_grad_for_differentiable

Group = dict[str, Any]
State = dict[str, Any]
Value = Any  # an ndarray or a Tensor


def _zeros(name: str, param: Tensor, grad: Tensor | None, group: Group) -> Tensor | None:
    return flambeau.zeros_like(param)


def one_counter(group: Group) -> dict[str, float]:
    """A state that counts its steps."""
    return {"step": 0.0}


def no_counters(group: Group) -> dict[str, float]:
    """A state of tensors only."""
    return {}


@dataclass(frozen=True)
class Rule:
    """An optimizer's update, as data.

    Attributes:
        update: the pure update function (see this module's text).
        numbers: `numbers(group, state, param)` gives update's keyword arguments; it advances the
            state's counters.
        tensors: `tensors(group, param)` names the state tensors, in update's order.
        counters: `counters(group)` gives the scalar tensors of a new state and their values.
        initial: `initial(name, param, grad, group)` makes a new state tensor, zeros by default;
            None lets the first update make it.

    Complex parameters, gradients and states are seen as pairs of reals.
    """

    update: Callable[..., tuple[Value, ...]]
    numbers: Callable[[Group, State, Any], dict[str, Any]]
    tensors: Callable[[Group, Any], tuple[str, ...]]
    counters: Callable[[Group], dict[str, float]] = one_counter
    initial: Callable[..., Tensor | None] = _zeros


def new_state(rule: Rule, group: Group, param: Tensor, grad: Tensor | None = None) -> State:
    """The state of a parameter before its first step."""
    wide = defaults.get_default_dtype() is dtypes.float64
    kind = dtypes.float64 if wide else dtypes.float32
    state: State = {
        name: flambeau.tensor(value, dtype=kind) for name, value in rule.counters(group).items()
    }
    for name in rule.tensors(group, param):
        first = rule.initial(name, param, grad, group)
        if first is not None:
            state[name] = first
    return state


def apply(rule: Rule, groups: list[Group], states: dict[Tensor, State]) -> None:
    """One step of `rule` over all parameters that have a gradient."""
    if switches.tracer is None or not switches.tracer.step(rule, groups, states):
        _apply(rule, groups, states)


def _apply(rule: Rule, groups: list[Group], states: dict[Tensor, State]) -> None:
    token = quiet.enter(quiet.SETTING)
    try:
        for group, param, grad in _with_gradients(groups):
            names = rule.tensors(group, param)
            state: State = {}
            if names or rule.counters is not no_counters:
                state = states[param]
                if not state:
                    state.update(new_state(rule, group, param, grad))
            numbers = rule.numbers(group, state, param)
            kept = [param, *(state.get(name) for name in names)]
            if param.is_complex():
                targets = [None if t is None else P.view_as_real(t) for t in kept]
                grad = P.view_as_real(grad)
            else:
                targets = kept
            arrays = param.device.type == "cpu" and not group.get("differentiable")
            update = _update_arrays if arrays else _update_tensors
            results = update(rule, targets, grad, numbers)
            for name, target, result in zip(names, targets[1:], results[1:]):
                if target is None:
                    state[name] = _first_state(result, param)
    finally:
        quiet.leave(token)


def _with_gradients(groups: list[Group]) -> Iterator[tuple[Group, Tensor, Tensor]]:
    for group in groups:
        if group.get("capturable"):
            raise AssertionError(
                "If capturable=True, params and state_steps must be on supported devices: "
                "['cuda', 'xpu', 'hpu', 'privateuseone', 'xla']."
            )
        for param in group["params"]:
            grad = param.grad
            if grad is not None:
                yield group, param, grad


def _update_arrays(
    rule: Rule, targets: list[Tensor | None], grad: Tensor, numbers: dict[str, Any]
) -> tuple[Value, ...]:
    """Run the rule on arrays and write the results into the targets."""
    values = [None if t is None else t._array for t in targets]
    gradient = grad._array
    if is_half(gradient.dtype):  # one rounding at the end, not one an operation
        values = [None if v is None else v.astype(np.float32) for v in values]
        gradient = gradient.astype(np.float32)
    results = rule.update(ARRAYS, values[0], gradient, *values[1:], **numbers)
    for target, result in zip(targets, results):
        if target is not None:
            _write(target, result)
    return results


def _update_tensors(
    rule: Rule, targets: list[Tensor | None], grad: Tensor, numbers: dict[str, Any]
) -> tuple[Value, ...]:
    """Run the rule on tensors, for autograd to see, or where there are no arrays."""
    # copies: the rule's gradients need the values that are overwritten below
    values = [None if t is None else t.clone() for t in targets]
    results = rule.update(TENSORS, values[0], grad, *values[1:], **numbers)
    for target, result in zip(targets, results):
        if target is not None:
            target.copy_(result)
    return results


def _write(target: Tensor, value: Any) -> None:
    # what `write_` does where no history can arise, for a fifth of its cost
    target._array[...] = value
    storage_of(target).version += 1


def _first_state(value: Value, param: Tensor) -> Tensor:
    """A state tensor that the first update made."""
    if isinstance(value, Tensor):
        return P.view_as_complex(value.clone()) if param.is_complex() else value.clone()
    state = flambeau.empty_like(param)
    _write(P.view_as_real(state) if param.is_complex() else state, value)
    return state


def number(value: Any, group: Group) -> Any:
    """An option as a float; a Tensor stays one where the step is differentiable."""
    if isinstance(value, Tensor) and group.get("differentiable"):
        return value
    if type(value) is float or isinstance(value, Varying):
        return value
    return float(value)  # NumPy's own scalars too: they would widen the arrays they meet


def advance(state: State, name: str = "step", value: float | None = None) -> float:
    """Set a counter (to one more than it was) and return it, rounded as it is stored."""
    counter = state[name]
    array = counter._array
    if value is None:
        array += 1
    else:
        array[...] = value
    storage_of(counter).version += 1
    return array.item()


def lerp(a: Value, b: Value, weight: Any) -> Value:
    """a + weight (b - a), taken from the nearer end, as `Tensor.lerp` does."""
    if weight < 0.5:
        return a + (b - a) * weight
    return b - (b - a) * (1 - weight)


def regularised(param: Value, grad: Value, maximize: bool, weight_decay: Any) -> Value:
    """The gradient of the objective to minimise, with L2 decay added."""
    if maximize:
        grad = -grad
    if weight_decay != 0:
        grad = grad + param * weight_decay
    return grad


def _array_rms(x: np.ndarray) -> float:
    return float(np.linalg.norm(np.ravel(x))) / x.size**0.5


# What rules use beyond operators: one name, two meanings. Reductions keep their dimensions;
# `length` is the root of the sum of all squares, `rms`, of their mean, is a float.
ARRAYS = SimpleNamespace(
    abs=np.abs,
    as_bfloat16=lambda x: x.astype(BFLOAT16).astype(np.float32),
    cast_like=lambda x, other: x.astype(other.dtype),
    clip=np.clip,
    length=lambda x: np.linalg.norm(x),
    maximum=np.maximum,
    mean=lambda x, dim: np.mean(x, axis=dim, keepdims=True),
    rms=_array_rms,
    sign=np.sign,
    sqrt=np.sqrt,
    where=np.where,
)
TENSORS = SimpleNamespace(
    abs=lambda x: x.abs(),
    as_bfloat16=lambda x: x.bfloat16().float(),
    cast_like=lambda x, other: x.to(other.dtype),
    clip=lambda x, low, high: x.clamp(low, high),
    length=lambda x: x.norm(),
    maximum=lambda a, b: flambeau.maximum(a, b),
    mean=lambda x, dim: x.mean(dim, keepdim=True),
    rms=lambda x: x.norm().item() / x.numel() ** 0.5,
    sign=lambda x: x.sign(),
    sqrt=lambda x: x.sqrt(),
    where=lambda condition, a, b: flambeau.where(condition, a, b),
)


class RuleOptimizer(Optimizer):
    """An optimizer whose step is a rule applied to every parameter."""

    _rule: Rule
    # options that older checkpoints may lack, and their values
    _late_options: dict[str, Any] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._late_options.items():
                group.setdefault(name, value)
            self._restore_counters(group)

    def _restore_counters(self, group: Group) -> None:
        # counters were plain numbers in old checkpoints
        wide = defaults.get_default_dtype() is dtypes.float64
        kind = dtypes.float64 if wide else dtypes.float32
        for param in group["params"]:
            state = self.state.get(param, {})
            for name in self._rule.counters(group):
                if name in state and not isinstance(state[name], Tensor):
                    state[name] = flambeau.tensor(float(state[name]), dtype=kind)

    @_use_grad_for_differentiable
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient, once.

        Args:
            closure: computes the loss and its gradients again; called with grad mode on.

        Returns:
            The closure's result, or None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        apply(self._rule, self.param_groups, self.state)
        return loss


STEP.function = _apply
