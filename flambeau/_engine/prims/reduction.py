"""Reductions, scans, and softmax: `dims` are non-negative and distinct."""

from __future__ import annotations

import numpy as np

from ..base.shapes import reduced
from .primitive import Aval, declare


def _reduce(a: Aval, *, dims: tuple[int, ...], keepdim: bool) -> Aval:
    return Aval(reduced(a.shape, dims, keepdim), a.dtype)


def _reduce_to_bool(a: Aval, *, dims: tuple[int, ...], keepdim: bool) -> Aval:
    return Aval(reduced(a.shape, dims, keepdim), np.dtype(bool))


def _reduce_to_index(a: Aval, *, dim: int, keepdim: bool) -> Aval:
    return Aval(reduced(a.shape, (dim,), keepdim), np.dtype(np.int64))


def _keep(a: Aval, **params: object) -> Aval:
    return a


def _keep_and_index(a: Aval, **params: object) -> tuple[Aval, Aval]:
    return a, Aval(a.shape, np.dtype(np.int64))


for _name in ("sum", "prod", "amax", "amin"):
    declare(_name, "a", "dims keepdim", shape=_reduce)
# exclusive or of 64-bit integers
declare("xor_all", "a", "dims keepdim", shape=_reduce)
for _name in ("any", "all"):
    declare(_name, "a", "dims keepdim", shape=_reduce_to_bool)
for _name in ("argmax", "argmin"):
    declare(_name, "a", "dim keepdim", shape=_reduce_to_index)
# safe_softmax: softmax, but zeros where everything along the dimension is -inf
for _name in ("cumsum", "cumprod", "logcumsumexp", "softmax", "safe_softmax", "log_softmax"):
    declare(_name, "a", "dim", shape=_keep)
for _name in ("cummax", "cummin"):
    declare(_name, "a", "dim", shape=_keep_and_index, outputs=2)
