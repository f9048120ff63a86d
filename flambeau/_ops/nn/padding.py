"""Padding by a constant, reflection, replication, or wrapping around."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..._engine.prims.resampling import Taps
from ..declare import op
from ..promote import dtype_of, number

__all__ = ["pad"]


@op(namespace="nn.functional", label="ConstantPadNdBackward0")
def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Add border elements, or take some away where a width is negative.

    Args:
        pad: (low, high) widths, of the last dimension first.
        mode: "constant" (filled with `value`, 0 by default), "reflect" (mirrored at the edge
            element), "replicate" (the edge element repeated) or "circular".

    Raises:
        RuntimeError: widths that do not fit.
        NotImplementedError: a mode for which the number of dimensions does not fit.

    >>> pad(flambeau.tensor([1.0, 2.0]), (1, 0))
    tensor([0., 1., 2.])
    """
    widths = _widths(input, pad)
    if mode == "constant":
        return _constant(input, widths, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in _POSITIONS:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    _check_rank(input, len(widths))
    _check_widths(input, widths, mode)
    ndim = input._array.ndim
    for back, (low, high) in enumerate(widths, 1):
        if low or high:
            dim = ndim - back
            taps = _taps(mode, input._array.shape[dim], low, high)
            input = P.resample(input, taps=taps, dim=dim)
    return input


def _widths(input: Tensor, pad: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs, of the last dimension first."""
    for position, width in enumerate(pad):
        if not hasattr(width, "__index__"):
            raise TypeError(
                "pad(): argument 'pad' (position 2) must be tuple of ints, but found element of "
                f"type {type(width).__name__} at pos {position}"
            )
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {len(pad)}")
    if len(pad) > 2 * input._array.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but "
            f"got padding length {len(pad)} and input of dimension {input._array.ndim}"
        )
    given = [int(width) for width in pad]
    return list(zip(given[::2], given[1::2], strict=True))


def _constant(input: Tensor, widths: list[tuple[int, int]], value: float) -> Tensor:
    if isinstance(value, complex) and input._array.dtype.kind != "c":
        raise TypeError("pad(): argument 'value' (position 4) must be float, not complex")
    shape = input._array.shape
    pairs = [(0, 0)] * (len(shape) - len(widths)) + widths[::-1]
    for dim, (size, (low, high)) in enumerate(zip(shape, pairs, strict=True)):
        if size + min(low, 0) + min(high, 0) < 0 or size + low + high < 0:
            raise RuntimeError(
                f"The input size {size}, plus negative padding {low} and {high}, resulted in a "
                f"negative output size, which is invalid. Check dimension {dim} of your input."
            )
    if any(low < 0 or high < 0 for low, high in pairs):
        cut = ((max(-low, 0), n + min(high, 0), 1) for n, (low, high) in zip(shape, pairs))
        input = P.slice(input, index=tuple(cut))
        pairs = [(max(low, 0), max(high, 0)) for low, high in pairs]
    filler = number(value, dtype_of(input))
    return P.pad(input, widths=tuple(pairs), value=filler)


def _check_rank(input: Tensor, padded: int) -> None:
    ndim = input._array.ndim
    if ndim - padded not in (1, 2) or padded > 3:
        raise NotImplementedError(
            f"Padding size {2 * padded} is not supported for {ndim}D input tensor.\nSupported "
            "combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )


def _check_widths(input: Tensor, widths: list[tuple[int, int]], mode: str) -> None:
    shape = input._array.shape
    first = len(shape) - len(widths)
    if any(n == 0 for d, n in enumerate(shape) if d >= first) or (
        0 in shape and mode != "circular" and (len(shape) - len(widths) == 1 or 0 in shape[1:])
    ):
        raise RuntimeError(
            f"Expected {len(widths) + 1}D or {len(widths) + 2}D (batch mode) tensor with possibly "
            f"0 batch size and other non-zero dimensions for input, but got: {list(shape)}"
        )
    for back, (low, high) in enumerate(widths, 1):
        size = shape[-back]
        if mode == "reflect" and (low >= size or high >= size):
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input "
                f"dimension, but got: padding ({low}, {high}) at dimension {len(shape) - back} of "
                f"input {list(shape)}"
            )
        if mode == "circular" and (low > size or high > size):
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if size + low + high <= 0:
            raise RuntimeError(
                f"pad: input (size {size}) is too small: padding ({low}, {high}) leaves "
                f"{size + low + high} elements in dimension {len(shape) - back}"
            )


def _reflected(places: np.ndarray, size: int) -> np.ndarray:
    places = np.abs(places)
    return np.where(places >= size, 2 * (size - 1) - places, places)


_POSITIONS = {
    "reflect": _reflected,
    "replicate": lambda places, size: np.clip(places, 0, size - 1),
    "circular": lambda places, size: places % size,
}


@functools.lru_cache(maxsize=256)
def _taps(mode: str, size: int, low: int, high: int) -> Taps:
    cut = -min(low, 0) if mode == "circular" else 0
    # wrapping around sees only what negative widths leave
    kept = size - cut + min(high, 0) if mode == "circular" else size
    places = np.arange(-low - cut, size - cut + high)
    return Taps(size, _POSITIONS[mode](places, kept) + cut, None, np.arange(len(places)))


@op(label="ConstantPadNdBackward0")
def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """`nn.functional.pad` with a constant."""
    return _constant(input, _widths(input, pad), value)
