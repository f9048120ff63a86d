"""Muon: momentum steps made orthogonal by Newton-Schulz iteration, for matrices."""

from __future__ import annotations

import math
from typing import Any

from flambeau.optim._options import check_lr
from flambeau.optim._rule import Group, Rule, RuleOptimizer, State, Value, lerp, no_counters
from flambeau.optim.optimizer import ParamsT

__all__ = ["Muon"]

# How the learning rate grows with a matrix's shape (rows, columns).
_RATE_FACTORS = {
    None: lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}
_MOST_ITERATIONS = 100


def _orthogonal(
    xp: Any, x: Value, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Value:
    """The nearest matrix with orthonormal rows or columns, roughly.

    Newton-Schulz: x = a x + (b A + c A^2) x with A = x x^T, a polynomial that pulls all singular
    values towards 1. Every matrix is rounded to bfloat16, as PyTorch computes it.
    """
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = xp.as_bfloat16(x.T if tall else x)
    x = xp.as_bfloat16(x / xp.clip(xp.as_bfloat16(xp.length(x)), eps, None))
    for _ in range(steps):
        gram = xp.as_bfloat16(x @ x.T)
        polynomial = xp.as_bfloat16(gram * b + (gram @ gram) * c)
        x = xp.as_bfloat16(x * a + polynomial @ x)
    return x.T if tall else x


def _update(
    xp: Any, param: Value, grad: Value, buffer: Value, *, lr: float, factor: float,
    weight_decay: float, momentum: float, nesterov: bool,
    coefficients: tuple[float, float, float], steps: int, eps: float,
) -> tuple[Value, ...]:  # fmt: skip
    buffer = lerp(buffer, grad, 1 - momentum)
    direction = lerp(grad, buffer, momentum) if nesterov else buffer
    direction = xp.cast_like(_orthogonal(xp, direction, coefficients, steps, eps), param)
    return param * (1 - lr * weight_decay) - direction * (lr * factor), buffer


def _numbers(group: Group, state: State, param: Any) -> dict[str, Any]:
    if param.is_complex():
        raise RuntimeError("Muon does not support complex parameters")
    coefficients, steps = group["ns_coefficients"], group["ns_steps"]
    if steps >= _MOST_ITERATIONS:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    return {
        "lr": float(group["lr"]),
        "factor": _RATE_FACTORS[group["adjust_lr_fn"]](*param.shape),
        "weight_decay": float(group["weight_decay"]),
        "momentum": float(group["momentum"]),
        "nesterov": group["nesterov"],
        "coefficients": tuple(float(c) for c in coefficients),
        "steps": steps,
        "eps": float(group["eps"]),
    }


class Muon(RuleOptimizer):
    """Muon: b = `momentum` b + (1 - `momentum`) g, u = b (or with `nesterov`
    (1 - `momentum`) g + `momentum` b), O = u made orthogonal, and
    p = (1 - `lr` `weight_decay`) p - `lr` f O, where f grows with the matrix's shape.

    For the hidden layers' matrices; give biases, embeddings and the last layer to AdamW.

    Args:
        params: matrices, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        weight_decay: decay of the weights a step, in units of `lr`.
        momentum: decay rate of the momentum.
        nesterov: look ahead along the momentum.
        ns_coefficients: the three coefficients of the Newton-Schulz polynomial.
        eps: keeps the normalisation finite.
        ns_steps: Newton-Schulz iterations, fewer than 100.
        adjust_lr_fn: f: "original" (the default), sqrt(max(1, rows/columns)), or
            "match_rms_adamw", 0.2 sqrt(max(rows, columns)).

    Raises:
        ValueError: a parameter that is no matrix, or an option outside its range.
        RuntimeError: a step on complex parameters.

    Example:
        >>> p = flambeau.eye(2).requires_grad_()
        >>> (3 * p).sum().backward()
        >>> flambeau.optim.Muon([p], lr=0.1).step()
    """

    _rule = Rule(
        _update,
        _numbers,
        tensors=lambda group, param: ("momentum_buffer",),
        counters=no_counters,
    )

    def __init__(
        self, params: ParamsT, lr: Any = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in _RATE_FACTORS:
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(params, {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        })  # fmt: skip
        for group in self.param_groups:
            for param in group["params"]:
                if param.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with "
                        f"size: {param.size()}"
                    )
