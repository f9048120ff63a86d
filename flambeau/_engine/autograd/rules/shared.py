"""What gradient rules are written with: primitives on tensors, and a few short helpers.

`P` is filled by `autograd.calls` after the rules are declared, hence the namespace of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base import state
from ...prims.creation import Literal
from ..tensor import Tensor


class Calls:
    """A namespace with one callable for each primitive."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(f"no primitive is called {name!r}")


P: Any = Calls()


def conj(x: Any) -> Any:
    """The complex conjugate; real tensors and numbers pass through."""
    if isinstance(x, Tensor):
        return P.conj(x) if x._array.dtype.kind == "c" else x
    return x.conjugate() if isinstance(x, complex) else x


def zeros_like(x: Tensor) -> Tensor:
    """Zeros of x's shape, dtype and device, without history."""
    return filled(x, x._array.shape, 0)


def filled(x: Tensor, shape: tuple[int, ...], value: float) -> Tensor:
    """A constant tensor of x's dtype and device."""
    out = P.full(shape=shape, value=value, dtype=x._array.dtype)
    if x._device is not out._device:
        out._device, out._plain = x._device, False
    return out


def literal(array: np.ndarray) -> Tensor:
    """An array that does not depend on any tensor's elements, as a tensor."""
    return P.constant(array=Literal(array))


def elements(x: Tensor) -> np.ndarray:
    """A tensor's array, for the few that must look at elements to know what to do.

    A tracer is told: what happens next cannot be repeated for other elements.
    """
    if state.tracer is not None:
        state.tracer.was_read()
    return x._array


def spread(g: Tensor, shape: tuple[int, ...], dims: tuple[int, ...], keepdim: bool) -> Tensor:
    """A reduction's gradient, broadcast back over the reduced dimensions."""
    # a single number needs no dimensions to be spread
    if not keepdim and g._array.ndim and len(shape) != g._array.ndim:
        kept = tuple(1 if d in dims else size for d, size in enumerate(shape))
        g = P.view(g, shape=kept) if g._array.flags.c_contiguous else _unsqueezed(g, kept)
    return P.expand(g, shape=shape) if g._array.shape != shape else g


def _unsqueezed(g: Tensor, kept: tuple[int, ...]) -> Tensor:
    return P.view(P.copy(g, order="C"), shape=kept)
