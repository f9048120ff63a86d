"""Adafactor: second moments kept as a row and a column instead of a matrix."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau._engine.autograd.tensor import Tensor
from flambeau.optim._options import check_lr
from flambeau.optim._rule import Group, Rule, RuleOptimizer, State, Value, advance, lerp
from flambeau.optim.optimizer import ParamsT

__all__ = ["Adafactor"]


def _update(
    xp: Any, param: Value, grad: Value, *moments: Value, lr: float, weight_decay: float,
    rate: float, share: float, floor: float, smallest: float, threshold: float, maximize: bool,
) -> tuple[Value, ...]:  # fmt: skip
    if maximize:
        grad = -grad
    scale = max(smallest, xp.rms(param)) * rate
    if weight_decay != 0:
        param = param * (1 - lr * weight_decay)
    if len(moments) == 2:
        row = lerp(moments[0], xp.mean(grad * grad, -1), share)
        column = lerp(moments[1], xp.mean(grad * grad, -2), share)
        moments = (row, column)
        variance = row @ column / xp.clip(xp.mean(row, -2), floor, None)
    else:
        variance = lerp(moments[0], grad * grad, share)
        moments = (variance,)
    direction = grad * (1 / xp.sqrt(xp.clip(variance, floor * floor, None)))
    clipped = max(1.0, xp.rms(direction) / threshold)
    return (param - direction * (scale / clipped), *moments)


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    if param.is_complex():
        raise RuntimeError("Adafactor does not support complex parameters")
    step = advance(state)
    lr = float(group["lr"])
    floor, smallest = group["eps"]
    return {
        "lr": lr,
        "weight_decay": float(group["weight_decay"]),
        "rate": min(lr, 1 / step**0.5),
        "share": step ** group["beta2_decay"],
        "floor": flambeau.finfo(param.dtype).eps if floor is None else float(floor),
        "smallest": float(smallest),
        "threshold": float(group["d"]),
        "maximize": group["maximize"],
    }


def _names(group: Group, param: Any) -> tuple[str, ...]:
    return ("row_var", "col_var") if param.dim() > 1 else ("variance",)


def _initial(name: str, param: Tensor, grad: Tensor, group: Group) -> Tensor:
    if name == "variance":
        return flambeau.zeros_like(grad)
    shape = list(grad.shape)
    shape[-1 if name == "row_var" else -2] = 1
    return flambeau.zeros(shape, dtype=grad.dtype, device=grad.device)


class Adafactor(RuleOptimizer):
    """Adafactor: a matrix's second moments V are kept as R C / mean(R), R the running row means
    of g^2 and C its column means. With at step t the rate r = min(`lr`, 1/sqrt(t)) and
    u = g / sqrt(V), p = p - r * max(eps2, rms(p)) * u / max(1, rms(u) / `d`).

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: upper bound of the rate, a float or a tensor of one element.
        beta2_decay: g^2 enters the averages with weight t^beta2_decay; at most 0.
        eps: (eps1, eps2), floors of the variance (None: the dtype's epsilon) and of rms(p).
        d: largest root mean square of u, at least 1.
        weight_decay: decay of the weights a step, in units of `lr`.
        foreach: accepted; there is one implementation.
        maximize: climb instead of descend.

    Raises:
        ValueError: an option outside its range.
        RuntimeError: a step on complex parameters.

    Example:
        >>> p = flambeau.ones(1, requires_grad=True)
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.Adafactor([p], lr=0.1).step()
        >>> round(p.item(), 4)
        0.9
    """

    _rule = Rule(_update, _numbers, tensors=_names, initial=_initial)
    _late_options = {"foreach": None}

    def __init__(
        self, params: ParamsT, lr: Any = 1e-2, beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0,
        weight_decay: float = 0.0, *, foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(params, {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
            "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
        })  # fmt: skip
