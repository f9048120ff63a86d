"""Pointwise operations: arithmetic, elementary functions, bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.errors import argument_type_error, not_supported
from .checks import refuse
from .declare import op
from .promote import (
    HALVES,
    as_dtype,
    common_dtype,
    dtype_of,
    floating_input,
    number,
    rounded_once,
    to_common,
)

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "ceil", "copysign", "cos", "cosh", "digamma", "div", "divide", "erf", "erfc", "erfinv",
    "exp", "exp2", "expm1", "fix", "floor", "floor_divide", "fmax", "fmin", "fmod", "hypot",
    "lgamma", "log", "log10", "log1p", "log2", "maximum", "minimum", "mul", "multiply", "neg",
    "negative", "nextafter", "positive", "pow", "reciprocal", "relu", "remainder", "rsqrt",
    "rsub", "sigmoid", "sin", "sinh", "sqrt", "square", "sub", "subtract", "tan", "tanh",
    "true_divide", "trunc",
]  # fmt: skip


def unary(
    name: str,
    doc: str,
    primitive: str | None = None,
    *,
    floating: bool = False,
    integers: bool = True,
    boolean: bool = True,
    complex_: bool = True,
    aliases: tuple[str, ...] = (),
) -> Callable[..., Tensor]:
    """Declare a function of one tensor.

    Args:
        floating: integers and bool are converted to the default dtype.
        integers: False when integers (not being converted) come back as they are.
        boolean, complex_: False when PyTorch has no kernel for those dtypes.
    """
    call = getattr(P, primitive or name)

    def function(input: Tensor) -> Tensor:
        kind = input._array.dtype.kind
        if kind == "f":
            return call(input)
        if kind == "c" and not complex_ or kind == "b" and not (boolean or floating):
            raise not_supported(name, dtype_of(input))
        if kind in "iub":
            if floating:
                return call(floating_input(input))
            if not integers:
                return P.copy(input, order="K")
        return call(input)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}, elementwise.\n\n>>> flambeau.{name}(flambeau.ones(2)).shape\n"
    return op(method=True, inplace=True, out=True, aliases=aliases)(function)


_FLOATING: dict[str, Any] = {"floating": True}
_REAL: dict[str, Any] = {"floating": True, "complex_": False}
_STEP: dict[str, Any] = {"integers": False, "boolean": False, "complex_": False}

exp = unary("exp", "The exponential e^x", **_FLOATING)
exp2 = unary("exp2", "2^x", **_FLOATING)
expm1 = unary("expm1", "e^x - 1, accurate near zero", **_FLOATING)
log = unary("log", "The natural logarithm", **_FLOATING)
log1p = unary("log1p", "log(1 + x), accurate near zero", **_FLOATING)
log2 = unary("log2", "The logarithm to base 2", **_FLOATING)
log10 = unary("log10", "The logarithm to base 10", **_FLOATING)
sqrt = unary("sqrt", "The square root", **_FLOATING)
rsqrt = unary("rsqrt", "1 / sqrt(x)", **_FLOATING)
reciprocal = unary("reciprocal", "1 / x", **_FLOATING)
sin = unary("sin", "The sine", **_FLOATING)
cos = unary("cos", "The cosine", **_FLOATING)
tan = unary("tan", "The tangent", **_FLOATING)
asin = unary("asin", "The arc sine", aliases=("arcsin",), **_FLOATING)
acos = unary("acos", "The arc cosine", aliases=("arccos",), **_FLOATING)
atan = unary("atan", "The arc tangent", aliases=("arctan",), **_FLOATING)
sinh = unary("sinh", "The hyperbolic sine", **_FLOATING)
cosh = unary("cosh", "The hyperbolic cosine", **_FLOATING)
tanh = unary("tanh", "The hyperbolic tangent", **_FLOATING)
asinh = unary("asinh", "The inverse hyperbolic sine", aliases=("arcsinh",), **_FLOATING)
acosh = unary("acosh", "The inverse hyperbolic cosine", aliases=("arccosh",), **_FLOATING)
atanh = unary("atanh", "The inverse hyperbolic tangent", aliases=("arctanh",), **_FLOATING)
sigmoid = unary("sigmoid", "1 / (1 + e^-x)", **_FLOATING)
erf = unary("erf", "The error function", **_REAL)
erfc = unary("erfc", "1 - erf(x), accurate for large x", **_REAL)
erfinv = unary("erfinv", "The inverse of erf", **_REAL)
lgamma = unary("lgamma", "log |Gamma(x)|", **_REAL)
digamma = unary("digamma", "The derivative of lgamma", **_REAL)
ceil = unary("ceil", "The least integer not below x", **_STEP)
floor = unary("floor", "The greatest integer not above x", **_STEP)
trunc = unary("trunc", "x without its fraction", aliases=("fix",), **_STEP)
arcsin, arccos, arctan = asin, acos, atan
arcsinh, arccosh, arctanh, fix = asinh, acosh, atanh, trunc


@op(method=True, inplace=True, out=True)
def relu(input: Tensor) -> Tensor:
    """max(x, 0), elementwise. Raises RuntimeError for bool tensors."""
    kind = input._array.dtype.kind
    if kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    if kind == "c":
        raise not_supported("clamp_min_scalar_cpu", dtype_of(input))
    return P.relu(input)


@op(method=True, inplace=True, out=True)
def square(input: Tensor) -> Tensor:
    """x^2, elementwise; an integer for bool."""
    return P.square(as_dtype(input, dtypes.int64) if input._array.dtype.kind == "b" else input)


@op(method=True, inplace=True, out=True, aliases=("negative",))
def neg(input: Tensor) -> Tensor:
    """-x, elementwise. Raises RuntimeError for bool tensors, where `~x` is meant."""
    if input._array.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return P.neg(input)


negative = neg


@op(method=True, out=True)
def positive(input: Tensor) -> Tensor:
    """The tensor itself. Raises RuntimeError for bool tensors."""
    if input._array.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@op(method=True, inplace=True, out=True, aliases=("absolute",))
def abs(input: Tensor) -> Tensor:
    """|x|, elementwise; the modulus, a real number, for complex tensors."""
    kind = input._array.dtype.kind
    if kind == "c":
        return P.complex_abs(input)
    if kind == "b":
        raise not_supported("abs", dtypes.bool_)
    return P.abs(input)


absolute = abs


_REAL_NUMBERS = (float, int)


def _binary(
    name: str,
    primitive: str,
    *,
    floating: bool = False,
    boolean: bool = True,
    complex_: bool = True,
    floats: bool = True,
    integers: bool = True,
    ordered: bool = False,
    numbers: str = "",
    divides: bool = False,
) -> Callable[[Any, Any], Tensor]:
    """A function of two operands, with promotion.

    Args:
        numbers: which operands may be Python numbers: "" (none), "other", "one" or "both".
        floating: integer operands are converted to the default dtype.
        boolean, complex_, floats, integers: False when PyTorch has no kernel for those results.
        ordered: complex operands are refused with another error, since they have no order.
        divides: an integer zero as `other` is an error.
    """
    call = getattr(P, primitive)
    unguarded = not floating and boolean and complex_ and floats and integers and not ordered

    def function(input: Any, other: Any) -> Tensor:
        try:
            d = input._array.dtype
            if type(other) in _REAL_NUMBERS:  # weak beside a floating tensor
                if not numbers:
                    raise argument_type_error(name, "other", 2, "Tensor", other)
                if floats and d.kind == "f":
                    return call(input, float(other))
            elif d is other._array.dtype and (unguarded or floats and d.kind == "f"):
                return call(input, other)
        except AttributeError:
            if not numbers or numbers == "other" and not isinstance(input, Tensor):
                raise
        if numbers == "one" and not (isinstance(input, Tensor) or isinstance(other, Tensor)):
            raise argument_type_error(name, "input", 1, "Tensor", input)
        target = common_dtype(name, input, other)
        if (
            target.is_complex
            and not complex_
            or target is dtypes.bool_
            and not (boolean or floating)
            or target.is_floating_point
            and not floats
            or target.category == dtypes.INTEGER
            and not integers
        ):
            raise not_supported(name, target)
        if ordered and target.is_complex:
            raise RuntimeError(f"{name} not implemented for complex tensors.")
        a, b = to_common(name, input, other, floating=floating, to=target)
        if divides:
            _check_divisor(a, b, target)
        return call(a, b)

    function.__name__ = function.__qualname__ = name
    return function


def binary(
    name: str,
    doc: str,
    primitive: str | None = None,
    *,
    aliases: tuple[str, ...] = (),
    **limits: Any,
) -> Callable[..., Tensor]:
    """Declare a function of two operands: see `_binary` for `limits`."""
    function = _binary(name, primitive or name, **limits)
    function.__doc__ = f"{doc}, elementwise with broadcasting and type promotion.\n"
    return op(method=True, inplace=True, out=True, aliases=aliases)(function)


_INTEGERS: dict[str, Any] = {"floats": False, "complex_": False, "numbers": "one"}

maximum = binary("maximum", "The larger of two; NaN wins", ordered=True)
minimum = binary("minimum", "The smaller of two; NaN wins", ordered=True)
fmax = binary("fmax", "The larger of two; NaN loses", ordered=True)
fmin = binary("fmin", "The smaller of two; NaN loses", ordered=True)
atan2 = binary(
    "atan2", "The angle of the point (other, input)", aliases=("arctan2",), floating=True,
    complex_=False,
)  # fmt: skip
arctan2 = atan2
_FLOATS: dict[str, Any] = {"complex_": False, "boolean": False, "integers": False}
hypot = binary("hypot", "sqrt(input^2 + other^2)", **_FLOATS)
nextafter = binary("nextafter", "The next float after input towards other", **_FLOATS)
copysign = binary(
    "copysign", "|input| with the sign of other", floating=True, complex_=False, numbers="other"
)
fmod = binary(
    "fmod", "The remainder, with the sign of input", complex_=False, boolean=False,
    numbers="other", divides=True,
)  # fmt: skip
remainder = binary(
    "remainder", "The remainder, with the sign of other", complex_=False, boolean=False,
    numbers="one", divides=True,
)  # fmt: skip
bitwise_and = binary("bitwise_and", "The bits set in both", **_INTEGERS)
bitwise_or = binary("bitwise_or", "The bits set in either", **_INTEGERS)
bitwise_xor = binary("bitwise_xor", "The bits set in exactly one", **_INTEGERS)
bitwise_left_shift = binary(
    "bitwise_left_shift", "input * 2^other", "left_shift", boolean=False, **_INTEGERS
)
bitwise_right_shift = binary(
    "bitwise_right_shift", "input / 2^other, rounded down", "right_shift", boolean=False,
    **_INTEGERS,
)  # fmt: skip

add_tensors = _binary("add", "add", numbers="both")
_sub = _binary("sub", "sub", numbers="both")


def _scaled(input: Any, other: Any, alpha: Any) -> Any:
    """alpha * other in the dtype that the whole result will have.

    Raises:
        RuntimeError: alpha is of a higher category than the result.
    """
    target = common_dtype("add", input, other)
    if isinstance(alpha, bool) and target is not dtypes.bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and target.category <= dtypes.INTEGER:
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    if isinstance(other, Tensor):
        return P.mul(as_dtype(other, target), number(alpha, target))
    return other * alpha


def _in_half(alpha: Any, other: Any) -> Any:
    """alpha as PyTorch stores it beside half-precision tensors: rounded first."""
    if isinstance(other, Tensor) and other._array.dtype in HALVES:
        return float(other._array.dtype.type(alpha))
    return alpha


@rounded_once
def _add_scaled(input: Any, other: Any, alpha: Any) -> Tensor:
    return add_tensors(input, _scaled(input, other, alpha))


@rounded_once
def _sub_scaled(input: Any, other: Any, alpha: Any) -> Tensor:
    return _sub(input, _scaled(input, other, alpha))


@op(method=True, inplace=True, out=True)
def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """input + alpha * other, elementwise with broadcasting and type promotion.

    >>> flambeau.add(flambeau.tensor([1.0, 2.0]), 10, alpha=2)
    tensor([21., 22.])
    """
    if alpha != 1 or alpha is True:
        return _add_scaled(input, other, _in_half(alpha, other))
    return add_tensors(input, other)


@op(method=True, inplace=True, out=True, aliases=("subtract",))
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """input - alpha * other, elementwise. Raises RuntimeError for two bool operands."""
    if _is_bool(input) or _is_bool(other):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
            "trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )
    if alpha != 1 or alpha is True:
        return _sub_scaled(input, other, _in_half(alpha, other))
    return _sub(input, other)


subtract = sub


def _is_bool(x: Any) -> bool:
    return x._array.dtype.kind == "b" if isinstance(x, Tensor) else isinstance(x, bool)


@op(method=True)
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input."""
    if not isinstance(input, Tensor):
        raise argument_type_error("rsub", "input", 1, "Tensor", input)
    return sub(other, input, alpha=alpha)


mul = binary("mul", "input * other", aliases=("multiply",), numbers="both")
multiply = mul
divide_tensors = _binary("div", "div", floating=True, numbers="both")


@op(method=True, inplace=True, out=True, aliases=("divide",))
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other, elementwise; integers divide as floats unless a rounding is given.

    Args:
        rounding_mode: None, "trunc" (towards zero) or "floor" (downwards).

    Raises:
        RuntimeError: another rounding mode, or integer division by zero.
    """
    if rounding_mode is None:
        return divide_tensors(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        return _truncated_divide(input, other)
    raise RuntimeError(
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
        f"'{rounding_mode}'"
    )


divide = div


@op(method=True, inplace=True, out=True)
def true_divide(input: Any, other: Any) -> Tensor:
    """input / other, elementwise, always in floating point."""
    return divide_tensors(input, other)


def _check_divisor(input: Any, other: Any, target: dtypes.dtype) -> None:
    empty = isinstance(input, Tensor) and not input._array.size
    if target.category != dtypes.INTEGER or empty:
        return
    if isinstance(other, Tensor):
        refuse(P.eq(other, 0), lambda: RuntimeError("ZeroDivisionError"))
    elif other == 0:
        raise RuntimeError("ZeroDivisionError")


@op(method=True, inplace=True, out=True)
def floor_divide(input: Any, other: Any) -> Tensor:
    """floor(input / other), elementwise. Raises RuntimeError for an integer division by zero."""
    target = common_dtype("floor_divide", input, other)
    if target.is_complex or target is dtypes.bool_:
        raise not_supported("div_floor", target)
    a, b = to_common("floor_divide", input, other, to=target)
    _check_divisor(a, b, target)
    return P.floor_divide(a, b)


def _truncated_divide(input: Any, other: Any) -> Tensor:
    target = common_dtype("div", input, other)
    if target.is_complex or target is dtypes.bool_:
        raise not_supported("div_trunc", target)
    a, b = to_common("div", input, other, to=target)
    if target.is_floating_point:
        return P.trunc(P.div(a, b))
    _check_divisor(a, b, target)
    # exact for 64-bit integers: take the remainder (of input's sign) away first
    return P.floor_divide(P.sub(a, P.fmod(a, b)), b)


@op(method=True, inplace=True, out=True)
def pow(input: Any, exponent: Any) -> Tensor:
    """input ** exponent, elementwise with broadcasting and type promotion.

    Raises:
        RuntimeError: integers to a negative integer number.
    """
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise argument_type_error("pow", "input", 1, "Tensor", input)
    target = common_dtype("pow", input, exponent)
    if target.category <= dtypes.INTEGER and not isinstance(exponent, Tensor) and exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    if target is dtypes.bool_:
        raise not_supported("pow", target)
    a, b = to_common("pow", input, exponent, to=target)
    if not isinstance(b, Tensor) and target.category >= dtypes.FLOATING:
        simple = _SIMPLE_POWERS.get(b)
        if simple is not None and isinstance(a, Tensor):
            return simple(a)
    return P.pow(a, b)


_SIMPLE_POWERS: dict[float, Callable[[Tensor], Tensor]] = {
    2.0: lambda a: P.square(a),
    1.0: lambda a: P.copy(a, order="K"),
    0.5: lambda a: P.sqrt(a),
    -1.0: lambda a: P.reciprocal(a),
}


@op(method=True, inplace=True, out=True)
def bitwise_not(input: Tensor) -> Tensor:
    """Every bit inverted; logical not for bool. Raises RuntimeError for floats."""
    if input._array.dtype.kind not in "iub":
        raise not_supported("bitwise_not", dtype_of(input))
    return P.bitwise_not(input)
