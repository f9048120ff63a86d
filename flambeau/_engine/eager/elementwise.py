"""NumPy rules for the elementwise primitives."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import rule, rules

rules(
    neg=np.negative, abs=np.absolute, ceil=np.ceil, floor=np.floor, trunc=np.trunc,
    rint=np.rint, exp=np.exp, expm1=np.expm1, log=np.log, log1p=np.log1p, log2=np.log2,
    log10=np.log10, exp2=np.exp2, sqrt=np.sqrt, reciprocal=np.reciprocal, square=np.square,
    sin=np.sin, cos=np.cos, tan=np.tan, asin=np.arcsin, acos=np.arccos, atan=np.arctan,
    sinh=np.sinh, cosh=np.cosh, tanh=np.tanh, asinh=np.arcsinh, acosh=np.arccosh,
    atanh=np.arctanh, conj=np.conjugate, bitwise_not=np.invert, isnan=np.isnan, isinf=np.isinf,
    isfinite=np.isfinite, logical_not=np.logical_not, signbit=np.signbit,
)  # fmt: skip
rules(
    add=np.add, sub=np.subtract, mul=np.multiply, div=np.true_divide, maximum=np.maximum,
    minimum=np.minimum, fmax=np.fmax, fmin=np.fmin, atan2=np.arctan2, hypot=np.hypot,
    nextafter=np.nextafter, copysign=np.copysign, fmod=np.fmod, bitwise_and=np.bitwise_and,
    bitwise_or=np.bitwise_or, bitwise_xor=np.bitwise_xor,
    eq=np.equal, ne=np.not_equal, lt=np.less, le=np.less_equal, gt=np.greater,
    gcd=np.gcd, lcm=np.lcm, ge=np.greater_equal, logical_and=np.logical_and,
    logical_or=np.logical_or, logical_xor=np.logical_xor,
)  # fmt: skip
rules(
    angle=np.angle, complex_abs=np.absolute,
    floor_divide=np.floor_divide, remainder=np.remainder,
)  # fmt: skip


@rule("pow")
def _pow(a, b):
    if isinstance(b, np.ndarray) and b.dtype.kind == "i" and b.size and b.min() < 0:
        return _integer_pow(a, b)
    return np.power(a, b)


def _integer_pow(a, b):
    # integers to negative powers: 1/a rounded to zero, as C's repeated multiplication gives
    base = np.asarray(a)
    sign = np.where((b % 2 == 1) & (base == -1), -1, 1)
    negative = np.where(np.abs(base) == 1, sign, 0)
    return np.where(b < 0, negative, np.power(base, np.maximum(b, 0))).astype(b.dtype)


@rule("where")
def _where(condition, a, b):
    # a number takes the other operand's dtype (NumPy would widen bool and bfloat16)
    if not isinstance(a, np.ndarray):
        a = np.asarray(a, b.dtype)
    elif not isinstance(b, np.ndarray):
        b = np.asarray(b, a.dtype)
    if condition.size >= _MASKS_PAY and a.dtype == b.dtype and a.dtype.kind in "fiu":
        bits = _SIGNED.get(a.itemsize)
        if bits is not None:
            return _where_by_masks(condition, a, b, bits)
    return np.where(condition, a, b)


_MASKS_PAY = 4096  # elements
_SIGNED = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}


def _where_by_masks(condition, a, b, bits):
    """np.where by bitwise operations: no branch an element, which random conditions mispredict."""
    truth, x, y = condition.view(np.int8), a.view(bits), b.view(bits)
    if y.ndim == 0 and not y:
        mask = np.negative(truth, dtype=bits)
        return _combined(np.bitwise_and, mask, x).view(a.dtype)
    if x.ndim == 0 and not x:
        mask = np.subtract(truth, 1, dtype=bits)
        return _combined(np.bitwise_and, mask, y).view(a.dtype)
    if bits.itemsize > 4:
        return np.where(condition, a, b)
    mask = np.negative(truth, dtype=bits)
    out = _combined(np.bitwise_and, mask, x ^ y)
    return _combined(np.bitwise_xor, out, y).view(a.dtype)


def _combined(ufunc, out, operand):
    """ufunc(out, operand), in the memory of `out` where the result fits."""
    if np.broadcast(out, operand).shape == out.shape:
        return ufunc(out, operand, out=out)
    return ufunc(out, operand)


@rule("rsqrt")
@in_float32
def _rsqrt(a):
    return np.reciprocal(np.sqrt(a))


@rule("sigmoid")
@in_float32
def _sigmoid(a):
    one = a.dtype.type(1)
    # exp(-a) may overflow: 1 / inf is the zero that is wanted
    out = np.negative(a, out=np.empty_like(a))
    np.exp(out, out=out)
    np.add(out, one, out=out)
    return np.reciprocal(out, out=out)


@rule("sign")
def _sign(a):
    found = np.asarray(np.sign(a))
    if a.dtype.kind in "fV":
        found[np.isnan(a)] = 0  # PyTorch's sign of NaN
    return found


@rule("relu")
def _relu(a):
    return np.maximum(a, a.dtype.type(0))


@rule("left_shift")
def _left_shift(a, b):
    return np.left_shift(a, b)


@rule("right_shift")
def _right_shift(a, b):
    return np.right_shift(a, b)


@rule("convert")
def _convert(a, *, dtype):
    if a.dtype.kind == "c" and dtype.kind != "c" and dtype.kind != "b":
        a = a.real
    if a.dtype.kind == "f" and dtype.kind == "u":
        # out of range for C; PyTorch goes through a wide signed integer
        return a.astype(np.int64).astype(dtype)
    return a.astype(dtype)


@rule("real_part")
def _real_part(a):
    return a.real.copy()  # NumPy's is a view


@rule("imag_part")
def _imag_part(a):
    return a.imag.copy()


@rule("make_complex")
def _make_complex(a, b):
    shape = np.broadcast_shapes(a.shape, b.shape)
    out = np.empty(shape, np.complex128 if a.dtype == np.float64 else np.complex64)
    out.real = a
    out.imag = b
    return out


@rule("round_decimals")
def _round_decimals(a, *, decimals):
    scale = a.dtype.type(10.0 ** abs(decimals))
    return np.rint(a * scale) / scale if decimals >= 0 else np.rint(a / scale) * scale


@rule("frexp")
@in_float32
def _frexp(a):
    mantissa, exponent = np.frexp(a)
    return mantissa, exponent.astype(np.int32)
