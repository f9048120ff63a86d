"""Adam: steps scaled by running estimates of the gradient's first two moments."""

from __future__ import annotations

from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau.optim._options import (
    check_betas,
    check_implementation,
    check_lr,
    check_not_negative,
)
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

__all__ = ["Adam"]


def _update(
    xp: Any, param: Value, grad: Value, mean: Value, square: Value, peak: Value = None, *,
    lr: Any, beta1: Any, beta2: Any, correction1: Any, correction2_sqrt: Any, eps: float,
    weight_decay: float, decoupled: bool, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    grad = regularised(param, grad, maximize, 0 if decoupled else weight_decay)
    if decoupled and weight_decay != 0:
        param = param * (1 - lr * weight_decay)
    mean = lerp(mean, grad, 1 - beta1)
    square = square * beta2 + grad * (1 - beta2) * grad
    largest = square
    if peak is not None:
        largest = peak = xp.maximum(peak, square)
    scale = xp.sqrt(largest) / correction2_sqrt + eps
    param = param - mean * (lr / correction1) / scale
    return (param, mean, square) if peak is None else (param, mean, square, peak)


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    step = advance(state)
    beta1, beta2 = (number(beta, group) for beta in group["betas"])
    return {
        "lr": number(group["lr"], group),
        "beta1": beta1,
        "beta2": beta2,
        "correction1": 1 - beta1**step,
        "correction2_sqrt": (1 - beta2**step) ** 0.5,
        "eps": number(group["eps"], group),
        "weight_decay": number(group["weight_decay"], group),
        "decoupled": group["decoupled_weight_decay"],
        "maximize": group["maximize"],
    }


def _check_tensor_options(
    lr: Any, betas: tuple[Any, Any], foreach: bool | None, capturable: bool
) -> None:
    """Tensors as options: both betas or none, and not with `foreach` unless `capturable`."""
    tensor_betas = [isinstance(beta, Tensor) for beta in betas]
    if isinstance(lr, Tensor) and foreach and not capturable:
        raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
    if tensor_betas[0] != tensor_betas[1]:
        raise ValueError("betas must be either both floats or both Tensors")
    for index, beta in enumerate(betas):
        if isinstance(beta, Tensor):
            if foreach and not capturable:
                raise ValueError(
                    f"betas[{index}] as a Tensor is not supported for capturable=False and "
                    "foreach=True"
                )
            if beta.numel() != 1:
                raise ValueError(f"Tensor betas[{index}] must be 1-element")


class Adam(RuleOptimizer):
    """Adam: with g the gradient (plus `weight_decay` * p), at step t,
    m = b1 m + (1 - b1) g and v = b2 v + (1 - b2) g^2, then
    p = p - `lr` * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + `eps`).

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        betas: b1 and b2, decay rates in [0, 1); both floats or both tensors.
        eps: keeps the division finite.
        weight_decay: L2 penalty; with `decoupled_weight_decay`, p = p - lr * weight_decay * p.
        amsgrad: divide by the largest v seen so far.
        maximize: climb instead of descend.
        foreach, fused: accepted; there is one implementation.
        capturable: for CUDA graphs; a step on the CPU then raises AssertionError, as in PyTorch.
        differentiable: let autograd see the step.

    Raises:
        ValueError: an option outside its range.
        RuntimeError: `fused` with `foreach` or `differentiable`.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.Adam([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.9
    """

    _rule = Rule(
        _update,
        _numbers,
        tensors=lambda group, param: (
            ("exp_avg", "exp_avg_sq") + (("max_exp_avg_sq",) if group["amsgrad"] else ())
        ),
    )
    _late_options = {
        "amsgrad": False, "maximize": False, "foreach": None, "capturable": False,
        "differentiable": False, "decoupled_weight_decay": False, "fused": None,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        _check_tensor_options(lr, betas, foreach, capturable)
        check_implementation(foreach, fused, differentiable)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        })  # fmt: skip
