"""More pointwise operations, each composed of primitives."""

from __future__ import annotations

import math
from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import write_
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.errors import not_supported
from ..return_types import result_type
from .arguments import check_tensor
from .checks import elements
from .declare import method, op
from .pointwise import add, mul, unary
from .promote import (
    as_dtype,
    as_tensors,
    common_dtype,
    dtype_of,
    floating_input,
    number,
    rounded_once,
    to_common,
)

__all__ = [
    "addcdiv", "addcmul", "allclose", "angle", "arctan2", "clamp", "clamp_max", "clamp_min", "clip",
    "conj", "conj_physical", "deg2rad", "equal", "float_power", "frac", "frexp", "gcd",
    "heaviside", "isclose", "isneginf", "isposinf", "isreal", "lcm", "ldexp", "lerp", "logaddexp",
    "logaddexp2", "logit", "mvlgamma", "nan_to_num", "polygamma", "rad2deg", "resolve_conj",
    "resolve_neg", "round", "sgn", "sign", "signbit", "sinc", "xlogy",
]  # fmt: skip

from .pointwise import atan2 as arctan2


@op(method=True, inplace=True, out=True)
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1 by the sign of x; bool passes through."""
    kind = input._array.dtype.kind
    if kind == "c":
        raise RuntimeError(
            "Unlike NumPy, torch.sign doesn't support complex tensors. Use torch.sgn instead."
        )
    return P.copy(input, order="K") if kind == "b" else P.sign(input)


@op(method=True, inplace=True, out=True)
def sgn(input: Tensor) -> Tensor:
    """sign for real tensors; x / |x| for complex ones, zero at zero."""
    if input._array.dtype.kind != "c":
        return sign(input)
    size = P.convert(P.complex_abs(input), dtype=input._array.dtype)
    zero = P.eq(size, 0)
    return P.where(zero, 0, P.div(input, P.where(zero, 1, size)))


signbit = unary("signbit", "Whether the sign bit is set", complex_=False)


@op(method=True, inplace=True, out=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest integer (or multiple of 10^-decimals); halves go to the even one."""
    kind = input._array.dtype.kind
    if kind in "bc":
        raise not_supported("round", dtype_of(input))
    if kind in "iu":
        if decimals:
            raise not_supported("round_vml_cpu", dtype_of(input))
        return P.copy(input, order="K")
    return P.round_decimals(input, decimals=decimals) if decimals else P.rint(input)


@op(method=True, inplace=True, out=True)
def frac(input: Tensor) -> Tensor:
    """x without its integer part. Raises RuntimeError for integers."""
    if input._array.dtype.kind in "iubc":
        raise not_supported("frac", dtype_of(input))
    return P.sub(input, P.trunc(input))


def _bounded(name: str, input: Tensor, low: Any, high: Any) -> Tensor:
    if low is None and high is None:
        raise RuntimeError(f"torch.{name}: At least one of 'min' or 'max' must not be None")
    operands = [x for x in (input, low, high) if x is not None]
    target = common_dtype(name, *operands)
    if target.is_complex:
        raise RuntimeError(f"{name} is not supported for complex types")
    x = as_dtype(input, target)
    if low is not None:
        x = _bound(x, low, target, P.maximum, P.lt)
    if high is not None:
        x = _bound(x, high, target, P.minimum, P.gt)
    return x if x is not input else P.copy(input, order="K")


def _bound(x: Tensor, bound: Any, target: dtypes.dtype, extreme: Any, beyond: Any) -> Tensor:
    """Keep x on one side of a bound; at the bound itself the gradient goes to x."""
    if isinstance(bound, Tensor):
        bound = as_dtype(bound, target)
        if x._plain and bound._plain:
            return extreme(x, bound)
        return P.where(P.logical_or(beyond(x, bound), P.isnan(bound)), bound, x)
    bound = number(bound, target)
    if x._plain:
        return extreme(x, bound)
    return P.where(beyond(x, bound), bound, x)


@op(method=True, inplace=True, out=True, aliases=("clip",), label="ClampBackward1")
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """x, but at least `min` and at most `max` (numbers or tensors; either may be None).

    Raises:
        RuntimeError: both bounds are None, or the dtype is complex.

    >>> flambeau.clamp(flambeau.tensor([-2.0, 0.5, 2.0]), -1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    return _bounded("clamp", input, min, max)


clip = clamp


@op(method=True, inplace=True, out=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """x, but at least `min`."""
    return _bounded("clamp_min", input, min, None)


@op(method=True, inplace=True, out=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """x, but at most `max`."""
    return _bounded("clamp_max", input, None, max)


@op(method=True, inplace=True, out=True)
@rounded_once
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input).

    Raises:
        RuntimeError: the dtypes of input and end differ.
    """
    if input._array.dtype != end._array.dtype:
        raise RuntimeError(
            f"expected dtype {dtype_of(input)} for `end` but got dtype {dtype_of(end)}"
        )
    if input._array.dtype.kind in "iub":
        raise not_supported("lerp_kernel", dtype_of(input))
    gap = P.sub(end, input)
    if not isinstance(weight, Tensor):
        weight = number(weight, dtype_of(input))
        # from the nearer end, so that weight 1 gives `end` exactly
        if abs(weight) < 0.5:
            return P.add(input, P.mul(gap, weight))
        return P.sub(end, P.mul(gap, 1 - weight))
    if weight._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"expected dtype {dtype_of(input)} for `weight` but got dtype {dtype_of(weight)}"
        )
    size = P.complex_abs(weight) if weight._array.dtype.kind == "c" else P.abs(weight)
    near = P.add(input, P.mul(weight, gap))
    far = P.sub(end, P.mul(gap, P.sub(1, weight)))
    return P.where(P.lt(size.detach(), 0.5), near, far)  # type: ignore[attr-defined]


def _added(name: str, combine: Any, doc: str) -> Any:
    def function(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
        a, b, c = to_common(name, input, tensor1, tensor2)
        if name == "addcdiv" and a._array.dtype.kind in "iub":
            raise RuntimeError(
                "Integer division with addcdiv is no longer supported, and in a future  release "
                "addcdiv will perform a true division of tensor1 and tensor2."
            )
        product = combine(b, c)
        return P.add(a, product if value == 1 else mul(product, value))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(method=True, inplace=True, out=True)(rounded_once(function))


addcmul = _added("addcmul", P.mul, "input + value * tensor1 * tensor2.")
addcdiv = _added("addcdiv", P.div, "input + value * tensor1 / tensor2.")


@op(method=True, inplace=True, out=True)
def xlogy(input: Any, other: Any) -> Tensor:
    """input * log(other), zero where input is zero (unless other is NaN)."""
    a, b = as_tensors(*to_common("xlogy", input, other, floating=True))
    if a._array.dtype.kind == "c":
        raise not_supported("xlogy", dtype_of(a))
    safe = P.where(P.eq(a, 0), 1, b)
    found = P.where(P.eq(a, 0), 0, P.mul(a, P.log(safe)))
    return P.where(P.isnan(b), math.nan, found)


def _log_sum(name: str, exponential: Any, scale: float, doc: str) -> Any:
    def function(input: Tensor, other: Tensor) -> Tensor:
        check_tensor(name, "other", 2, other)
        a, b = to_common(name, input, other)
        if a._array.dtype.kind in "iub":
            raise not_supported(name, dtype_of(a))
        real_a, real_b = (P.real_part(x) if x._array.dtype.kind == "c" else x for x in (a, b))
        first = P.ge(real_a, real_b)
        high, low = P.where(first, a, b), P.where(first, b, a)
        gap = P.where(P.isinf(high), 0, P.sub(low, high))  # of two infinities it is not a number
        gap = P.where(P.logical_or(P.isnan(a), P.isnan(b)), math.nan, gap)
        return P.add(high, P.mul(P.log1p(exponential(gap)), scale))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(method=True, out=True)(rounded_once(function))


logaddexp = _log_sum("logaddexp", P.exp, 1.0, "log(e^input + e^other), without overflow.")
logaddexp2 = _log_sum(
    "logaddexp2", P.exp2, 1 / math.log(2), "log2(2^input + 2^other), without overflow."
)


@op(method=True, inplace=True, out=True)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below zero, 1 above, `values` at zero."""
    if input._array.dtype != values._array.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    if input._array.dtype.kind == "c":
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    step = P.convert(P.gt(input, 0), dtype=input._array.dtype)
    return P.where(P.eq(input, 0), values, step)


@op(method=True, inplace=True, out=True)
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2^other."""
    check_tensor("ldexp", "input", 1, input)
    power = floating_input(other)
    if other._array.dtype.kind in "iub" and input._array.dtype.kind in "fV":
        power = as_dtype(other, dtype_of(input))
    return mul(input, P.exp2(power))


@op(method=True, out=True)
def frexp(input: Tensor) -> Any:
    """The mantissa in [0.5, 1) and the exponent of 2, so that x = mantissa * 2^exponent."""
    if input._array.dtype.kind in "iubc":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    mantissa, exponent = P.frexp(input)
    return result_type("frexp")((mantissa, exponent))


@op(method=True, inplace=True, out=True)
def float_power(input: Any, exponent: Any) -> Tensor:
    """input ** exponent, computed in float64 (complex128 for complex operands)."""
    target = common_dtype("float_power", input, exponent)
    wide = dtypes.complex128 if target.is_complex else dtypes.float64
    a, b = to_common("float_power", input, exponent, to=wide)
    return P.pow(*as_tensors(a, b))


@op(method=True, inplace=True, out=True)
def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """NaN replaced by `nan` (0), infinities by the dtype's largest and lowest values."""
    import ml_dtypes

    kind = input._array.dtype.kind
    if kind in "iub":
        return P.copy(input, order="K")
    if kind == "c":
        real, imag = (
            nan_to_num(part, nan, posinf, neginf)
            for part in (P.real_part(input), P.imag_part(input))
        )
        return P.make_complex(real, imag)
    limits = ml_dtypes.finfo(input._array.dtype)
    x = P.where(P.isnan(input), 0.0 if nan is None else nan, input)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    x = P.where(P.eq(input, math.inf), high, x)
    return P.where(P.eq(input, -math.inf), low, x)


def _scaled(name: str, factor: float, doc: str) -> Any:
    def function(input: Tensor) -> Tensor:
        if input._array.dtype.kind == "c":
            raise RuntimeError(f"{name} is not supported for complex tensors.")
        return P.mul(floating_input(input), factor)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(method=True, inplace=True, out=True)(function)


deg2rad = _scaled("deg2rad", math.pi / 180, "Degrees to radians.")
rad2deg = _scaled("rad2deg", 180 / math.pi, "Radians to degrees.")


@op(method=True, inplace=True, out=True)
@rounded_once
def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), 1 at zero."""
    x = P.mul(floating_input(input), math.pi)
    zero = P.eq(x, 0)
    safe = P.where(zero, 1, x)
    return P.where(zero, 1, P.div(P.sin(safe), safe))


@op(method=True, inplace=True, out=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid; x is kept in [eps, 1 - eps] when given."""
    x = floating_input(input)
    if eps is not None:
        x = _bounded("logit", x, eps, 1 - eps)
    return P.log(P.div(x, P.sub(1, x)))


@op(method=True, out=True)
def isposinf(input: Tensor) -> Tensor:
    """Whether x is +inf. Raises RuntimeError for complex tensors."""
    if input._array.dtype.kind == "c":
        raise RuntimeError("isposinf does not support complex inputs.")
    return P.eq(input, math.inf) if input._array.dtype.kind in "fV" else _nowhere(input)


@op(method=True, out=True)
def isneginf(input: Tensor) -> Tensor:
    """Whether x is -inf. Raises RuntimeError for complex tensors."""
    if input._array.dtype.kind == "c":
        raise RuntimeError("isneginf does not support complex inputs.")
    return P.eq(input, -math.inf) if input._array.dtype.kind in "fV" else _nowhere(input)


def _nowhere(input: Tensor) -> Tensor:
    return P.full(shape=input._array.shape, value=False, dtype=dtypes.bool_.numpy)


@op(method=True)
def isreal(input: Tensor) -> Tensor:
    """Whether the imaginary part is zero."""
    if input._array.dtype.kind == "c":
        return P.eq(P.imag_part(input), 0)
    return P.full(shape=input._array.shape, value=True, dtype=dtypes.bool_.numpy)


@op(method=True)
def isclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other|, elementwise.

    Raises:
        RuntimeError: dtypes differ, or a tolerance is negative.
    """
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(f"{dtype_of(input).word} did not match {dtype_of(other).word}")
    if rtol < 0 or atol < 0:
        name, value = ("rtol", rtol) if rtol < 0 else ("atol", atol)
        raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")
    same = P.eq(input, other)
    if equal_nan and input._array.dtype.kind in "fVc":
        same = P.logical_or(same, P.logical_and(P.isnan(input), P.isnan(other)))
    if rtol == 0 and atol == 0:
        return same
    a, b = (_as_wide(x.detach()) for x in (input, other))  # type: ignore[attr-defined]
    modulus = P.complex_abs if a._array.dtype.kind == "c" else P.abs
    gap, size = modulus(P.sub(a, b)), modulus(b)
    near = P.logical_and(P.isfinite(gap), P.le(gap, P.add(P.mul(size, rtol), atol)))
    return P.logical_or(same, near)


def _as_wide(x: Tensor) -> Tensor:
    return as_dtype(x, dtypes.float64) if x._array.dtype.kind in "iub" else x


@op(method=True, reads_values=True)
def allclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Whether all elements are close, in the sense of `isclose`."""
    return bool(elements(isclose(input, other, rtol, atol, equal_nan)).all())


@op(method=True, reads_values=True)
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and elements."""
    check_tensor("equal", "other", 2, other)
    if input._array.shape != other._array.shape:
        return False
    return bool((elements(input) == elements(other)).all())


@op(method=True, out=True)
def angle(input: Tensor) -> Tensor:
    """The argument of a complex number; pi for negative reals, NaN for NaN."""
    x = floating_input(input)
    if x._array.dtype.kind == "c":
        return P.angle(x)
    found = P.where(P.lt(x, 0), math.pi, P.mul(x, 0.0))
    return P.where(P.isnan(x), math.nan, P.where(P.ge(x, 0), 0.0, found))


@op(method=True, inplace=True, out=True, aliases=("conj",))
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate."""
    return P.conj(input) if input._array.dtype.kind == "c" else input


conj = conj_physical


@op(method=True)
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: flambeau conjugates at once."""
    return input


@op(method=True)
def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: flambeau negates at once."""
    return input


@op(method=True, out=True)
def polygamma(n: Any, input: Any) -> Tensor:
    """The n-th derivative of the digamma function. (The method is `x.polygamma(n)`.)"""
    if isinstance(n, Tensor):
        n, input = input, n
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    x = floating_input(input)
    return P.digamma(x) if n == 0 else P.polygamma(x, order=n)


@method("polygamma_")
def _polygamma_(self: Tensor, n: int) -> Tensor:
    """In-place version of `polygamma`: writes the result into this tensor."""
    return write_(self, polygamma(n, self), op="polygamma_")


@op(method=True, inplace=True, out=True)
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p.

    Raises:
        RuntimeError: p < 1.
    """
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    x = floating_input(input)
    total = P.lgamma(x)
    for j in range(1, p):
        total = P.add(total, P.lgamma(P.sub(x, j / 2)))
    return add(total, p * (p - 1) / 4 * math.log(math.pi))


def _whole(name: str, doc: str) -> Any:
    call = getattr(P, name)

    def function(input: Tensor, other: Tensor) -> Tensor:
        check_tensor(name, "input", 1, input)
        check_tensor(name, "other", 2, other)
        a, b = to_common(name, input, other)
        if a._array.dtype.kind not in "iu":
            raise not_supported(name, dtype_of(a))
        return call(a, b)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(method=True, inplace=True, out=True)(function)


gcd = _whole("gcd", "The greatest common divisor, elementwise.")
lcm = _whole("lcm", "The least common multiple, elementwise.")
