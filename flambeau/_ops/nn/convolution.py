"""Convolutions and transposed convolutions in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..declare import op
from ..promote import dtype_of
from .shared import no_kernel

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d",
]  # fmt: skip


def _numbers(argument: str, value: Any, rank: int) -> tuple[int, ...]:
    """An int, or one for each dimension."""
    if type(value) is int:
        return (value,) * rank
    found = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if any(not hasattr(v, "__index__") for v in found):
        raise TypeError(
            f"conv{rank}d() received an invalid combination of arguments: {argument} must be an "
            f"int or a tuple of ints, got {value!r}"
        )
    if len(found) == 1:
        return tuple(int(v) for v in found) * rank
    if len(found) != rank:
        raise RuntimeError(
            f"expected {argument} to be a single integer value or a list of {rank} values to "
            f"match the convolution dimensions, but got {argument}={list(found)}"
        )
    return tuple(int(v) for v in found)


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise RuntimeError(text)


def _same_padding(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    _require(
        all(s == 1 for s in stride), "padding='same' is not supported for strided convolutions"
    )
    totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def _padding(
    given: Any, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """A (low, high) pair a dimension, from numbers, "same" or "valid"."""
    if isinstance(given, str):
        if given == "same":
            return _same_padding(kernel, stride, dilation)
        _require(given == "valid", f"Invalid padding string: '{given}'")
        given = 0
    found = _numbers("padding", given, len(kernel))
    _require(min(found) >= 0, "negative padding is not supported")
    return tuple((p, p) for p in found)


def _check_types(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and t._array.dtype != input._array.dtype:
            raise RuntimeError(
                f"Input type ({dtype_of(input)}) and {name} type ({dtype_of(t)}) should be the same"
            )
    if input._array.dtype.kind == "b":
        raise no_kernel("slow_conv2d_cpu", input)


def _check_shapes(
    name: str, input: Tensor, weight: Tensor, bias: Tensor | None, groups: int, transposed: bool
) -> None:
    """Numbers of dimensions, channels and biases; `input` is a batch already."""
    shape, w = input._array.shape, weight._array.shape
    _require(groups > 0, "non-positive groups is not supported")
    if not transposed and (w[0] < groups or w[0] % groups):
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {list(w)} instead"
        )
    wanted = w[0] if transposed else w[1] * groups
    if shape[1] != wanted:
        given = "transposed=1" if transposed else f"groups={groups}"
        raise RuntimeError(
            f"Given {given}, weight of size {list(w)}, expected input{list(shape)} to have "
            f"{wanted} channels, but got {shape[1]} channels instead"
        )
    outputs = w[1] * groups if transposed else w[0]
    if bias is not None and bias._array.shape != (outputs,):
        given = f"Given transposed={int(transposed)}, weight" if transposed else "Given weight"
        raise RuntimeError(
            f"{given} of size {list(w)}, expected bias to be 1-dimensional with {outputs} "
            f"elements, but got bias of size {list(bias._array.shape)} instead"
        )


def _batched(name: str, input: Tensor, weight: Tensor, rank: int) -> tuple[Tensor, bool]:
    """The input as a batch, and whether it came as one."""
    shape = input._array.shape
    if weight._array.ndim != rank + 2:
        raise RuntimeError(
            f"{name}: expected a weight of {rank + 2} dimensions, but got weight of size "
            f"{list(weight._array.shape)} and input of size {list(shape)}"
        )
    if len(shape) == rank + 2:
        return input, True
    if len(shape) != rank + 1:
        raise RuntimeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {name}, but got "
            f"input of size: {list(shape)}"
        )
    return input.unsqueeze(0), False


def _by_channel(bias: Tensor | None, like: Tensor) -> Tensor | None:
    """The bias, to be added to a result of as many dimensions as `like`.

    Made before the convolution, so that backward reaches the bias after the weight.
    """
    return None if bias is None else bias.reshape((-1,) + (1,) * (like._array.ndim - 2))


def _finish(out: Tensor, bias: Tensor | None, batched: bool) -> Tensor:
    if bias is not None:
        out = P.add(out, bias)
    return out if batched else out.squeeze(0)


def _convolve(
    name: str,
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    x, batched = _batched(name, input, weight, rank)
    _check_types(input, weight, bias)
    kernel = weight._array.shape[2:]
    steps = _numbers("stride", stride, len(kernel))
    _require(min(steps) > 0, "non-positive stride is not supported")
    spread = _numbers("dilation", dilation, len(kernel))
    _require(min(spread) > 0, "non-positive dilation is not supported")
    pairs = _padding(padding, kernel, steps, spread)
    _check_shapes(name, x, weight, bias, groups, False)
    padded = [n + low + high for n, (low, high) in zip(x._array.shape[2:], pairs, strict=True)]
    reach = [d * (k - 1) + 1 for d, k in zip(spread, kernel, strict=True)]
    if any(r > n for r, n in zip(reach, padded, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({_by(padded)}). Kernel size: "
            f"({_by(reach)}). Kernel size can't be greater than actual input size"
        )
    shift = _by_channel(bias, x)
    out = P.convolution(x, weight, stride=steps, padding=pairs, dilation=spread, groups=groups)
    return _finish(out, shift, batched)


def _by(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _transpose(
    name: str,
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    x, batched = _batched(name, input, weight, rank)
    _check_types(input, weight, bias)
    kernel = weight._array.shape[2:]
    steps = _numbers("stride", stride, len(kernel))
    _require(min(steps) > 0, "non-positive stride is not supported")
    spread = _numbers("dilation", dilation, len(kernel))
    _require(min(spread) > 0, "non-positive dilation is not supported")
    pairs = _padding(padding, kernel, steps, spread)
    extra = _numbers("output_padding", output_padding, len(kernel))
    _require(min(extra) >= 0, "negative output_padding is not supported")
    _check_shapes(name, x, weight, bias, groups, True)
    for e, s, d in zip(extra, steps, spread, strict=True):
        _require(
            e < s or e < d,
            f"output padding must be smaller than either stride or dilation, but got "
            f"output_padding {list(extra)}, stride {list(steps)}, dilation {list(spread)}",
        )
    size = tuple(
        (n - 1) * s - low - high + d * (k - 1) + e + 1
        for n, s, (low, high), d, k, e in zip(
            x._array.shape[2:], steps, pairs, spread, kernel, extra, strict=True
        )
    )
    if min(size) <= 0:
        raise RuntimeError(
            f"Given input size per channel: ({_by(x._array.shape[2:])}). Calculated output size "
            f"per channel: ({_by(size)}). Output size is too small"
        )
    shift = _by_channel(bias, x)
    out = P.convolution_input_grad(
        x, weight, size=size, stride=steps, padding=pairs, dilation=spread, groups=groups
    )
    return _finish(out, shift, batched)


_CONV_DOC = """The cross-correlation of (N, C, {sizes}) with a weight (O, C / groups, {kernel}).

    Args:
        input: a batch, or one sample without N.
        bias: (O).
        stride, dilation: a number, or one for each spatial dimension.
        padding: likewise; or "valid" (none), or "same" (the output has the input's size).
        groups: input and output channels are split into as many independent groups.

    Raises:
        RuntimeError: shapes, dtypes or options do not fit.
    """

_TRANSPOSED_DOC = """The adjoint of conv{rank}d: (N, C, {sizes}) with (C, O / groups, {kernel}).

    Args:
        output_padding: added to one side of the output's size.

    Raises:
        RuntimeError: shapes, dtypes or options do not fit.
    """

_SIZES = {1: "L", 2: "H, W", 3: "D, H, W"}


def _declared(function: Callable[..., Tensor], name: str, doc: str, rank: int) -> Any:
    kernel = ", ".join(["k"] * rank)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc.format(rank=rank, sizes=_SIZES[rank], kernel=kernel)
    return op(namespace="nn.functional", label="ConvolutionBackward0")(function)


def _conv(rank: int) -> Callable[..., Tensor]:
    name = f"conv{rank}d"

    def function(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        return _convolve(name, rank, input, weight, bias, stride, padding, dilation, groups)

    return _declared(function, name, _CONV_DOC, rank)


def _conv_transpose(rank: int) -> Callable[..., Tensor]:
    name = f"conv_transpose{rank}d"

    def function(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Tensor:
        return _transpose(
            name, rank, input, weight, bias, stride, padding, output_padding, groups, dilation
        )

    return _declared(function, name, _TRANSPOSED_DOC, rank)


conv1d, conv2d, conv3d = (_conv(rank) for rank in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (_conv_transpose(r) for r in (1, 2, 3))


@op(namespace="nn.functional")
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """conv1d on (T, N, C) with a weight (k, C, O)."""
    found = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return found.permute(2, 0, 1)
