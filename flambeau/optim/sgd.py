"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from flambeau.optim._options import check_implementation, check_lr, check_not_negative
from flambeau.optim._rule import (
    Group,
    Rule,
    RuleOptimizer,
    State,
    Value,
    no_counters,
    number,
    regularised,
)
from flambeau.optim.optimizer import ParamsT

__all__ = ["SGD"]


def _update(
    xp: Any, param: Value, grad: Value, buffer: Value = None, *, lr: Any, momentum: float,
    dampening: float, weight_decay: Any, nesterov: bool, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, weight_decay)
    if momentum == 0:
        return (param - grad * lr,)
    buffer = grad if buffer is None else buffer * momentum + grad * (1 - dampening)
    direction = grad + buffer * momentum if nesterov else buffer
    return param - direction * lr, buffer


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    return {
        "lr": number(group["lr"], group),
        "momentum": number(group["momentum"], group),
        "dampening": number(group["dampening"], group),
        "weight_decay": number(group["weight_decay"], group),
        "nesterov": group["nesterov"],
        "maximize": group["maximize"],
    }


class SGD(RuleOptimizer):
    """Stochastic gradient descent: with g the gradient (plus `weight_decay` * p),
    b = `momentum` * b + (1 - `dampening`) * g and p = p - `lr` * b.

    With `nesterov`, p = p - `lr` * (g + `momentum` * b). The first b is g itself.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        momentum: how much of the last step's direction is kept.
        dampening: how much of the gradient is left out of the momentum.
        weight_decay: L2 penalty.
        nesterov: look ahead along the momentum; needs momentum > 0 and no dampening.
        maximize: climb instead of descend.
        foreach, fused: accepted; there is one implementation.
        differentiable: let autograd see the step.

    Raises:
        ValueError: a negative option, or `nesterov` without plain momentum.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.SGD([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.7
    """

    _rule = Rule(
        _update,
        _numbers,
        tensors=lambda group, param: ("momentum_buffer",) if group["momentum"] != 0 else (),
        counters=no_counters,
        initial=lambda *_: None,
    )
    _late_options = {
        "nesterov": False, "maximize": False, "foreach": None, "differentiable": False,
        "fused": False,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: Any = 0, nesterov: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        check_implementation(foreach, fused, differentiable)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused,
        })  # fmt: skip
