"""Resizing by interpolation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import floor
from typing import Any

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..._engine.base.callers import warn_user
from ..._engine.prims.resampling import Taps
from ..declare import op
from .adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .shared import FLOAT32, no_kernel

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

# mode -> number of spatial dimensions it needs; None is any
_MODES: dict[str, int | None] = {
    "nearest": None, "nearest-exact": None, "area": None,
    "linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3,
}  # fmt: skip
_SUPPORTED = "nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact"
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


@op(namespace="nn.functional", label="UpsampleBackward0")
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resize the spatial dimensions of (N, C, *).

    Args:
        size, scale_factor: one of them: the new size, or its ratio to the old one; a number, or
            one a dimension.
        mode: "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear" or "area".
        align_corners: the outermost elements' centres coincide, instead of their edges.
        recompute_scale_factor: take the ratio from the rounded sizes.
        antialias: widen the filter when shrinking (bilinear and bicubic).

    Raises:
        ValueError, RuntimeError: options or sizes do not fit.
        NotImplementedError: a mode that does not exist for the number of dimensions.
    """
    if mode in ("nearest", "nearest-exact", "area") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | "
            "bilinear | bicubic | trilinear"
        )
    rank = input._array.ndim - 2
    output, factors = _target(input, rank, size, scale_factor)
    if recompute_scale_factor:
        if size is not None:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        factors = None
    if antialias and not (mode in ("bilinear", "bicubic") and rank == 2):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D "
            "tensor as input"
        )
    _check_mode(mode, rank)
    _check_sizes(input, output)
    if mode == "area":
        return _AREA[rank](input, output)
    if input._array.dtype.kind in "ibc" and mode != "nearest" or input._array.dtype.kind in "ib":
        raise no_kernel(f"upsample_{mode}", input)
    return _resized(input, output, factors, mode, bool(align_corners), antialias)


def _target(
    input: Tensor, rank: int, size: Any, scale_factor: Any
) -> tuple[list[int], list[float] | None]:
    """The output's size, and the scale factors where they were given."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    spatial = input._array.shape[2:]
    if size is not None:
        given = list(size) if isinstance(size, (tuple, list)) else [size] * rank
        if any(not hasattr(n, "__index__") for n in given):
            raise TypeError(f"interpolate(): size must be int or tuple of ints, got {size!r}")
        _check_count("output size", "output_size in (o1, o2, ...,oK)", "size", given, spatial)
        return [int(n) for n in given], None
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    several = isinstance(scale_factor, (tuple, list))
    factors = [float(f) for f in (scale_factor if several else [scale_factor] * rank)]
    _check_count("scale_factor", "scale_factor in (s1, s2, ...,sK)", "shape", factors, spatial)
    return [floor(n * f) for n, f in zip(spatial, factors, strict=True)], factors


def _check_count(
    what: str, form: str, word: str, given: Sequence[Any], spatial: Sequence[int]
) -> None:
    if len(given) != len(spatial):
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {list(spatial)} and {what} of {word} {tuple(given)}. Please "
            f"provide input tensor in (N, C, d1, d2, ...,dK) format and {form} format."
        )


def _check_mode(mode: str, rank: int) -> None:
    if rank not in (1, 2, 3) or mode not in _MODES:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {rank + 2}D) for the "
            f"modes: {_SUPPORTED} (got {mode})"
        )
    needed = _MODES[mode]
    if needed is not None and needed != rank:
        raise NotImplementedError(
            f"Got {rank + 2}D input, but {mode} mode needs {needed + 2}D input"
        )


def _check_sizes(input: Tensor, output: Sequence[int]) -> None:
    shape = input._array.shape
    if min(output) <= 0 or 0 in shape[2:]:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"{list(shape[2:])} and output {list(output)}"
        )
    if shape[1] == 0:
        raise RuntimeError(
            f"Non-empty data tensor expected but got a tensor with sizes {list(shape)}"
        )


def _resized(
    input: Tensor,
    output: Sequence[int],
    factors: Sequence[float] | None,
    mode: str,
    align: bool,
    antialias: bool,
) -> Tensor:
    original = input._array.dtype
    exact = mode.startswith("nearest")
    if original.kind == "u" and not exact:
        input = P.convert(input, dtype=FLOAT32)
    precise = np.float64 if input._array.dtype == np.float64 else np.float32
    for position, size in enumerate(output):
        dim = position + 2
        before = input._array.shape[dim]
        factor = None if factors is None else factors[position]
        if before == size and (exact or factor is None or factor == 1):
            continue
        build = _antialiased if antialias else _TAPS[mode]
        taps = build(mode, before, size, factor, align, precise)
        input = P.resample(input, taps=taps, dim=dim)
    if input._array.dtype is not original:
        top = float(np.iinfo(original).max)
        rounded = P.rint(P.minimum(P.maximum(input, 0.0), top))
        input = P.convert(rounded, dtype=original)
    return input


def _ratio(before: int, after: int, factor: float | None, align: bool) -> float:
    """Input elements an output element."""
    if align:
        return (before - 1) / (after - 1) if after > 1 else 0.0
    return 1.0 / factor if factor is not None and factor > 0 else before / after


def _centres(before: int, after: int, factor: Any, align: bool, precise: Any) -> np.ndarray:
    """Where each output element lies among the input's."""
    ratio = precise(_ratio(before, after, factor, align))
    places = np.arange(after, dtype=precise)
    return ratio * places if align else ratio * (places + precise(0.5)) - precise(0.5)


@functools.lru_cache(maxsize=256)
def _nearest(
    mode: str, before: int, after: int, factor: float | None, align: bool, precise: Any
) -> Taps:
    ratio = np.float32(_ratio(before, after, factor, False))
    shift = np.float32(0.5 if mode == "nearest-exact" else 0)
    places = np.floor((np.arange(after, dtype=np.float32) + shift) * ratio).astype(np.int64)
    return Taps(before, np.minimum(places, before - 1), None, np.arange(after))


@functools.lru_cache(maxsize=256)
def _linear(
    mode: str, before: int, after: int, factor: float | None, align: bool, precise: Any
) -> Taps:
    centres = np.maximum(_centres(before, after, factor, align, precise), 0)
    low = np.minimum(centres.astype(np.int64), before - 1)
    share = np.clip(centres - low, 0, 1)
    sources = np.stack([low, np.minimum(low + 1, before - 1)], 1)
    weights = np.stack([1 - share, share], 1)
    return Taps(before, sources.reshape(-1), weights.reshape(-1), 2 * np.arange(after))


def cubic_weights(share: Any, a: float = -0.75) -> list[Any]:
    """Weights of the four elements around a place `share` past the second of them."""

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(share + 1), near(share), near(1 - share), far(2 - share)]


@functools.lru_cache(maxsize=256)
def _cubic(
    mode: str, before: int, after: int, factor: float | None, align: bool, precise: Any
) -> Taps:
    centres = _centres(before, after, factor, align, precise)
    low = np.floor(centres)
    weights = np.stack(cubic_weights(centres - low), 1)
    sources = np.clip(low.astype(np.int64)[:, None] + np.arange(-1, 3), 0, before - 1)
    return Taps(before, sources.reshape(-1), weights.reshape(-1), 4 * np.arange(after))


_TAPS: dict[str, Callable[..., Taps]] = {
    "nearest": _nearest, "nearest-exact": _nearest, "linear": _linear, "bilinear": _linear,
    "trilinear": _linear, "bicubic": _cubic,
}  # fmt: skip


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic_filter(x: np.ndarray) -> np.ndarray:
    x, a = np.abs(x), -0.5
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


# the filter and half its width
_FILTERS = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic_filter, 2.0)}


@functools.lru_cache(maxsize=256)
def _antialiased(
    mode: str, before: int, after: int, factor: float | None, align: bool, precise: Any
) -> Taps:
    ratio = _ratio(before, after, factor, align)
    function, radius = _FILTERS[mode]
    widened = max(ratio, 1.0)
    rows = []
    for place in range(after):
        centre = ratio * (place + 0.5)
        start = max(int(centre - radius * widened + 0.5), 0)
        stop = min(int(centre + radius * widened + 0.5), before)
        sources = np.arange(start, stop)
        weights = function((sources - centre + 0.5) / widened)
        total = weights.sum()
        rows.append((sources, weights / total if total else weights))
    return Taps.rows(before, rows)


def _deprecated(name: str) -> None:
    warn_user(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.",
    )


@op(namespace="nn.functional")
def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Deprecated name of `interpolate`."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@op(namespace="nn.functional")
def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Deprecated: interpolate(mode="nearest")."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, mode="nearest")


@op(namespace="nn.functional")
def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Deprecated: interpolate(mode="bilinear", align_corners=True)."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
