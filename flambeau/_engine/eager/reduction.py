"""NumPy rules for reductions, scans and softmax."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import rule, rules


def _over(ufunc, **options):
    """A reduction by a ufunc over several dimensions at once."""

    def reduce(a, *, dims, keepdim):
        return ufunc.reduce(a, axis=dims, keepdims=keepdim, dtype=options.get("dtype", a.dtype))

    return reduce


rules(
    sum=in_float32(_over(np.add)),
    prod=in_float32(_over(np.multiply)),
    any=_over(np.logical_or, dtype=np.bool_),
    all=_over(np.logical_and, dtype=np.bool_),
    xor_all=_over(np.bitwise_xor),
    amax=_over(np.maximum),
    amin=_over(np.minimum),
)


def _index_of(function):
    def rule_(a, *, dim, keepdim):
        return function(a, axis=dim, keepdims=keepdim)

    return rule_


rules(argmax=_index_of(np.argmax), argmin=_index_of(np.argmin))


@rule("cumsum")
@in_float32
def _cumsum(a, *, dim):
    return np.cumsum(a, axis=dim, dtype=a.dtype)


@rule("cumprod")
@in_float32
def _cumprod(a, *, dim):
    return np.cumprod(a, axis=dim, dtype=a.dtype)


def _running(ufunc, wins):
    """cummax/cummin: the last position that attained the running extreme."""

    def scan(a, *, dim):
        values = ufunc.accumulate(a, axis=dim)
        steps = np.arange(a.shape[dim]).reshape([-1 if d == dim else 1 for d in range(a.ndim)])
        hit = wins(a, values) | ((a != a) & (values != values))
        return values, np.maximum.accumulate(np.where(hit, steps, 0), axis=dim)

    return scan


rules(cummax=_running(np.maximum, np.equal), cummin=_running(np.minimum, np.equal))


@rule("logcumsumexp")
@in_float32
def _logcumsumexp(a, *, dim):
    if a.dtype.kind != "c":
        return np.logaddexp.accumulate(a, axis=dim, dtype=a.dtype)
    out = a.copy()
    steps = np.moveaxis(out, dim, 0)
    for before, now in zip(steps[:-1], steps[1:], strict=True):
        first = before.real >= now.real
        high, low = np.where(first, before, now), np.where(first, now, before)
        gap = np.where(np.isinf(high.real), 0, low - high)
        now[...] = high + np.log1p(np.exp(gap))
    return out


@rule("softmax")
@in_float32
def _softmax(a, *, dim):
    if a.size == 0:
        return a.copy()
    e = np.exp(a - np.maximum.reduce(a, axis=dim, keepdims=True))
    e /= np.add.reduce(e, axis=dim, keepdims=True)
    return e


@rule("safe_softmax")
@in_float32
def _safe_softmax(a, *, dim):
    if a.size == 0:
        return a.copy()
    most = np.maximum.reduce(a, axis=dim, keepdims=True)
    e = np.exp(a - np.where(most == -np.inf, 0, most).astype(a.dtype, copy=False))
    total = np.add.reduce(e, axis=dim, keepdims=True)
    e /= np.where(total == 0, 1, total).astype(a.dtype, copy=False)
    return e


@rule("log_softmax")
@in_float32
def _log_softmax(a, *, dim):
    if a.size == 0:
        return a.copy()
    shifted = a - np.maximum.reduce(a, axis=dim, keepdims=True)
    shifted -= np.log(np.add.reduce(np.exp(shifted), axis=dim, keepdims=True))
    return shifted
