"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from typing import Any

from flambeau.optim._options import check_betas, check_lr, check_not_negative
from flambeau.optim._rule import (
    Group,
    Rule,
    RuleOptimizer,
    State,
    Value,
    advance,
    lerp,
    number,
    regularised,
)
from flambeau.optim.optimizer import ParamsT

__all__ = ["Adamax"]


def _update(
    xp: Any, param: Value, grad: Value, mean: Value, largest: Value, *, lr: Any, beta1: float,
    beta2: float, correction1: float, eps: float, weight_decay: float, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, weight_decay)
    mean = lerp(mean, grad, 1 - beta1)
    largest = xp.maximum(largest * beta2, xp.abs(grad) + eps)
    return param - mean * (lr / correction1) / largest, mean, largest


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    beta1, beta2 = (float(beta) for beta in group["betas"])
    return {
        "lr": number(group["lr"], group),
        "beta1": beta1,
        "beta2": beta2,
        "correction1": 1 - beta1 ** advance(state),
        "eps": float(group["eps"]),
        "weight_decay": float(group["weight_decay"]),
        "maximize": group["maximize"],
    }


class Adamax(RuleOptimizer):
    """Adamax: with g the gradient (plus `weight_decay` * p), at step t,
    m = b1 m + (1 - b1) g, u = max(b2 u, |g| + `eps`), p = p - `lr` / (1 - b1^t) * m / u.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        betas: b1 and b2, decay rates in [0, 1).
        eps: added to |g|.
        weight_decay: L2 penalty.
        foreach: accepted; there is one implementation.
        maximize: climb instead of descend.
        differentiable: let autograd see the step.
        capturable: for CUDA graphs; a step on the CPU then raises AssertionError, as in PyTorch.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.Adamax([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.9
    """

    _rule = Rule(_update, _numbers, tensors=lambda group, param: ("exp_avg", "exp_inf"))
    _late_options = {
        "foreach": None, "maximize": False, "differentiable": False, "capturable": False,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        })  # fmt: skip
