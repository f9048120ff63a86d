"""RAdam: Adam that trusts its second moment only once it has seen enough gradients."""

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

__all__ = ["RAdam"]


def _update(
    xp: Any, param: Value, grad: Value, mean: Value, square: Value, *, lr: Any, beta1: float,
    beta2: float, correction1: float, correction2_sqrt: float, rectification: float | None,
    eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, 0 if decoupled else weight_decay)
    if decoupled and weight_decay != 0:
        param = param * (1 - lr * weight_decay)
    mean = lerp(mean, grad, 1 - beta1)
    square = square * beta2 + grad * (1 - beta2) * grad
    direction = mean / correction1 * lr
    if rectification is not None:
        direction = direction * (correction2_sqrt / (xp.sqrt(square) + eps)) * rectification
    return param - direction, mean, square


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    step = advance(state)
    beta1, beta2 = (float(beta) for beta in group["betas"])
    correction2 = 1 - beta2**step
    return {
        "lr": number(group["lr"], group),
        "beta1": beta1,
        "beta2": beta2,
        "correction1": 1 - beta1**step,
        "correction2_sqrt": correction2**0.5,
        "rectification": _rectification(step, beta2, correction2),
        "eps": float(group["eps"]),
        "weight_decay": float(group["weight_decay"]),
        "decoupled": group["decoupled_weight_decay"],
        "maximize": group["maximize"],
    }


def _rectification(step: float, beta2: float, correction2: float) -> float | None:
    """The factor on an adaptive step; None while the average is too short for one."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / correction2
    if length <= 5.0:
        return None
    above = (length - 4) * (length - 2) * longest
    below = (longest - 4) * (longest - 2) * length
    return (above / below) ** 0.5


class RAdam(RuleOptimizer):
    """RAdam: Adam's moments m and v. With R = 2 / (1 - b2) - 1 and
    r = R - 2 t b2^t / (1 - b2^t), p = p - `lr` * c * m / (1 - b1^t), where
    c = sqrt((r-4)(r-2)R / ((R-4)(R-2)r)) * sqrt(1 - b2^t) / (sqrt(v) + `eps`) if r > 5, else 1.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        betas: b1 and b2, decay rates in [0, 1).
        eps: keeps the division finite.
        weight_decay: L2 penalty; with `decoupled_weight_decay`, p = p - lr * weight_decay * p.
        foreach: accepted; there is one implementation.
        maximize: climb instead of descend.
        capturable: for CUDA graphs; a step on the CPU then raises AssertionError, as in PyTorch.
        differentiable: let autograd see the step.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.RAdam([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.7
    """

    _rule = Rule(_update, _numbers, tensors=lambda group, param: ("exp_avg", "exp_avg_sq"))
    _late_options = {
        "foreach": None, "maximize": False, "differentiable": False,
        "decoupled_weight_decay": False, "capturable": False,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
        })  # fmt: skip
