"""Pooling over windows that the output's size (or chance) decides: adaptive and fractional."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..._engine.prims.resampling import Taps
from ..checks import elements
from ..declare import op
from ..promote import literal
from ..random import rand
from .pooling import with_indices
from .shared import check_floating, in_float32, numbers

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices", "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices", "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]  # fmt: skip

Ints = tuple[int, ...]


def _output_size(name: str, input: Tensor, rank: int, given: Any) -> Ints:
    """The wanted size; None keeps the input's."""
    shape = input._array.shape
    if isinstance(given, (tuple, list)) and len(shape) <= len(given):
        raise ValueError(
            f"{name}: Input dimension should be at least {len(given) + 1}, got {list(shape)}"
        )
    if len(shape) not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"{name}(): Expected {rank + 1}D or {rank + 2}D tensor, but got {list(shape)}"
        )
    if isinstance(given, (tuple, list)):
        if len(given) == rank:
            given = [n if g is None else g for g, n in zip(given, shape[-rank:], strict=True)]
        elif len(given) != 1:
            raise RuntimeError(f"{name}: output_size must be {rank} number(s), got {given}")
    size = numbers(name, "output_size", given, rank)
    for dim, n in enumerate(shape[len(shape) - rank :], len(shape) - rank):
        if n == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(shape)} with dimension {dim} being empty"
            )
    if min(size) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{list(size)}"
        )
    return size


def _windows(size: int, count: int) -> list[np.ndarray]:
    """The positions that each of `count` nearly equal windows covers."""
    return [np.arange(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


@functools.lru_cache(maxsize=256)
def _averaging(size: int, count: int) -> Taps:
    return Taps.rows(size, [(w, np.full(len(w), 1 / len(w))) for w in _windows(size, count)])


@in_float32
def _average(input: Tensor, size: Ints) -> Tensor:
    ndim, rank = input._array.ndim, len(size)
    before = input._array.shape[ndim - rank :]
    if all(n == 1 for n in size):
        total = P.sum(input, dims=tuple(range(ndim - rank, ndim)), keepdim=True)
        return P.div(total, prod(before))
    if all(count and n % count == 0 for n, count in zip(before, size, strict=True)):
        kernel = tuple(n // count for n, count in zip(before, size, strict=True))
        return P.div(P.window_sum(input, kernel=kernel, stride=kernel), prod(kernel))
    for dim, (n, count) in enumerate(zip(before, size, strict=True), ndim - rank):
        if count == 0:
            cut = tuple((0, 0 if d == dim else m, 1) for d, m in enumerate(input._array.shape))
            input = P.slice(input, index=cut)
        elif count != n:
            input = P.resample(input, taps=_averaging(n, count), dim=dim)
    return input


def _adaptive_avg(rank: int) -> Callable[..., Tensor]:
    name = f"adaptive_avg_pool{rank}d"

    def function(input: Tensor, output_size: Any) -> Tensor:
        size = _output_size(name, input, rank, output_size)
        check_floating(name, input)
        return _average(input, size)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Means over windows that divide the last {rank} dimension(s) evenly.

    Args:
        output_size: a number, or one a dimension; None keeps the input's.

    Raises:
        RuntimeError: shapes do not fit.
    """
    return op(namespace="nn.functional")(function)


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg, (1, 2, 3))


@functools.lru_cache(maxsize=64)
def _candidates(before: Ints, size: Ints) -> np.ndarray:
    """(windows, longest window): flat positions of each window; short ones repeat their last."""
    per_dim = []
    for n, count in zip(before, size, strict=True):
        rows = _windows(n, count)
        longest = max((len(row) for row in rows), default=1)
        per_dim.append(
            np.array([np.pad(r, (0, longest - len(r)), "edge") for r in rows], np.int64).reshape(
                count, longest
            )
        )
    return _product(per_dim, before)


def _product(per_dim: Sequence[np.ndarray], before: Ints) -> np.ndarray:
    """Flat positions (..., windows, elements) from those along each dimension (..., T, K)."""
    total = per_dim[0]
    for positions, n in zip(per_dim[1:], before[1:], strict=True):
        both = total[..., :, None, :, None] * n + positions[..., None, :, None, :]
        lead = both.shape[:-4]
        total = both.reshape(
            *lead, both.shape[-4] * both.shape[-3], both.shape[-2] * both.shape[-1]
        )
    return total


def _take_max(input: Tensor, candidates: np.ndarray, size: Ints) -> tuple[Tensor, Tensor]:
    """The largest of each window's candidates, and where it is.

    `candidates` is (windows, K), or (N, C, windows, K) where each channel has its own.
    """
    ndim = input._array.ndim
    lead = input._array.shape[: ndim - len(size)]
    flat = input.reshape(*lead, prod(input._array.shape[len(lead) :]))
    windows, elements = candidates.shape[-2:]
    spread = np.broadcast_to(candidates, (*lead, windows, elements))
    table = literal(spread.reshape(*lead, windows * elements), input)
    offered = P.gather(flat.detach(), table, dim=len(lead)).reshape(*lead, windows, elements)
    if not offered._array.size:
        index = table.reshape(*lead, windows, elements).sum(-1)
        return P.gather(flat, index, dim=len(lead)).reshape(*lead, *size), index.reshape(
            *lead, *size
        )
    winner = P.argmax(offered, dim=len(lead) + 1, keepdim=True)
    places = table.reshape(*lead, windows, elements)
    index = P.gather(places, winner, dim=len(lead) + 1).reshape(*lead, windows)
    return P.gather(flat, index, dim=len(lead)).reshape(*lead, *size), index.reshape(*lead, *size)


def _adaptive_max(rank: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    name = f"adaptive_max_pool{rank}d"

    def function(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        size = _output_size(name, input, rank, output_size)
        check_floating(name, input)
        before = input._array.shape[input._array.ndim - rank :]
        values, indices = _take_max(input, _candidates(before, size), size)
        return (values, indices) if return_indices else values

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Maxima over windows that divide the last {rank} dimension(s) evenly.

    Args:
        output_size: a number, or one a dimension; None keeps the input's.
        return_indices: also give positions in the flattened spatial dimensions.

    Raises:
        RuntimeError: shapes do not fit.
    """
    pool = op(namespace="nn.functional")(function)
    return pool, with_indices(pool, name)


adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_max(1)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_max(2)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_max(3)


def _starts(samples: np.ndarray, size: int, count: int, kernel: int) -> np.ndarray:
    """Where `count` windows begin, pseudo-randomly spaced; `samples` in [0, 1), one a channel."""
    if count == 1:
        return np.full((*samples.shape, 1), size - kernel, np.int64)
    alpha = samples.dtype.type((size - kernel) / (count - 1))
    steps = np.arange(count - 1, dtype=samples.dtype)
    first = (samples * alpha).astype(np.int64)[..., None]
    found = ((steps + samples[..., None]) * alpha).astype(np.int64) - first
    last = np.full((*samples.shape, 1), size - kernel, np.int64)
    return np.concatenate([found, last], -1)


def _fractional(rank: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    name = f"fractional_max_pool{rank}d"

    def function(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        kernel = numbers(name, "kernel_size", kernel_size, rank)
        size = _fractional_size(name, input, kernel, output_size, output_ratio)
        lead = input._array.shape[: input._array.ndim - rank]
        samples = _random_samples
        if samples is None:
            samples = rand(lead[0] if len(lead) == 2 else 1, lead[-1], rank, dtype=input.dtype)
        # more samples than planes may be given: the first ones count
        drawn = elements(samples).reshape(-1, rank)[: prod(lead)].reshape(*lead, rank)
        values, indices = _take_max(input, _random_windows(input, drawn, kernel, size), size)
        return (values, indices) if return_indices else values

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Maxima over pseudo-randomly placed windows of the last {rank} dimensions.

    Args:
        output_size, output_ratio: one of them: the result's size, or its ratio to the input's.
        return_indices: also give positions in the flattened spatial dimensions.

    Raises:
        ValueError: neither a size nor a ratio, or a ratio outside (0, 1).
        RuntimeError: shapes do not fit.
    """
    pool = op(namespace="nn.functional", reads_values=True)(function)
    return pool, with_indices(pool, name)


def _fractional_size(
    name: str, input: Tensor, kernel: Ints, output_size: Any, output_ratio: Any
) -> Ints:
    rank, shape = len(kernel), input._array.shape
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if len(shape) not in (rank + 1, rank + 2) or 0 in shape[len(shape) - rank - 1 :]:
        raise RuntimeError(
            f"{name}: Expected {rank + 1}D or {rank + 2}D non-empty tensor, got {list(shape)}"
        )
    check_floating(name, input)
    before = shape[-rank:]
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else [output_ratio] * rank
        if not all(0 < r < 1 for r in ratios):
            raise ValueError(f"{name} requires output_ratio to lie in (0, 1), got {output_ratio}")
        output_size = [int(n * r) for n, r in zip(before, ratios, strict=True)]
    size = numbers(name, "output_size", output_size, rank)
    for n, k, count in zip(before, kernel, size, strict=True):
        if count <= 0 or k <= 0 or count + k - 1 > n:
            raise RuntimeError(
                f"{name}(): pool size {list(kernel)} too large relative to input size "
                f"{list(before)} for output size {list(size)}"
            )
    return size


def _random_windows(input: Tensor, drawn: np.ndarray, kernel: Ints, size: Ints) -> np.ndarray:
    before = input._array.shape[-len(size) :]
    per_dim = []
    for dim, (n, count, k) in enumerate(zip(before, size, kernel, strict=True)):
        # in two dimensions the first number drawn is the width's
        which = len(size) - 1 - dim if len(size) == 2 else dim
        starts = _starts(drawn[..., which], n, count, k)
        per_dim.append(starts[..., None] + np.arange(k))
    return _product(per_dim, before)


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional(3)
