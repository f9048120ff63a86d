"""Keeping gradients small."""

from __future__ import annotations

from collections.abc import Iterable

from flambeau._engine.autograd.mode import no_grad
from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.creation import tensor
from flambeau._ops.declare import event
from flambeau._ops.joining import stack

from ..._engine.base.callers import warn_user

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _norm(x: Tensor, order: float) -> Tensor:
    """The ``order``-norm of all elements."""
    if order == float("inf"):
        return x.abs().max()
    if order == 0:
        return (x != 0).sum().to(x.dtype)
    if order == 2:
        flat = x.reshape(-1)
        return flat.dot(flat).sqrt() if not x.is_complex() else flat.abs().square().sum().sqrt()
    return x.abs().pow(order).sum().pow(1.0 / order)


# Each is one event: the compiler's guards are then as few, whatever the number of gradients.


@event("total_norm")
def _total(tensors: list[Tensor], order: float) -> Tensor:
    norms = [_norm(x, order) for x in tensors]
    return norms[0] if len(norms) == 1 else _norm(stack(norms), order)


@event("scale_grads")
def _scale(grads: list[Tensor], factor: Tensor) -> None:
    for grad in grads:
        grad.mul_(factor.to(grad.dtype))


@no_grad()
def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors together, as one number on the tape's outside.

    Args:
        tensors: one tensor or several.
        norm_type: the p of the norm; "inf" for the largest absolute value.
        error_if_nonfinite: raise when the norm is infinite or not a number.
        foreach: accepted; it changes nothing.
    """
    listed = _listed(tensors)
    if not listed:
        return tensor(0.0)
    total = _total(listed, float(norm_type))
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            f"The total norm of order {float(norm_type)} for gradients from `parameters` is "
            "non-finite, so it cannot be clipped. To disable this error and scale the gradients "
            "by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Multiply all gradients by ``min(1, max_norm / (total_norm + 1e-6))``, in place."""
    grads = [p.grad for p in _listed(parameters) if p.grad is not None]
    if grads:
        _scale(grads, (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0))


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients together so that their norm is at most ``max_norm``, in place.

    Args:
        parameters: whose gradients; those without are left out.
        max_norm: the bound.
        norm_type: the p of the norm.
        error_if_nonfinite: raise when the norm is infinite or not a number.
        foreach: accepted; it changes nothing.

    Returns:
        The norm before scaling.

    >>> weight = nn.Parameter(torch.zeros(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> nn.utils.clip_grad_norm_(weight, 1.0)
    tensor(5.)
    """
    if not isinstance(parameters, Tensor | Iterable):
        raise TypeError(
            f"parameters should be a Tensor or an iterable of Tensors, got {type(parameters)}"
        )
    listed = _listed(parameters)
    if not listed:
        warn_user("`parameters` is an empty generator, no gradient clipping will occur.")
    grads = [p.grad for p in listed if p.grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(listed, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Deprecated name of `clip_grad_norm_`."""
    warn_user(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Clip every element of every gradient to ``[-clip_value, clip_value]``, in place."""
    bound = float(clip_value)
    for parameter in _listed(parameters):
        if parameter.grad is not None:
            parameter.grad.clamp_(min=-bound, max=bound)
