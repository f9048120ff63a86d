"""Checks of the options that optimizers share, with PyTorch's messages."""

from __future__ import annotations

from typing import Any

from flambeau._engine.autograd.tensor import Tensor


def check_lr(lr: Any, words: str = "Invalid learning rate: {}") -> None:
    """A learning rate is a number >= 0 or a tensor of one element."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(words.format(lr))


def check_not_negative(**options: Any) -> None:
    """Each option, named as in its message, is a number >= 0."""
    for name, value in options.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {name} value: {value}")


def check_betas(betas: tuple[Any, Any]) -> None:
    """Decay rates of moving averages lie in [0, 1)."""
    for index, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")


def check_implementation(
    foreach: bool | None = None, fused: bool | None = None, differentiable: bool = False
) -> None:
    """`foreach` and `fused` are accepted and change nothing here, but may not contradict."""
    if fused:
        if differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
