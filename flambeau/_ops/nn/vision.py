"""Sampling images at given places, and exchanging channels with space."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..._engine.base.callers import warn_user
from ..declare import op
from ..promote import dtype_of, literal
from .interpolation import cubic_weights
from .shared import INT64, check_floating, in_float32, is_floating

__all__ = [
    "affine_grid", "channel_shuffle", "grid_sample", "native_channel_shuffle", "pixel_shuffle",
    "pixel_unshuffle",
]  # fmt: skip


def _warn_alignment() -> None:
    warn_user(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
        "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
        "documentation of grid_sample for details.",
    )


@op(namespace="nn.functional", label="GridSamplerBackward0")
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The input's values at the grid's places.

    Args:
        input: (N, C, H, W) or (N, C, D, H, W).
        grid: (N, *T, 2) or (N, *T, 3): x, y (and z) in [-1, 1], over the input's extent.
        mode: "bilinear", "nearest" or (4D) "bicubic".
        padding_mode: what lies outside: "zeros", "border" or "reflection".
        align_corners: -1 and 1 are the outermost elements' centres, instead of their edges.

    Raises:
        ValueError: an unknown mode.
        RuntimeError: shapes or dtypes do not fit.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        _warn_alignment()
    _check_grid(input, grid, mode)
    check_floating("grid_sampler", input)
    return _grid_sample(input, grid, mode, padding_mode, bool(align_corners))


def _check_grid(input: Tensor, grid: Tensor, mode: str) -> None:
    shape, places = input._array.shape, grid._array.shape
    sizes = f"but got input with sizes {list(shape)} and grid with sizes {list(places)}"
    if input._array.dtype != grid._array.dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has "
            f"{dtype_of(input)} and grid has {dtype_of(grid)}"
        )
    if len(shape) not in (4, 5) or len(places) != len(shape):
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, "
            + sizes
        )
    if shape[0] != places[0]:
        raise RuntimeError(
            f"grid_sampler(): expected grid and input to have same batch size, {sizes}"
        )
    if places[-1] != len(shape) - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {len(shape) - 2} in last dimension, but "
            f"got grid with sizes {list(places)}"
        )
    if 0 in shape[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
            f"sizes {list(shape)}"
        )
    if mode == "bicubic" and len(shape) == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")


@in_float32
def _grid_sample(input: Tensor, grid: Tensor, mode: str, padding: str, align: bool) -> Tensor:
    sizes = input._array.shape[2:]
    rank = len(sizes)
    last = grid._array.ndim - 1
    places = []
    for dim, size in enumerate(sizes):
        # the grid has x first, which is the last dimension
        at = grid.select(last, rank - 1 - dim)
        place = (at + 1) * ((size - 1) / 2) if align else ((at + 1) * size - 1) * 0.5
        if mode != "bicubic":
            place = _kept_inside(place, size, padding, align)
        places.append(place)
    corners: list[list[tuple[Tensor, Any]]]
    if mode == "nearest":
        corners = [[(P.rint(place.detach()), None)] for place in places]
    elif mode == "bilinear":
        corners = [_linear_corners(place) for place in places]
    else:
        corners = [_cubic_corners(p, n, padding, align) for p, n in zip(places, sizes)]
    return _weighted_sum(input, corners)


def _kept_inside(place: Tensor, size: int, padding: str, align: bool) -> Tensor:
    """Places outside moved in, as the padding mode says."""
    if padding == "reflection":
        place = _reflected(place, size, align)
    if padding == "zeros":
        return place
    high = float(size - 1)
    return P.where(P.le(place, 0), 0.0, P.where(P.ge(place, high), high, place))


def _reflected(place: Tensor, size: int, align: bool) -> Tensor:
    """Mirrored at the outer elements' centres, or edges, as often as it takes."""
    low, span = (0.0, float(size - 1)) if align else (-0.5, float(size))
    if span == 0:
        return place * 0.0
    distance = P.abs(place - low)
    extra = P.fmod(distance, span)
    even = P.eq(P.fmod(P.floor(distance.detach() / span), 2.0), 0)
    return P.where(even, extra, span - extra) + low


def _linear_corners(place: Tensor) -> list[tuple[Tensor, Any]]:
    low = P.floor(place.detach())
    share = place - low
    return [(low, 1 - share), (low + 1, share)]


def _cubic_corners(place: Tensor, size: int, padding: str, align: bool) -> list[tuple[Tensor, Any]]:
    low = P.floor(place.detach())
    weights = cubic_weights(place - low)
    return [
        (_kept_inside(low + step, size, padding, align), weight)
        for step, weight in zip(range(-1, 3), weights, strict=True)
    ]


def _weighted_sum(input: Tensor, corners: Sequence[Sequence[tuple[Tensor, Any]]]) -> Tensor:
    """The sum over all combinations of corners; those outside the input count zero."""
    shape = input._array.shape
    flat = input.reshape(shape[0], shape[1], int(np.prod(shape[2:])))
    total = None
    for combination in itertools.product(*corners):
        position = inside = weight = None
        for (at, factor), size in zip(combination, shape[2:], strict=True):
            good = P.logical_and(P.ge(at, 0), P.le(at, size - 1))
            index = P.convert(P.where(good, at, 0), dtype=INT64)
            position = index if position is None else position * size + index
            inside = good if inside is None else P.logical_and(inside, good)
            if factor is not None:
                weight = factor if weight is None else weight * factor
        term = _values_at(flat, position, inside, weight)
        total = term if total is None else total + term
    return total  # type: ignore[return-value]


def _values_at(flat: Tensor, position: Any, inside: Any, weight: Any) -> Tensor:
    samples, channels = flat._array.shape[:2]
    places = position._array.shape[1:]
    count = int(np.prod(places))
    index = position.reshape(samples, 1, count).expand(samples, channels, count)
    found = P.gather(flat, index, dim=2).reshape(samples, channels, *places)
    inside = inside.unsqueeze(1)
    if weight is not None:
        found = found * weight.unsqueeze(1)
    return P.where(inside, found, 0)


@op(namespace="nn.functional", label="AffineGridGeneratorBackward0")
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid (for grid_sample) that affine maps make of an image's places.

    Args:
        theta: (N, 2, 3) for a size (N, C, H, W), (N, 3, 4) for (N, C, D, H, W).

    Raises:
        ValueError, NotImplementedError, RuntimeError: shapes or dtypes do not fit.
    """
    size = tuple(int(n) for n in size)
    if not is_floating(theta):
        raise ValueError(f"Expected theta to have floating point type, but got {dtype_of(theta)}")
    shape = theta._array.shape
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    rank = len(size) - 2
    if len(shape) != 3 or shape[1:] != (rank, rank + 1):
        raise ValueError(
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size "
            f"{size}. Got torch.Size({list(shape)})."
        )
    if align_corners is None:
        _warn_alignment()
    elif align_corners and min(size[2:]) == 1:
        warn_user(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details.",
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    base = literal(_homogeneous(size[2:], bool(align_corners), theta._array.dtype), theta)
    return (base @ theta.transpose(1, 2)).reshape(shape[0], *size[2:], rank)


def _homogeneous(sizes: Sequence[int], align: bool, d: np.dtype) -> np.ndarray:
    """(1, places, rank + 1): x, y (, z) and 1 of every place, x fastest."""
    axes = []
    for n in sizes:
        axis = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        axes.append(axis if align else axis * (n - 1) / n)
    grids = np.meshgrid(*axes, indexing="ij")[::-1]
    return np.stack([*grids, np.ones(tuple(sizes))], -1).reshape(1, -1, len(sizes) + 1).astype(d)


def _check_positive(name: str, argument: str, value: int) -> None:
    if value <= 0:
        raise RuntimeError(f"{name} expects a positive {argument}, but got {value}")


def _check_image(name: str, input: Tensor) -> None:
    if input._array.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with "
            f"{input._array.ndim} dimension(s)"
        )


@op(namespace="nn.functional")
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels to space: (*, C r^2, H, W) to (*, C, H r, W r).

    Raises:
        RuntimeError: the channels do not divide by r^2.
    """
    _check_image("pixel_shuffle", input)
    r = upscale_factor
    _check_positive("pixel_shuffle", "upscale_factor", r)
    *lead, channels, height, width = input._array.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    split = input.reshape(*lead, channels // (r * r), r, r, height, width)
    n = len(lead)
    moved = split.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return moved.reshape(*lead, channels // (r * r), height * r, width * r)


@op(namespace="nn.functional")
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Space to channels: (*, C, H r, W r) to (*, C r^2, H, W), the inverse of pixel_shuffle.

    Raises:
        RuntimeError: height or width do not divide by r.
    """
    _check_image("pixel_unshuffle", input)
    r = downscale_factor
    _check_positive("pixel_unshuffle", "downscale_factor", r)
    *lead, channels, height, width = input._array.shape
    for word, dim, n in (("height", -2, height), ("width", -1, width)):
        if n % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {word} to be divisible by downscale_factor, but "
                f"input.size({dim})={n} is not divisible by {r}"
            )
    split = input.reshape(*lead, channels, height // r, r, width // r, r)
    n = len(lead)
    moved = split.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return moved.reshape(*lead, channels * r * r, height // r, width // r)


@op(namespace="nn.functional")
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Deal the channels of (N, C, *) out like cards: group by group becomes one of each group.

    Raises:
        RuntimeError: the channels do not divide by `groups`.
    """
    shape = input._array.shape
    if len(shape) < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    if shape[1] % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {shape[1]} channels and "
            f"{groups} groups."
        )
    split = input.reshape(shape[0], groups, shape[1] // groups, *shape[2:])
    return split.transpose(1, 2).reshape(shape)


native_channel_shuffle = channel_shuffle
