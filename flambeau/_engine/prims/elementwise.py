"""Elementwise primitives: operands share a dtype and broadcast; Python numbers are weak."""

from __future__ import annotations

import numpy as np

from ..base import dtypes
from ..base.shapes import broadcast
from .primitive import Aval, declare


def same(*operands: object, **params: object) -> Aval:
    """The operands' common shape, and their dtype."""
    tensors = [x for x in operands if isinstance(x, Aval)]
    return Aval(broadcast(*(x.shape for x in tensors)), tensors[-1].dtype)


def _boolean(*operands: object, **params: object) -> Aval:
    return Aval(same(*operands).shape, np.dtype(bool))


def _real(a: Aval) -> Aval:
    return Aval(a.shape, dtypes.from_numpy(a.dtype).to_real().numpy)


def _given(a: Aval, *, dtype: np.dtype) -> Aval:
    return Aval(a.shape, dtype)


_UNARY = (
    "neg abs sign ceil floor trunc rint exp expm1 log log1p log2 log10 exp2 sqrt rsqrt "
    "reciprocal square sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sigmoid "
    "relu conj bitwise_not"
)
_TESTS = "isnan isinf isfinite logical_not signbit"
_BINARY = (
    "add sub mul div floor_divide remainder fmod pow maximum minimum fmax fmin atan2 hypot "
    "nextafter copysign gcd lcm bitwise_and bitwise_or bitwise_xor left_shift right_shift"
)
_COMPARISONS = "eq ne lt le gt ge logical_and logical_or logical_xor"

for _name in _UNARY.split():
    declare(_name, "a", shape=same, elementwise=True)
for _name in _TESTS.split():
    declare(_name, "a", shape=_boolean, elementwise=True)
for _name in _BINARY.split():
    declare(_name, "a b", shape=same, elementwise=True)
for _name in _COMPARISONS.split():
    declare(_name, "a b", shape=_boolean, elementwise=True)

declare("where", "condition a b", shape=same, elementwise=True)
declare("convert", "a", "dtype", shape=_given, elementwise=True)
declare("real_part", "a", shape=_real, elementwise=True)
declare("imag_part", "a", shape=_real, elementwise=True)
declare("angle", "a", shape=_real, elementwise=True)
declare("complex_abs", "a", shape=_real, elementwise=True)
declare(
    "make_complex",
    "a b",
    shape=lambda a, b: Aval(same(a, b).shape, dtypes.from_numpy(a.dtype).to_complex().numpy),
    elementwise=True,
)
declare("round_decimals", "a", "decimals", shape=same, elementwise=True)
declare("frexp", "a", shape=lambda a: (a, Aval(a.shape, np.dtype(np.int32))), outputs=2)
