"""Rprop: each element has a step of its own that grows while its gradient keeps its sign."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau._engine.autograd.tensor import Tensor
from flambeau.optim._options import check_lr
from flambeau.optim._rule import Group, Rule, RuleOptimizer, State, Value, advance
from flambeau.optim.optimizer import ParamsT

__all__ = ["Rprop"]


def _update(
    xp: Any, param: Value, grad: Value, previous: Value, step_size: Value, *, shrink: float,
    grow: float, smallest: float, largest: float, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    if maximize:
        grad = -grad
    agreement = xp.sign(grad * previous)
    factor = xp.where(agreement > 0, grow, agreement * 0 + 1)
    factor = xp.where(agreement < 0, shrink, factor)
    step_size = xp.clip(step_size * factor, smallest, largest)
    grad = xp.where(agreement < 0, 0.0, grad)  # after a change of sign, wait one step
    return param - xp.sign(grad) * step_size, grad, step_size


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    advance(state)
    shrink, grow = group["etas"]
    smallest, largest = group["step_sizes"]
    return {
        "shrink": float(shrink),
        "grow": float(grow),
        "smallest": float(smallest),
        "largest": float(largest),
        "maximize": group["maximize"],
    }


def _initial(name: str, param: Tensor, grad: Tensor, group: Group) -> Tensor:
    if name == "prev":
        return flambeau.zeros_like(param)
    lr = float(group["lr"])
    return flambeau.full_like(grad, complex(lr, lr) if param.is_complex() else lr)


class Rprop(RuleOptimizer):
    """Resilient backpropagation: each element's step size s is multiplied by the larger of `etas`
    if its gradient g has kept its sign, by the smaller if not (that element then rests for a
    step), and kept within `step_sizes`; p = p - sign(g) s.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: the first step size, a float or a tensor of one element.
        etas: factors (shrink, grow), 0 < shrink < 1 < grow.
        step_sizes: the smallest and the largest step.
        capturable: for CUDA graphs; a step on the CPU then raises AssertionError, as in PyTorch.
        foreach: accepted; there is one implementation.
        maximize: climb instead of descend.
        differentiable: let autograd see the step.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.Rprop([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.9
    """

    _rule = Rule(
        _update,
        _numbers,
        tensors=lambda group, param: ("prev", "step_size"),
        initial=_initial,
    )
    _late_options = {
        "foreach": None, "maximize": False, "differentiable": False, "capturable": False,
    }  # fmt: skip

    def __init__(
        self, params: ParamsT, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        })  # fmt: skip
