"""Backward hooks of modules: two identity functions on the tape, around forward.

The inner one sits on the inputs, the outer one on the outputs. In backward the outer one fires
first: it shows ``grad_output`` to the pre-hooks and remembers it. When the gradients reach the
inner one they are ``grad_input``, and the full backward hooks fire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau._engine.autograd.function import Function
from flambeau._engine.autograd.mode import is_grad_enabled
from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn.modules import _global_hooks as global_hooks

from ..._engine.base.callers import warn_user

__all__ = ["ModuleBoundary", "add_legacy_hooks"]

Gradients = tuple[Tensor | None, ...]


class BackwardHookFunction(Function):
    """Identity whose backward passes the gradients through ``on_gradients``."""

    @staticmethod
    def forward(ctx: Any, on_gradients: Callable, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.on_gradients = on_gradients
        ctx.set_materialize_grads(False)
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple:
        return (None, *ctx.on_gradients(gradients))


class _Slots:
    """Where the differentiable tensors stand among ``length`` values."""

    def __init__(self, values: tuple):
        self.length = len(values)
        self.indices = [
            index
            for index, value in enumerate(values)
            if isinstance(value, Tensor) and value.requires_grad
        ]
        if not is_grad_enabled():
            self.indices = []

    def spread(self, gradients: Gradients) -> Gradients:
        """The gradients in their places, None elsewhere."""
        spread: list[Tensor | None] = [None] * self.length
        for index, gradient in zip(self.indices, gradients, strict=True):
            spread[index] = gradient
        return tuple(spread)

    def gathered(self, gradients: Gradients) -> Gradients:
        return tuple(gradients[index] for index in self.indices)

    def passed(self, values: tuple, on_gradients: Callable) -> tuple:
        """``values`` with the differentiable tensors sent through the identity."""
        if not self.indices:
            return values
        tensors = BackwardHookFunction.apply(on_gradients, *self.gathered(values))
        replaced = list(values)
        for index, tensor in zip(self.indices, tensors, strict=True):
            replaced[index] = tensor
        return tuple(replaced)


class ModuleBoundary:
    """The full backward hooks around one call of ``module``."""

    def __init__(self, module: Any, hooks: list[Callable], pre_hooks: list[Callable]):
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: Gradients | None = None

    @classmethod
    def of(cls, module: Any) -> ModuleBoundary | None:
        """The boundary ``module`` needs: None when it has no full backward hooks."""
        hooks = _hooks_of(module, full=True)
        pre_hooks = [*global_hooks.backward_pre.values(), *module._backward_pre_hooks.values()]
        return cls(module, hooks, pre_hooks) if hooks or pre_hooks else None

    def enter(self, args: tuple) -> tuple:
        """The arguments forward is to see."""
        self.inputs = _Slots(args)
        return self.inputs.passed(args, self._input_gradients)

    def leave(self, result: Any) -> Any:
        """The result the caller is to see."""
        if not isinstance(result, Tensor | tuple):
            warn_user(
                "For backward hooks to be called, module output should be a Tensor or a tuple "
                f"of Tensors but received {type(result)}",
            )
            return result
        values = result if isinstance(result, tuple) else (result,)
        self.outputs = _Slots(values)
        passed = self.outputs.passed(values, self._output_gradients)
        if not isinstance(result, tuple):
            return passed[0]
        return type(result)(*passed) if hasattr(result, "_fields") else passed

    def _output_gradients(self, gradients: Gradients) -> Gradients:
        full = self.outputs.spread(gradients)
        for hook in self.pre_hooks:
            full = _checked(hook(self.module, full), full, "pre hook", "grad_output")
        self.grad_outputs = full
        if not self.inputs.indices:
            self._fire_without_inputs()
        return self.outputs.gathered(full)

    def _input_gradients(self, gradients: Gradients) -> Gradients:
        if self.grad_outputs is None:
            return gradients
        full = self.inputs.spread(gradients)
        for hook in self.hooks:
            answer = hook(self.module, full, self.grad_outputs)
            full = _checked(answer, full, "hook", "grad_input")
        self.grad_outputs = None
        return self.inputs.gathered(full)

    def _fire_without_inputs(self) -> None:
        nothing = self.inputs.spread(())
        if self.hooks:
            warn_user(
                "Full backward hook is firing when gradients are computed with respect to module "
                "outputs since no inputs require gradients.",
            )
        for hook in self.hooks:
            answer = hook(self.module, nothing, self.grad_outputs)
            if answer is not None and any(gradient is not None for gradient in answer):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None


def _checked(answer: Any, before: Gradients, hook: str, what: str) -> Gradients:
    """What a hook answered, as the new gradients."""
    if answer is None:
        return before
    if isinstance(answer, Tensor):
        answer = (answer,)
    if len(answer) != len(before):
        raise RuntimeError(
            f"Backward {hook} returned an invalid number of {what}, got {len(answer)}, "
            f"but expected {len(before)}"
        )
    return tuple(answer)


def _hooks_of(module: Any, full: bool) -> list[Callable]:
    hooks: list[Callable] = []
    if global_hooks.backward_is_full is full:
        hooks += global_hooks.backward.values()
    if module._is_full_backward_hook is full:
        hooks += module._backward_hooks.values()
    return hooks


def add_legacy_hooks(module: Any, result: Any) -> None:
    """Attach the old-style hooks to the node that made the first tensor of ``result``."""
    hooks = _hooks_of(module, full=False)
    if not hooks:
        return
    first = result
    while not isinstance(first, Tensor):
        values = list(first.values() if isinstance(first, dict) else first)
        first = next((value for value in values if isinstance(value, Tensor)), values[0])
    if first.grad_fn is not None:
        for hook in hooks:
            first.grad_fn.register_hook(
                lambda inputs, outputs, hook=hook: hook(module, inputs, outputs)
            )
