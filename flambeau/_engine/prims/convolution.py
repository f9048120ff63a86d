"""Convolution and its two adjoints, in any number of spatial dimensions.

Layouts: input (N, C, *S), weight (O, C / groups, *K), output (N, O, *T). `padding` has a
(low, high) pair a spatial dimension, `stride` and `dilation` one number each. The three are
linear in each operand, and the gradients of each are made of the other two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .primitive import Aval, declare

Pairs = Sequence[tuple[int, int]]


def convolved_size(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """How many window positions fit in each spatial dimension."""
    return tuple(
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, (low, high), d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def _convolution(
    a: Aval, weight: Aval, *, stride: Any, padding: Any, dilation: Any, groups: int
) -> Aval:
    out = convolved_size(a.shape[2:], weight.shape[2:], stride, padding, dilation)
    return Aval((a.shape[0], weight.shape[0], *out), a.dtype)


def _input_grad(output: Aval, weight: Aval, *, size: Any, groups: int, **_: Any) -> Aval:
    return Aval((output.shape[0], weight.shape[1] * groups, *size), output.dtype)


def _weight_grad(a: Aval, output: Aval, *, kernel: Any, groups: int, **_: Any) -> Aval:
    return Aval((output.shape[1], a.shape[1] // groups, *kernel), a.dtype)


_WINDOW = "stride padding dilation groups"
declare("convolution", "a weight", _WINDOW, shape=_convolution)
declare("convolution_input_grad", "output weight", f"size {_WINDOW}", shape=_input_grad)
declare("convolution_weight_grad", "a output", f"kernel {_WINDOW}", shape=_weight_grad)
