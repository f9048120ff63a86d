"""Steps of neural networks that pay as one instruction: linear, embedding, standardize, NLL.

An operand that may be left out (bias, class weights) is None then.
"""

from __future__ import annotations

from typing import Any

from ..base.shapes import broadcast
from .primitive import Aval, declare


def _linear(a: Aval, weight: Aval, bias: Aval | None) -> Aval:
    return Aval((*a.shape[:-1], weight.shape[0]), a.dtype)


def _embedding(weight: Aval, index: Aval, **_: Any) -> Aval:
    return Aval((*index.shape, *weight.shape[1:]), weight.dtype)


def _standardize(a: Aval, *, dims: tuple[int, ...], eps: float) -> tuple[Aval, Aval, Aval]:
    kept = tuple(1 if d in dims else size for d, size in enumerate(a.shape))
    return a, Aval(kept, a.dtype), Aval(kept, a.dtype)


def _nll_loss(
    a: Aval, target: Aval, weight: Aval | None, *, reduction: str, ignore_index: int
) -> tuple[Aval, Aval]:
    shape = target.shape if reduction == "none" else ()
    return Aval(shape, a.dtype), Aval((), a.dtype)


def _nll_loss_grad(
    g: Aval, target: Aval, weight: Aval | None, total: Aval, *, shape: Any, **_: Any
) -> Aval:
    return Aval(shape, g.dtype)


# a @ weight^T + bias, for weight (out, in)
declare("linear", "a weight bias", shape=_linear)
# rows of `weight`; padding_idx and scale_grad_by_freq only matter to the gradient
declare("embedding", "weight index", "padding_idx scale_grad_by_freq", shape=_embedding)
# (a - mean) / sqrt(var + eps), mean, var: moments over `dims`, which are kept; var is biased
declare("standardize", "a", "dims eps", shape=_standardize, outputs=3)
# minus a's entry of the target class, weighted; and the sum of the weights that counted
declare("nll_loss", "a target weight", "reduction ignore_index", shape=_nll_loss, outputs=2)
declare(
    "nll_loss_grad",
    "g target weight total",
    "shape reduction ignore_index",
    shape=_nll_loss_grad,
)
# -(t log a + (1 - t) log(1 - a)) with logarithms no lower than -100
declare(
    "binary_cross_entropy",
    "a target",
    elementwise=True,
    shape=lambda a, target: Aval(broadcast(a.shape, target.shape), a.dtype),
)
