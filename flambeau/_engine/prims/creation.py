"""Primitives that make tensors from parameters alone."""

from __future__ import annotations

import numpy as np

from .primitive import Aval, declare


def _full(*, shape: tuple[int, ...], value: object, dtype: np.dtype) -> Aval:
    return Aval(shape, dtype)


declare("full", "", "shape value dtype", shape=_full)
declare(
    "arange", "", "start step count dtype", shape=lambda *, count, dtype, **_: Aval((count,), dtype)
)
