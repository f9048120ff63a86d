"""Activation functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..._engine.base.callers import warn_user
from ..._engine.base.dtypes import dtype as Dtype
from ..._engine.base.shapes import wrap_dim
from ..arguments import as_dtype_argument
from ..declare import op
from ..promote import as_dtype, dtype_of, floating_input, number
from .shared import check_floating, finished, in_float32, no_kernel

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid", "mish",
    "prelu", "relu", "relu6", "relu_", "selu", "selu_", "sigmoid", "silu", "softmax", "softmin",
    "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
]  # fmt: skip

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


@op(namespace="nn.functional")
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), elementwise.

    >>> relu(flambeau.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    kind = input._array.dtype.kind
    if kind in "bc":
        raise _not_for_relu(input)
    result = P.relu(input)
    return finished(input, result, True, "relu") if inplace else result


def _not_for_relu(input: Tensor) -> RuntimeError:
    if input._array.dtype.kind == "b":
        return RuntimeError("Boolean inputs not supported for relu")
    return no_kernel("relu", input)


def _bounded(x: Tensor, low: Any, high: Any) -> Tensor:
    """x clamped, with no gradient at or beyond a bound."""
    low, high = number(low, dtype_of(x)), number(high, dtype_of(x))
    return P.where(P.ge(x, high), high, P.where(P.le(x, low), low, x))


@op(namespace="nn.functional", label="HardtanhBackward0")
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6), elementwise."""
    if input._array.dtype.kind in "bc":
        raise _not_for_relu(input)
    return finished(input, _bounded(input, 0, 6), inplace, "relu6")


@op(namespace="nn.functional")
def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x clamped to [min_val, max_val], elementwise.

    Raises:
        ValueError: min_val is greater than max_val.
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if input._array.dtype.kind in "bcu":
        raise no_kernel("hardtanh", input)
    return finished(input, _bounded(input, min_val, max_val), inplace, "hardtanh")


def _below_zero(x: Tensor) -> Tensor:
    """x where it is at most zero, else 0: keeps exponentials finite on both ways."""
    return P.where(P.gt(x, 0), 0, x)


@in_float32
def _exponential_unit(x: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    """scale * x above zero, scale * alpha * (exp(input_scale * x) - 1) below."""
    below = P.mul(P.expm1(P.mul(_below_zero(x), float(input_scale))), float(alpha * scale))
    return P.where(P.gt(x, 0), P.mul(x, float(scale)) if scale != 1 else x, below)


@op(namespace="nn.functional")
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (e^x - 1)."""
    check_floating("elu", input)
    return finished(input, _exponential_unit(input, alpha, 1.0, 1.0), inplace, "elu")


@op(namespace="nn.functional", label="EluBackward0")
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """elu, scaled so that layers of it keep mean 0 and variance 1."""
    check_floating("selu", input)
    result = _exponential_unit(input, _SELU_ALPHA, _SELU_SCALE, 1.0)
    return finished(input, result, inplace, "selu")


@op(namespace="nn.functional", label="EluBackward0")
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (e^(x / alpha) - 1). Raises RuntimeError for alpha 0."""
    check_floating("celu", input)
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return finished(input, _exponential_unit(input, alpha, 1.0, 1.0 / alpha), inplace, "celu")


@op(namespace="nn.functional")
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope * x."""
    check_floating("leaky_relu", input)
    result = P.where(P.gt(input, 0), input, P.mul(input, float(negative_slope)))
    return finished(input, result, inplace, "leaky_relu")


@op(namespace="nn.functional", method=True, label="PreluKernelBackward0")
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight * x; one weight, or one a channel (dimension 1).

    Raises:
        RuntimeError: the number of weights is neither 1 nor the number of channels, or dtypes
            differ.
    """
    check_floating("prelu", input)
    count, shape = weight._array.size, input._array.shape
    if input._array.dtype != weight._array.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {dtype_of(input)} and {dtype_of(weight)}"
        )
    if weight._array.ndim > 1:
        raise RuntimeError(
            "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
            f"{weight._array.ndim}"
        )
    if count != 1:
        channels = shape[1] if len(shape) > 1 else 1
        if not shape:
            raise RuntimeError("prelu: Not allow zero-dim input tensor.")
        if channels != count:
            raise RuntimeError(
                "prelu: Mismatch of parameter numbers and input channel size. Found parameter "
                f"numbers = {count} and channel size = {channels}."
            )
    spread = [1] * len(shape)
    if len(shape) > 1:
        spread[1] = count
    slope = weight.reshape(spread if shape else ())
    return P.where(P.gt(input, 0), input, P.mul(input, slope))


@op(namespace="nn.functional", out=True)
@in_float32
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), with Phi the normal distribution's cumulative function.

    Args:
        approximate: "none" (through erf) or "tanh".

    Raises:
        RuntimeError: another approximation.
    """
    check_floating("GeluKernelImpl", input)
    if approximate == "none":
        cumulative = P.mul(P.add(P.erf(P.mul(input, math.sqrt(0.5))), 1.0), 0.5)
    elif approximate == "tanh":
        # nothing but the latest has a name: memory let go at once is used again at once
        inner = P.mul(P.mul(P.mul(input, input), input), 0.044715)
        inner = P.mul(P.add(input, inner), math.sqrt(2 / math.pi))
        cumulative = P.tanh(inner)
        del inner
        cumulative = P.mul(P.add(cumulative, 1.0), 0.5)
    else:
        raise RuntimeError("approximate argument must be either none or tanh.")
    return P.mul(input, cumulative)


@in_float32
def _silu(x: Tensor) -> Tensor:
    return P.mul(x, P.sigmoid(x))


@op(namespace="nn.functional")
def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), elementwise."""
    check_floating("silu_cpu", input, complex_=True)
    return finished(input, _silu(input), inplace, "silu")


@in_float32
def _mish(x: Tensor) -> Tensor:
    return P.mul(x, P.tanh(_softplus(x)))


@op(namespace="nn.functional")
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)), elementwise."""
    check_floating("mish_cpu", input)
    return finished(input, _mish(input), inplace, "mish")


def _softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) = max(x, 0) + log1p(e^-|x|), written so that its gradient is a sigmoid."""
    positive = P.gt(x, 0)
    # one name for all the steps: memory let go at once is used again at once
    shrinking = P.where(positive, P.neg(x), x)
    shrinking = P.exp(shrinking)
    shrinking = P.log1p(shrinking)
    return P.add(P.where(positive, x, 0), shrinking)


@op(namespace="nn.functional", out=True)
@in_float32
def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + e^(beta x)) / beta; x itself where beta * x exceeds `threshold`."""
    check_floating("softplus_cpu", input)
    scaled = P.mul(input, float(beta)) if beta != 1 else input
    soft = _softplus(scaled)
    if beta != 1:
        soft = P.div(soft, float(beta))
    return P.where(P.gt(scaled, float(threshold)), input, soft)


@op(namespace="nn.functional", out=True, label="LogSigmoidBackward0")
@in_float32
def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), elementwise, accurate for large |x|."""
    check_floating("log_sigmoid_cpu", input)
    return P.neg(_softplus(P.neg(input)))


@in_float32
def _hardsigmoid(x: Tensor) -> Tensor:
    return P.div(_bounded(P.add(x, 3.0), 0.0, 6.0), 6.0)


@op(namespace="nn.functional")
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6, elementwise."""
    check_floating("hardsigmoid", input)
    return finished(input, _hardsigmoid(input), inplace, "hardsigmoid")


@in_float32
def _hardswish(x: Tensor) -> Tensor:
    return P.div(P.mul(x, _bounded(P.add(x, 3.0), 0.0, 6.0)), 6.0)


@op(namespace="nn.functional")
def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x), elementwise."""
    check_floating("hardswish_cpu", input)
    return finished(input, _hardswish(input), inplace, "hardswish")


@op(namespace="nn.functional", method=True, out=True)
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0."""
    check_floating("hardshrink_cpu", input)
    lambd = float(lambd)
    inside = P.logical_and(P.ge(input, -lambd), P.le(input, lambd))
    return P.where(inside, 0, input)


@op(namespace="nn.functional", out=True)
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards zero by lambd, and 0 within [-lambd, lambd].

    Raises:
        RuntimeError: lambd is negative.
    """
    check_floating("softshrink_cpu", input)
    lambd = float(lambd)
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd:g}.")
    above, below = P.gt(input, lambd), P.lt(input, -lambd)
    inside = P.where(P.isnan(input), input, P.mul(input, 0.0))
    return P.where(above, P.sub(input, lambd), P.where(below, P.add(input, lambd), inside))


@op(namespace="nn.functional", label="SubBackward0")
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x), elementwise."""
    return input - input.tanh()


@op(namespace="nn.functional", label="DivBackward0")
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|), elementwise."""
    return input / (input.abs() + 1)


@op(namespace="nn.functional")
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else `value`."""
    if input._array.dtype.kind in "bc":
        raise no_kernel("threshold_cpu", input)
    d = dtype_of(input)
    kept = P.gt(input, number(threshold, d))
    if is_nan_possible(input):
        kept = P.logical_or(kept, P.isnan(input))
    return finished(input, P.where(kept, input, number(value, d)), inplace, "threshold")


def is_nan_possible(t: Tensor) -> bool:
    """Whether the dtype has NaN, which comparisons do not let through."""
    return t._array.dtype.kind in "fV"


@op(namespace="nn.functional")
@in_float32
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b), where a and b are the halves of the input along `dim`.

    Raises:
        RuntimeError: the input is 0-dim, or its size along `dim` is odd.
    """
    if input._array.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    check_floating("glu_cpu", input)
    dim = wrap_dim(dim, input._array.ndim)
    size = input._array.shape[dim]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    lead = tuple((0, n, 1) for n in input._array.shape[:dim])
    first = P.slice(input, index=(*lead, (0, size // 2, 1)))
    second = P.slice(input, index=(*lead, (size // 2, size, 1)))
    return P.mul(first, P.sigmoid(second))


@op(namespace="nn.functional")
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e^-x), elementwise."""
    return P.sigmoid(floating_input(input))


@op(namespace="nn.functional")
def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent, elementwise."""
    return P.tanh(floating_input(input))


def _implicit_dim(name: str, ndim: int) -> int:
    warn_user(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
    )
    return 0 if ndim in (0, 1, 3) else 1


def _normalized(name: str, input: Tensor, dim: int | None, dtype: Dtype | None) -> Tensor:
    """softmax or log_softmax (the primitive `name`) along `dim`, in `dtype` if given."""
    if dim is None:
        dim = _implicit_dim(name, input._array.ndim)
    if dtype is not None:
        input = as_dtype(input, as_dtype_argument(name, dtype))  # type: ignore[arg-type]
    if input._array.dtype.kind not in "fV":
        raise no_kernel(f"{name}_lastdim_kernel_impl", input)
    return getattr(P, name)(input, dim=wrap_dim(dim, input._array.ndim))


@op(namespace="nn.functional")
def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None
) -> Tensor:
    """e^x / sum(e^x) along `dim`.

    Args:
        _stacklevel: PyTorch's; the warning finds the user's line without it.
        dtype: convert the input to it first.

    >>> softmax(flambeau.zeros(2), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _normalized("softmax", input, dim, dtype)


@op(namespace="nn.functional", label="SoftmaxBackward0")
def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None
) -> Tensor:
    """softmax(-x) along `dim`."""
    if dim is None:
        dim = _implicit_dim("softmin", input._array.ndim)
    return _normalized("softmax", -input, dim, dtype)


@op(namespace="nn.functional")
def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None
) -> Tensor:
    """log(softmax(x)) along `dim`, accurate where softmax is tiny."""
    return _normalized("log_softmax", input, dim, dtype)


def _in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The form `name_`, which writes the result into its input."""
    name = function.__name__ + "_"

    def run(input: Tensor, *args: Any) -> Tensor:
        return function(input, *args, inplace=True)

    run.__name__ = run.__qualname__ = name
    run.__doc__ = f"In-place version of `{function.__name__}`."
    return run


relu_ = _in_place(relu)
elu_ = _in_place(elu)
selu_ = _in_place(selu)
celu_ = _in_place(celu)
leaky_relu_ = _in_place(leaky_relu)
hardtanh_ = _in_place(hardtanh)
threshold_ = _in_place(threshold)
