"""Gradients of convolution and its adjoints: each is made of the other two."""

from __future__ import annotations

from typing import Any

from ..table import gradient
from .shared import P, conj


def _window(stride: Any, padding: Any, dilation: Any, groups: int) -> dict[str, Any]:
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _convolved(a: Any, weight: Any, output_shape: Any, **window: Any) -> Any:
    """A convolution without the places that a transposed one's output padding made room for."""
    found = P.convolution(a, weight, **window)
    if found._array.shape == tuple(output_shape):
        return found
    return P.slice(found, index=tuple((0, n, 1) for n in output_shape))


gradient(
    "convolution",
    lambda g, weight, a_shape, stride, padding, dilation, groups: P.convolution_input_grad(
        g, conj(weight), size=a_shape[2:], **_window(stride, padding, dilation, groups)
    ),
    lambda g, a, weight_shape, stride, padding, dilation, groups: P.convolution_weight_grad(
        conj(a), g, kernel=weight_shape[2:], **_window(stride, padding, dilation, groups)
    ),
)
gradient(
    "convolution_input_grad",
    lambda g, weight, output_shape, stride, padding, dilation, groups: _convolved(
        g, conj(weight), output_shape, **_window(stride, padding, dilation, groups)
    ),
    lambda g, output, weight_shape, stride, padding, dilation, groups: P.convolution_weight_grad(
        g, conj(output), kernel=weight_shape[2:], **_window(stride, padding, dilation, groups)
    ),
)
gradient(
    "convolution_weight_grad",
    lambda g, output, a_shape, stride, padding, dilation, groups: P.convolution_input_grad(
        conj(output), g, size=a_shape[2:], **_window(stride, padding, dilation, groups)
    ),
    lambda g, a, output_shape, stride, padding, dilation, groups: _convolved(
        conj(a), g, output_shape, **_window(stride, padding, dilation, groups)
    ),
)
