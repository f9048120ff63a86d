"""Adagrad: steps divided by the root of all squared gradients so far."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau._engine.autograd.tensor import Tensor
from flambeau.optim._options import check_implementation, check_lr, check_not_negative
from flambeau.optim._rule import (
    Group,
    Rule,
    RuleOptimizer,
    State,
    Value,
    advance,
    new_state,
    number,
    regularised,
)
from flambeau.optim.optimizer import ParamsT

__all__ = ["Adagrad"]


def _update(
    xp: Any, param: Value, grad: Value, total: Value, *, rate: Any, eps: float,
    weight_decay: float, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, weight_decay)
    total = total + grad * grad
    return param - grad * rate / (xp.sqrt(total) + eps), total


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    step = advance(state)
    return {
        "rate": number(group["lr"], group) / (1 + (step - 1) * float(group["lr_decay"])),
        "eps": float(group["eps"]),
        "weight_decay": float(group["weight_decay"]),
        "maximize": group["maximize"],
    }


def _initial(name: str, param: Tensor, grad: Tensor | None, group: Group) -> Tensor:
    first = group["initial_accumulator_value"]
    value = complex(first, first) if param.is_complex() else first
    return flambeau.full_like(param, value)


class Adagrad(RuleOptimizer):
    """Adagrad: with g the gradient (plus `weight_decay` * p), at step t, s = s + g^2 and
    p = p - `lr` / (1 + (t - 1) `lr_decay`) * g / (sqrt(s) + `eps`).

    The state exists from the start, as in PyTorch.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        lr_decay: how fast the learning rate falls.
        weight_decay: L2 penalty.
        initial_accumulator_value: s before the first step.
        eps: keeps the division finite.
        foreach, fused: accepted; there is one implementation.
        maximize: climb instead of descend.
        differentiable: let autograd see the step.

    Raises:
        ValueError: a negative option.
        RuntimeError: `fused` with `foreach` or `differentiable`.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.Adagrad([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.9
    """

    _rule = Rule(_update, _numbers, tensors=lambda group, param: ("sum",), initial=_initial)
    _late_options = {
        "foreach": None, "maximize": False, "differentiable": False, "fused": None,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(
            lr_decay=lr_decay, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, epsilon=eps,
        )  # fmt: skip
        check_implementation(foreach, fused, differentiable)
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused,
        })  # fmt: skip
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param] = new_state(self._rule, group, param)

    def share_memory(self) -> None:
        """Move the sums to memory that worker processes can share."""
        for state in self.state.values():
            state["sum"].share_memory_()
