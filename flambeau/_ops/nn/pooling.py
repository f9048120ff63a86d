"""Max and average pooling, their inverse, and power pooling, in one to three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..checks import check_positions
from ..declare import op
from ..promote import literal
from .shared import in_float32, no_kernel, numbers

__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d",
    "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool2d_with_indices",
    "max_pool3d", "max_pool3d_with_indices", "max_unpool1d", "max_unpool2d", "max_unpool3d",
]  # fmt: skip

Ints = tuple[int, ...]


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise RuntimeError(text)


def check_rank(name: str, input: Tensor, rank: int) -> None:
    """Raises RuntimeError unless the input is (C, *S) or (N, C, *S) with a nonempty sample."""
    shape = input._array.shape
    if len(shape) not in (rank + 1, rank + 2) or 0 in shape[len(shape) - rank - 1 :]:
        raise RuntimeError(
            f"{name}: Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with optional 0 dim "
            f"batch size for input, non-empty otherwise, but got: {list(shape)}"
        )


def _strides(name: str, stride: Any, kernel: Ints) -> Ints:
    if stride is None or stride == [] or stride == ():
        return kernel
    return numbers(name, "stride", stride, len(kernel))


def _places(
    size: Sequence[int], kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil: bool
) -> Ints:
    """The number of windows; rounded up, the last one still begins in the input or its padding."""
    found = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = (-(-room // s) if ceil else room // s) + 1
        if ceil and (count - 1) * s >= n + p:
            count -= 1
        found.append(count)
    return tuple(found)


def _geometry(
    name: str,
    input: Tensor,
    rank: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Kernel, stride, padding, dilation and number of windows, checked."""
    kernel = numbers(name, "kernel_size", kernel_size, rank)
    steps = _strides(name, stride, kernel)
    border = numbers(name, "padding", padding, rank)
    spread = numbers(name, "dilation", dilation, rank)
    check_rank(name, input, rank)
    size = input._array.shape[-rank:]
    _require(min(kernel) > 0, f"{name}: kernel size should be greater than zero, got {kernel}")
    _require(min(steps) > 0, f"{name}: stride should not be zero or negative, got {steps}")
    _require(min(spread) > 0, f"{name}: dilation should be greater than zero, got {spread}")
    _require(min(border) >= 0, f"{name}: pad must be non-negative, but got pad: {min(border)}")
    for k, p, d in zip(kernel, border, spread, strict=True):
        _require(
            p <= (d * (k - 1) + 1) // 2,
            f"{name}: pad should be at most half of effective kernel size, but got pad={p}, "
            f"kernel_size={k} and dilation={d}",
        )
    places = _places(size, kernel, steps, border, spread, ceil_mode)
    _require(
        min(places) >= 1,
        f"{name}: Given input size {list(input._array.shape)}. Calculated output size: "
        f"{list(places)}. Output size is too small",
    )
    return kernel, steps, border, spread, places


_MAX_DOC = """The maximum of each window of the last {rank} dimension(s).

    Args:
        input: (C, {sizes}) or (N, C, {sizes}).
        kernel_size, stride, padding, dilation: a number, or one a dimension; stride is
            kernel_size by default; padding never wins.
        ceil_mode: keep a last window that sticks out.
        return_indices: also give each maximum's position in the flattened spatial dimensions.

    Raises:
        RuntimeError: shapes or options do not fit.
    """

_SIZES = {1: "L", 2: "H, W", 3: "D, H, W"}


def _max_pool(rank: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    name = f"max_pool{rank}d"

    def function(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        if input._array.dtype.kind in "bc" or rank == 1 and input._array.dtype.kind in "iu":
            raise no_kernel(name, input)
        kernel, steps, border, spread, places = _geometry(
            name, input, rank, kernel_size, stride, padding, dilation, ceil_mode
        )
        values, indices = P.max_pool(
            input, kernel=kernel, stride=steps, padding=border, dilation=spread, places=places
        )
        return (values, indices) if return_indices else values

    function.__name__ = function.__qualname__ = name
    function.__doc__ = _MAX_DOC.format(rank=rank, sizes=_SIZES[rank])
    pool = op(namespace="nn.functional", label=f"MaxPool{rank}DWithIndicesBackward0")(function)
    return pool, with_indices(pool, name)


def with_indices(pool: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The form of a max pooling that gives (values, indices)."""

    def function(input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        kwargs.pop("return_indices", None)
        return pool(input, *args, **kwargs, return_indices=True)

    function.__name__ = function.__qualname__ = name + "_with_indices"
    function.__doc__ = f"`{name}` with return_indices=True."
    return function


max_pool1d, max_pool1d_with_indices = _max_pool(1)
max_pool2d, max_pool2d_with_indices = _max_pool(2)
max_pool3d, max_pool3d_with_indices = _max_pool(3)


@in_float32
def _average(
    input: Tensor,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    places: Ints,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    rank = len(kernel)
    size = input._array.shape[-rank:]
    border = []
    for n, k, s, p, t in zip(size, kernel, stride, padding, places, strict=True):
        border.append((p, max((t - 1) * s + k - n - p, 0)))
    x = input
    if any(low or high for low, high in border):
        x = P.pad(x, widths=((0, 0),) * (input._array.ndim - rank) + tuple(border), value=0)
    total = P.window_sum(x, kernel=kernel, stride=stride)
    counts = _counts(size, kernel, stride, padding, places, count_include_pad)
    if divisor is not None:
        counts = np.array(divisor)
    if (counts == counts.flat[0]).all():
        by: Any = int(counts.flat[0])
    else:
        by = literal(counts.astype(input._array.dtype), input)
    if input._array.dtype.kind == "i":
        return (total / by).trunc().to(input.dtype)
    return P.div(total, by)


def _counts(
    size: Sequence[int],
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    places: Ints,
    count_include_pad: bool,
) -> np.ndarray:
    """How many elements each window is an average of."""
    total: np.ndarray = np.ones((), np.int64)
    for n, k, s, p, t in zip(size, kernel, stride, padding, places, strict=True):
        start = np.arange(t) * s - p
        stop = np.minimum(start + k, n + p)
        if not count_include_pad:
            start, stop = np.maximum(start, 0), np.minimum(stop, n)
        total = total[..., None] * (stop - start)
    return total


_AVG_DOC = """The mean of each window of the last {rank} dimension(s).

    Args:
        input: (C, {sizes}) or (N, C, {sizes}).
        kernel_size, stride, padding: a number, or one a dimension; stride is kernel_size by
            default.
        ceil_mode: keep a last window that sticks out.
        count_include_pad: padding counts as zeros of the mean.{divisor}

    Raises:
        RuntimeError: shapes or options do not fit.
    """


def _averaged(
    name: str,
    rank: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    kernel, steps, border, _, places = _geometry(
        name, input, rank, kernel_size, stride, padding, 1, ceil_mode
    )
    if (
        input._array.dtype.kind in "buc"
        or input._array.dtype.kind == "i"
        and (input._array.dtype.itemsize < 8)
    ):
        raise no_kernel(name, input)
    return _average(input, kernel, steps, border, places, count_include_pad, divisor_override)


@op(namespace="nn.functional")
def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    return _averaged(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


def _avg_pool(rank: int) -> Callable[..., Tensor]:
    name = f"avg_pool{rank}d"

    def function(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        return _averaged(
            name, rank, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
            divisor_override,
        )  # fmt: skip

    function.__name__ = function.__qualname__ = name
    divisor = "\n        divisor_override: divide the sums by this number instead."
    function.__doc__ = _AVG_DOC.format(rank=rank, sizes=_SIZES[rank], divisor=divisor)
    return op(namespace="nn.functional", out=True)(function)


avg_pool1d.__doc__ = _AVG_DOC.format(rank=1, sizes="L", divisor="")
avg_pool2d, avg_pool3d = _avg_pool(2), _avg_pool(3)


def _lp_pool(rank: int) -> Callable[..., Tensor]:
    pool = (avg_pool1d, avg_pool2d, avg_pool3d)[rank - 1]
    name = f"lp_pool{rank}d"

    def function(
        input: Tensor,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: bool = False,
    ) -> Tensor:
        kernel = numbers(name, "kernel_size", kernel_size, rank)
        out = pool(input.pow(norm_type), kernel, stride, 0, ceil_mode)
        return P.mul(P.mul(P.sign(out), P.relu(P.abs(out))), float(np.prod(kernel))).pow(
            1.0 / norm_type
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"(sum x^p)^(1/p) over each window of the last {rank} dimension(s), p = norm_type."
    )
    return op(namespace="nn.functional", label="PowBackward0")(function)


lp_pool1d, lp_pool2d, lp_pool3d = (_lp_pool(rank) for rank in (1, 2, 3))


def _unpooled_size(
    input: Tensor, kernel: Ints, stride: Ints, padding: Ints, output_size: Any
) -> Ints:
    """The size before pooling: as asked for, within what pooling could have come from.

    Raises:
        ValueError: output_size has the wrong length or lies too far away.
    """
    rank = len(kernel)
    default = tuple(
        (n - 1) * s + k - 2 * p
        for n, s, k, p in zip(input._array.shape[-rank:], stride, kernel, padding, strict=True)
    )
    if output_size is None:
        return default
    wanted = tuple(output_size)
    if len(wanted) == rank + 2:
        wanted = wanted[2:]
    if len(wanted) != rank:
        raise ValueError(
            f"output_size should be a sequence containing {rank} or {rank + 2} elements, but it "
            f"has a length of '{len(wanted)}'"
        )
    for dim, (n, d, s) in enumerate(zip(wanted, default, stride, strict=True)):
        if not d - s < n < d + s:
            raise ValueError(
                f'invalid output_size "{wanted}" (dim {dim} must be between {d - s} and {d + s})'
            )
    return wanted


def _max_unpool(rank: int) -> Callable[..., Tensor]:
    name = f"max_unpool{rank}d"

    def function(
        input: Tensor,
        indices: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Tensor:
        kernel = numbers(name, "kernel_size", kernel_size, rank)
        steps = _strides(name, stride, kernel)
        border = numbers(name, "padding", padding, rank)
        size = _unpooled_size(input, kernel, steps, border, output_size)
        return _unpooled(name, input, indices, size)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""The partial inverse of max_pool{rank}d: zeros but for the maxima.

    Args:
        indices: where each element of the input goes, as the pooling gave them.
        output_size: the size before pooling, where kernel and stride leave it open.

    Raises:
        RuntimeError: shapes or dtypes do not fit, or an index lies outside.
        ValueError: output_size does not fit.
    """
    return op(namespace="nn.functional")(function)


def _unpooled(name: str, input: Tensor, indices: Tensor, size: Ints) -> Tensor:
    check_rank(name, input, len(size))
    if indices._array.dtype != np.int64:
        raise RuntimeError(
            f"{name}: elements in indices should be type int64 but got: {indices.dtype}"
        )
    shape = input._array.shape
    if indices._array.shape != shape:
        raise RuntimeError(
            f"{name}: Expected shape of indices to be same as that of the input tensor "
            f"({list(shape)}), but got indices tensor with shape: {list(indices._array.shape)}"
        )
    count = int(np.prod(size))
    text = (
        f"{name}: Found an invalid max index: {{index}} (output volumes are of size "
        f"{'x'.join(map(str, size))})"
    )
    check_positions(indices, count, text, error=RuntimeError)
    lead = shape[: len(shape) - len(size)]
    taken = int(np.prod(shape[len(lead) :]))
    empty = P.full(shape=(*lead, count), value=0, dtype=input._array.dtype)
    flat = P.scatter(
        empty, indices.reshape(*lead, taken), input.reshape(*lead, taken), dim=len(lead)
    )
    return flat.reshape(*lead, *size)


max_unpool1d, max_unpool2d, max_unpool3d = (_max_unpool(rank) for rank in (1, 2, 3))
