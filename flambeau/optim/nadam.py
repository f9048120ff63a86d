"""NAdam: Adam with Nesterov momentum."""

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

__all__ = ["NAdam"]


def _update(
    xp: Any, param: Value, grad: Value, mean: Value, square: Value, *, lr: Any, beta1: float,
    beta2: float, grad_rate: Any, mean_rate: Any, correction2: float, eps: float,
    weight_decay: float, decoupled: bool, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, 0 if decoupled else weight_decay)
    if decoupled and weight_decay != 0:
        param = param * (1 - lr * weight_decay)
    mean = lerp(mean, grad, 1 - beta1)
    square = square * beta2 + grad * (1 - beta2) * grad
    scale = xp.sqrt(square / correction2) + eps
    return param - grad * grad_rate / scale - mean * mean_rate / scale, mean, square


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    step = advance(state)
    beta1, beta2 = (float(beta) for beta in group["betas"])
    decay = group["momentum_decay"]
    lr = number(group["lr"], group)
    momentum = beta1 * (1 - 0.5 * 0.96 ** (step * decay))
    next_momentum = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * decay))
    product = advance(state, "mu_product", state["mu_product"]._array * momentum)
    return {
        "lr": lr,
        "beta1": beta1,
        "beta2": beta2,
        "grad_rate": lr * (1 - momentum) / (1 - product),
        "mean_rate": lr * next_momentum / (1 - product * next_momentum),
        "correction2": 1 - beta2**step,
        "eps": float(group["eps"]),
        "weight_decay": float(group["weight_decay"]),
        "decoupled": group["decoupled_weight_decay"],
        "maximize": group["maximize"],
    }


class NAdam(RuleOptimizer):
    """NAdam: Adam's moments m and v, with the momentum
    u_t = b1 (1 - 0.96^(t * `momentum_decay`) / 2) and U_t = u_1 ... u_t:
    p = p - `lr` * (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t))
    / (sqrt(v / (1 - b2^t)) + `eps`).

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        betas: b1 and b2, decay rates in [0, 1).
        eps: keeps the division finite.
        weight_decay: L2 penalty; with `decoupled_weight_decay`, p = p - lr * weight_decay * p.
        momentum_decay: how fast the momentum approaches b1.
        foreach: accepted; there is one implementation.
        maximize: climb instead of descend.
        capturable: for CUDA graphs; a step on the CPU then raises AssertionError, as in PyTorch.
        differentiable: let autograd see the step.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.NAdam([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.8944
    """

    _rule = Rule(
        _update,
        _numbers,
        tensors=lambda group, param: ("exp_avg", "exp_avg_sq"),
        counters=lambda group: {"step": 0.0, "mu_product": 1.0},
    )
    _late_options = {
        "maximize": False, "foreach": None, "capturable": False, "differentiable": False,
        "decoupled_weight_decay": False,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        })  # fmt: skip
