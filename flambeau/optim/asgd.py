"""ASGD: gradient descent that also keeps the average of the parameters."""

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

__all__ = ["ASGD"]


def _update(
    xp: Any, param: Value, grad: Value, average: Value, *, eta: float, mu: float, lambd: float,
    weight_decay: float, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, weight_decay)
    param = param * (1 - lambd * eta) - grad * eta
    return param, param if mu == 1 else average + (param - average) * mu


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    step = advance(state)
    eta, mu = state["eta"].item(), state["mu"].item()
    lr, lambd = float(group["lr"]), float(group["lambd"])
    advance(state, "eta", lr / (1 + lambd * lr * step) ** group["alpha"])
    advance(state, "mu", 1 / max(1, step - group["t0"]))
    return {
        "eta": eta,
        "mu": mu,
        "lambd": lambd,
        "weight_decay": float(group["weight_decay"]),
        "maximize": group["maximize"],
    }


class ASGD(RuleOptimizer):
    """Averaged stochastic gradient descent: at step t with rate
    e = `lr` / (1 + `lambd` * `lr` * t)^`alpha`, p = (1 - `lambd` e) p - e g, and from step `t0`
    on the state's `ax` is the average of p.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        lambd: decay term.
        alpha: power of the rate's decay.
        t0: the step at which averaging starts.
        weight_decay: L2 penalty.
        foreach: accepted; there is one implementation.
        maximize: climb instead of descend.
        differentiable: let autograd see the step.
        capturable: for CUDA graphs; a step on the CPU then raises AssertionError, as in PyTorch.

    Raises:
        ValueError: a negative `lr` or `weight_decay`.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.ASGD([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.7
    """

    _rule = Rule(
        _update,
        _numbers,
        tensors=lambda group, param: ("ax",),
        counters=lambda group: {"step": 0.0, "eta": number(group["lr"], {}), "mu": 1.0},
    )
    _late_options = {
        "foreach": None, "maximize": False, "differentiable": False, "capturable": False,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
        t0: float = 1e6, weight_decay: float = 0, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        })  # fmt: skip
