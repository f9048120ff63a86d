"""The NumPy rule for resampling along a dimension."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import rule


@rule("resample")
@in_float32
def _resample(a, *, taps, dim):
    if taps.uniform is not None:
        return _uniform(a, taps, dim)
    return _ragged(a, taps, dim)


def _along(values, a, dim):
    """A vector shaped to broadcast along `dim`, in a's (real) precision."""
    real = a.real.dtype if a.dtype.kind == "c" else a.dtype
    return values.astype(real).reshape((-1,) + (1,) * (a.ndim - dim - 1))


def _uniform(a, taps, dim):
    """Every result reads equally many elements: one gather for each."""
    table = taps.sources.reshape(taps.count, taps.uniform)
    weights = None if taps.weights is None else taps.weights.reshape(table.shape)
    out = None
    for column in range(taps.uniform):
        term = np.take(a, table[:, column], axis=dim)
        if weights is not None:
            term *= _along(weights[:, column], a, dim)
        out = term if out is None else np.add(out, term, out=out)
    if out is None:
        return np.zeros((*a.shape[:dim], taps.count, *a.shape[dim + 1 :]), a.dtype)
    return out


def _ragged(a, taps, dim):
    shape = (*a.shape[:dim], taps.count, *a.shape[dim + 1 :])
    out = np.zeros(shape, a.dtype)
    filled = taps.lengths > 0
    if not filled.any():
        return out
    terms = np.take(a, taps.sources, axis=dim)
    if taps.weights is not None:
        terms *= _along(taps.weights, a, dim)
    sums = np.add.reduceat(terms, taps.starts[filled], axis=dim)
    out[(slice(None),) * dim + (filled,)] = sums
    return out
