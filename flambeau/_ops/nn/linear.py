"""Linear maps."""

from __future__ import annotations

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..declare import op
from ..promote import dtype_of

__all__ = ["bilinear", "linear"]


@op(namespace="nn.functional", out=True, label="AddmmBackward0")
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight^T + bias.

    Args:
        input: (..., in).
        weight: (out, in), or (in) for one output without a dimension.
        bias: (out), broadcast over the rows.

    Raises:
        RuntimeError: sizes or dtypes do not fit.

    >>> linear(flambeau.ones(1, 2), flambeau.ones(3, 2))
    tensor([[2., 2., 2.]])
    """
    a, w = input._array, weight._array
    if w.ndim != 2 or a.ndim == 0 or a.shape[-1] != w.shape[1] or a.dtype != w.dtype:
        if w.ndim == 1 and a.ndim > 0:
            return _linear_vector(input, weight, bias)
        raise _linear_error(input, weight)
    if bias is not None:
        b = bias._array
        if b.dtype != a.dtype:
            raise _dtype_error("linear", input, bias)
        if b.shape != (w.shape[0],):
            return P.linear(input, weight, None) + _broadcastable(bias, input, w.shape[0])
    return P.linear(input, weight, bias)


def _broadcastable(bias: Tensor, input: Tensor, features: int) -> Tensor:
    """A bias of another shape than (out).

    Raises:
        RuntimeError: it would not broadcast to the result.
    """
    target = (*input._array.shape[:-1], features)
    shape = bias._array.shape
    lead = len(target) - len(shape)
    for dim, size in enumerate(shape):
        if lead < 0 or size not in (1, target[dim + lead]):
            raise RuntimeError(
                f"linear: The expanded size of the tensor ({target[-1]}) must match the existing "
                f"size ({size}) at non-singleton dimension {dim}.  Target sizes: {list(target)}. "
                f" Tensor sizes: {list(shape)}"
            )
    return bias


def _linear_vector(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if bias is not None:
        raise RuntimeError("linear: mat2 must be a matrix, got 1-D tensor")
    return input.matmul(weight)


def _dtype_error(name: str, a: Tensor, b: Tensor) -> RuntimeError:
    return RuntimeError(
        f"{name}: expected m1 and m2 to have the same dtype, but got: "
        f"{_c_name(a)} != {_c_name(b)}; convert one with .to(dtype)"
    )


def _c_name(t: Tensor) -> str:
    return {
        "float32": "float",
        "float64": "double",
        "float16": "c10::Half",
        "bfloat16": "c10::BFloat16",
        "int64": "long",
    }.get(  # fmt: skip
        dtype_of(t).name, dtype_of(t).name
    )


def _linear_error(input: Tensor, weight: Tensor) -> RuntimeError:
    a, w = input._array, weight._array
    if a.ndim == 0 or w.ndim == 0:
        return RuntimeError(
            f"both arguments to linear need to be at least 1D, but they are {a.ndim}D and {w.ndim}D"
        )
    if w.ndim > 2:
        return RuntimeError(
            f"linear: t() expects a tensor with <= 2 dimensions, but weight is {w.ndim}D"
        )
    if a.shape[-1] != w.shape[1]:
        rows = 1
        for n in a.shape[:-1]:
            rows *= n
        return RuntimeError(
            f"linear: mat1 and mat2 shapes cannot be multiplied ({rows}x{a.shape[-1]} and "
            f"{w.shape[1]}x{w.shape[0]}): input {list(a.shape)}, weight {list(w.shape)}"
        )
    return _dtype_error("linear", input, weight)


@op(namespace="nn.functional", label="BilinearBackward0")
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """sum over i, j of input1[..., i] * weight[o, i, j] * input2[..., j], plus bias[o].

    Raises:
        RuntimeError: sizes do not fit.
    """
    a, b, w = input1._array, input2._array, weight._array
    if a.ndim != b.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {a.ndim} and {b.ndim}")
    if a.shape[:-1] != b.shape[:-1]:
        raise RuntimeError(
            f"bilinear(): input batch dimensions do not match: got {list(a.shape[:-1])} and "
            f"{list(b.shape[:-1])}"
        )
    if a.shape[-1] != w.shape[1] or b.shape[-1] != w.shape[2]:
        raise RuntimeError(
            f"bilinear(): input sizes do not match weight: got {a.shape[-1]} and {b.shape[-1]} "
            f"for a weight of shape {list(w.shape)}"
        )
    if bias is not None and bias._array.shape != (w.shape[0],):
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {list(bias._array.shape)} "
            f"for {w.shape[0]} outputs"
        )
    outputs, size1, size2 = w.shape
    rows1, rows2 = input1.reshape(a.size // max(size1, 1), size1), input2.reshape(-1, 1, size2)
    products = P.linear(rows1, weight.permute(0, 2, 1).reshape(outputs * size2, size1), None)
    found = (products.reshape(-1, outputs, size2) * rows2).sum(2).to(input1.dtype)
    if bias is not None:
        found = found + bias
    return found.reshape(*a.shape[:-1], outputs)
