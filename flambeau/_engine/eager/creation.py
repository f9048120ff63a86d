"""NumPy rules for primitives without operands."""

from __future__ import annotations

import numpy as np

from .table import rule


@rule("full")
def _full(*, shape, value, dtype):
    if not shape and dtype.kind in "fc":  # what operators make of numbers: a third of the time
        return np.array(value, dtype)
    return np.full(shape, value, dtype)


@rule("constant")
def _constant(*, array):
    return array.array.copy()


@rule("arange")
def _arange(*, start, step, count, dtype):
    steps = np.arange(count)
    if dtype.kind in "iu":
        return (start + steps * step).astype(dtype)
    return (start + steps * float(step)).astype(dtype)
