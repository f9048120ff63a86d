"""Adadelta: steps in units of recent steps, divided by recent gradients."""

from __future__ import annotations

from typing import Any

from flambeau.optim._options import check_lr, check_not_negative
from flambeau.optim._rule import (
    Group,
    Rule,
    RuleOptimizer,
    State,
    Value,
    advance,
    number,
    regularised,
)
from flambeau.optim.optimizer import ParamsT

__all__ = ["Adadelta"]


def _update(
    xp: Any, param: Value, grad: Value, square: Value, delta_square: Value, *, lr: Any,
    rho: float, eps: float, weight_decay: float, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, weight_decay)
    square = square * rho + grad * (1 - rho) * grad
    delta = xp.sqrt(delta_square + eps) / xp.sqrt(square + eps) * grad
    delta_square = delta_square * rho + delta * (1 - rho) * delta
    return param - delta * lr, square, delta_square


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    advance(state)
    return {
        "lr": number(group["lr"], group),
        "rho": float(group["rho"]),
        "eps": float(group["eps"]),
        "weight_decay": float(group["weight_decay"]),
        "maximize": group["maximize"],
    }


class Adadelta(RuleOptimizer):
    """Adadelta: with g the gradient (plus `weight_decay` * p), v = `rho` v + (1 - `rho`) g^2,
    d = sqrt(u + `eps`) / sqrt(v + `eps`) g, u = `rho` u + (1 - `rho`) d^2, p = p - `lr` d.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: factor on the step, a float or a tensor of one element.
        rho: decay rate of the averages, in [0, 1].
        eps: keeps the division finite and starts the motion.
        weight_decay: L2 penalty.
        foreach: accepted; there is one implementation.
        capturable: for CUDA graphs; a step on the CPU then raises AssertionError, as in PyTorch.
        maximize: climb instead of descend.
        differentiable: let autograd see the step.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.Adadelta([p]).step()
        >>> round(p.item(), 4)
        0.9968
    """

    _rule = Rule(_update, _numbers, tensors=lambda group, param: ("square_avg", "acc_delta"))
    _late_options = {
        "foreach": None, "maximize": False, "differentiable": False, "capturable": False,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6,
        weight_decay: float = 0, foreach: bool | None = None, *, capturable: bool = False,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative(epsilon=eps, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "capturable": capturable, "foreach": foreach,
            "differentiable": differentiable,
        })  # fmt: skip
