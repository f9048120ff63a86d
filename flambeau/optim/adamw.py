"""AdamW: Adam with weight decay apart from the gradient."""

from __future__ import annotations

from typing import Any

from flambeau.optim.adam import Adam
from flambeau.optim.optimizer import ParamsT

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam with decoupled decay: p = p - `lr` * `weight_decay` * p before Adam's own step.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of parameter groups.
        lr: learning rate, a float or a tensor of one element.
        betas: decay rates of the moments, in [0, 1); both floats or both tensors.
        eps: keeps the division finite.
        weight_decay: decay of the weights a step, in units of `lr`.
        amsgrad: divide by the largest second moment seen so far.
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
        >>> flambeau.optim.AdamW([p], lr=0.1, weight_decay=0.5).step()
        >>> round(p.item(), 4)
        0.85
    """

    def __init__(
        self, params: ParamsT, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *,
        maximize: bool = False, foreach: bool | None = None, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
