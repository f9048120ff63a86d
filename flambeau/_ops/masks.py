"""Random masks at the top level: the dropout family and rrelu, as functions and in place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import check_writable, write_
from .._engine.autograd.tensor import Tensor
from .._engine.base import defaults
from .._engine.base.dtypes import FLOATING, dtype
from .._engine.base.errors import cast_error
from ..random import Generator, state_of
from .declare import op
from .draws import draw, draw_like, unsupported
from .promote import dtype_of

__all__ = [
    "alpha_dropout",
    "alpha_dropout_",
    "dropout",
    "dropout_",
    "feature_alpha_dropout",
    "feature_alpha_dropout_",
    "feature_dropout",
    "feature_dropout_",
    "rrelu",
    "rrelu_",
]

# -scale * alpha of SELU: what its activations tend to for very negative inputs
_ALPHA = 1.7580993408473766


def _masked(input: Tensor, p: float, train: bool, features: bool, alpha: bool) -> Tensor:
    """`input` after dropout; itself where there is nothing to drop.

    Raises:
        RuntimeError: p is no probability, or whole features are dropped and there are none.
    """
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
    if p == 0 or not train or input._array.size == 0:
        return input
    if p == 1:
        return input * 0
    d = dtype_of(input)
    if d.is_complex:
        raise unsupported("bernoulli_scalar_cpu_", d)
    if d.category != FLOATING:
        raise cast_error(defaults.get_default_dtype(), d)
    if not alpha:
        return P.mul(input, _mask(input, p, features, _kept_scale(p, d)))
    kept = _mask(input, p, features, 1.0)
    a = 1.0 / math.sqrt((_ALPHA * _ALPHA * p + 1.0) * (1.0 - p))
    shift = (kept - 1) * (_ALPHA * a) + _ALPHA * a * p
    return input * (kept * a) + shift


def _kept_scale(p: float, d: dtype) -> float:
    number = np.float64 if d.itemsize == 8 else np.float32
    return float(number(1.0) / number(1.0 - p))


def _mask(input: Tensor, p: float, features: bool, scale: float) -> Tensor:
    how: dict[str, Any] = {"keep": 1.0 - p, "scale": scale, "generator": state_of(None)}
    if not features:
        return draw_like(input, "dropout_mask", **how)
    shape = input._array.shape
    if len(shape) < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    per_feature = shape[:2] + (1,) * (len(shape) - 2)
    return draw("dropout_mask", per_feature, dtype_of(input), input._device, **how)


def _family(
    name: str, doc: str, *, features: bool, alpha: bool
) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """The function of that name and its in-place form."""

    def function(input: Tensor, p: float, train: bool) -> Tensor:
        return _masked(input, p, train, features, alpha)

    def inplace(input: Tensor, p: float, train: bool) -> Tensor:
        check_writable(input)
        result = _masked(input, p, train, features, alpha)
        return input if result is input else write_(input, result, op=name + "_")

    function.__doc__ = f"{doc} with probability p, while `train`; the rest is scaled up."
    inplace.__doc__ = f"In-place version of `{name}`."
    label = "AddBackward0" if alpha else "MulBackward0"
    for one, called in ((function, name), (inplace, name + "_")):
        one.__name__ = one.__qualname__ = called
    return op(label=label)(function), op(label=label)(inplace)


dropout, dropout_ = _family("dropout", "Zero elements", features=False, alpha=False)
feature_dropout, feature_dropout_ = _family(
    "feature_dropout", "Zero whole channels (dimension 1)", features=True, alpha=False
)
alpha_dropout, alpha_dropout_ = _family(
    "alpha_dropout", "Set elements to SELU's lower limit", features=False, alpha=True
)
feature_alpha_dropout, feature_alpha_dropout_ = _family(
    "feature_alpha_dropout", "Set whole channels to SELU's lower limit", features=True, alpha=True
)


@op(label="RreluWithNoiseBackward0")
def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """x where x > 0, else r x with r uniform in [lower, upper), or their mean when not training.

    Raises:
        RuntimeError: lower > upper.
    """
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    d = dtype_of(input)
    if d.category != FLOATING:
        raise unsupported("rrelu_with_noise_out_cpu" if training else "leaky_relu_cpu", d)
    if not training:
        lower = upper = (lower + upper) / 2
    slopes = P.rrelu_slopes(
        input, lower=lower, upper=upper, generator=state_of(generator) if training else None
    )
    return P.mul(input, slopes)


@op(label="RreluWithNoiseBackward1")
def rrelu_(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """In-place version of `rrelu`."""
    check_writable(input)
    return write_(input, rrelu(input, lower, upper, training, generator), op="rrelu_")
