"""Sliding blocks as columns, and back."""

from __future__ import annotations

from math import prod
from typing import Any

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..declare import op
from .shared import numbers

__all__ = ["fold", "unfold"]

Pair = tuple[int, int]


def _options(name: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> list[Pair]:
    found = []
    for argument, value in (
        ("kernel_size", kernel), ("dilation", dilation), ("padding", padding), ("stride", stride)
    ):  # fmt: skip
        pair = numbers(name, argument, value, 2)
        if min(pair) < (0 if argument == "padding" else 1):
            raise RuntimeError(f"{name}: {argument} {pair} is too small")
        found.append(pair)
    return found  # type: ignore[return-value]


def _blocks(size: Pair, kernel: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Pair:
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(size, kernel, dilation, padding, stride, strict=True)
    )  # type: ignore[return-value]


def _check_blocks(name: str, blocks: Pair, size: Pair, *options: Pair) -> None:
    if min(blocks) < 1:
        kernel, dilation, padding, _ = options
        raise RuntimeError(
            f"{name}: Given input with spatial size {size}, kernel_size={kernel}, "
            f"dilation={dilation}, padding={padding}, calculated shape of the array of sliding "
            f"blocks as {blocks}, but its components must be at least one."
        )


@op(namespace="nn.functional", label="Im2ColBackward0")
def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The sliding blocks of an image as columns: (N, C, H, W) to (N, C * block, blocks).

    Raises:
        RuntimeError: shapes or options do not fit.
    """
    options = _options("unfold", kernel_size, dilation, padding, stride)
    kernel, spread, border, steps = options
    shape = input._array.shape
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "unfold: Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other "
            f"non-zero dimensions for input, but got: {list(shape)}"
        )
    size: Pair = shape[-2:]
    blocks = _blocks(size, kernel, spread, border, steps)
    _check_blocks("unfold", blocks, size, *options)
    x = input if len(shape) == 4 else input.unsqueeze(0)
    if any(border):
        x = P.pad(x, widths=((0, 0), (0, 0), *((p, p) for p in border)), value=0)
    found = P.permute(
        P.windows(x, kernel=kernel, stride=steps, dilation=spread), dims=(2, 3, 0, 1, 4, 5)
    )
    columns = found.reshape(x._array.shape[0], shape[-3] * prod(kernel), prod(blocks))
    return columns if len(shape) == 4 else columns.squeeze(0)


@op(namespace="nn.functional", label="Col2ImBackward0")
def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """The sum of columns put back to where `unfold` reads them: (N, C * block, blocks) to images.

    Raises:
        RuntimeError: shapes or options do not fit.
    """
    options = _options("fold", kernel_size, dilation, padding, stride)
    kernel, spread, border, steps = options
    size: Pair = numbers("fold", "output_size", output_size, 2)  # type: ignore[assignment]
    shape = input._array.shape
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "fold: Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(shape)}"
        )
    if shape[-2] % prod(kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={kernel}."
        )
    blocks = _blocks(size, kernel, spread, border, steps)
    if min(blocks) < 1 or prod(blocks) != shape[-1]:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={spread}, "
            f"padding={border}, stride={steps}, expected size of input's dimension 2 to match the "
            f"calculated number of sliding blocks {blocks[0]} * {blocks[1]} = {prod(blocks)}, but "
            f"got input.size(2)={shape[-1]}."
        )
    samples = shape[0] if len(shape) == 3 else 1
    columns = input.reshape(samples, shape[-2] // prod(kernel), *kernel, *blocks)
    whole = tuple(n + 2 * p for n, p in zip(size, border, strict=True))
    out = P.fold_windows(
        P.permute(columns, dims=(2, 3, 0, 1, 4, 5)), size=whole, stride=steps, dilation=spread
    )
    if any(border):
        inside = ((p, p + n, 1) for n, p in zip(size, border, strict=True))
        out = P.slice(out, index=(*((0, n, 1) for n in out._array.shape[:2]), *inside))
    return out if len(shape) == 3 else out.squeeze(0)
