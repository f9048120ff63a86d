"""RMSprop: steps divided by the root mean square of recent gradients."""

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
    lerp,
    number,
    regularised,
)
from flambeau.optim.optimizer import ParamsT

__all__ = ["RMSprop"]


def _names(group: Group, param: Any) -> tuple[str, ...]:
    return (
        "square_avg",
        *(("momentum_buffer",) if group["momentum"] > 0 else ()),
        *(("grad_avg",) if group["centered"] else ()),
    )


def _update(
    xp: Any, param: Value, grad: Value, square: Value, *kept: Value, lr: Any, alpha: float,
    eps: float, momentum: float, centered: bool, weight_decay: float, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, weight_decay)
    square = square * alpha + grad * (1 - alpha) * grad
    states = [square]
    variance = square
    if centered:
        mean = lerp(kept[-1], grad, 1 - alpha)
        variance = square - mean * mean
    scale = xp.sqrt(variance) + eps
    if momentum > 0:
        buffer = kept[0] * momentum + grad / scale
        param = param - buffer * lr
        states.append(buffer)
    else:
        param = param - grad * lr / scale
    if centered:
        states.append(mean)
    return (param, *states)


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    advance(state)
    return {
        "lr": number(group["lr"], group),
        "alpha": float(group["alpha"]),
        "eps": float(group["eps"]),
        "momentum": float(group["momentum"]),
        "centered": group["centered"],
        "weight_decay": float(group["weight_decay"]),
        "maximize": group["maximize"],
    }


class RMSprop(RuleOptimizer):
    """RMSprop: with g the gradient (plus `weight_decay` * p),
    v = `alpha` v + (1 - `alpha`) g^2, b = `momentum` b + g / (sqrt(v) + `eps`), p = p - `lr` b.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        alpha: decay rate of the averages.
        eps: keeps the division finite.
        weight_decay: L2 penalty.
        momentum: how much of the last step is kept.
        centered: take the square of the averaged gradient off v.
        capturable: for CUDA graphs; a step on the CPU then raises AssertionError, as in PyTorch.
        foreach: accepted; there is one implementation.
        maximize: climb instead of descend.
        differentiable: let autograd see the step.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.RMSprop([p], lr=0.01).step()
        >>> round(p.item(), 4)
        0.9
    """

    _rule = Rule(_update, _numbers, tensors=_names)
    _late_options = {
        "momentum": 0, "centered": False, "foreach": None, "maximize": False,
        "differentiable": False, "capturable": False,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0, momentum: float = 0, centered: bool = False,
        capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable,
        })  # fmt: skip
