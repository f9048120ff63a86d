"""NumPy rules for primitives without operands."""

from __future__ import annotations

import numpy as np

from .table import rule


@rule("full")
def _full(*, shape, value, dtype):
    return np.full(shape, value, dtype)


@rule("arange")
def _arange(*, start, step, count, dtype):
    steps = np.arange(count)
    if dtype.kind in "iu":
        return (start + steps * step).astype(dtype)
    return (start + steps * float(step)).astype(dtype)
