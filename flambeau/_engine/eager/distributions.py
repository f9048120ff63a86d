"""Flat arrays of random numbers, as PyTorch's CPU kernels draw them from the same words.

Every function takes a `GeneratorState` and a count and gives a one-dimensional array. What is
drawn from how many bits, in which precision and in which order is part of the contract: that is
what makes the numbers PyTorch's.
"""

from __future__ import annotations

import math

import numpy as np

from .mt19937 import GeneratorState
from .precision import HALVES

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)

# `random_()` without bounds: how many values each dtype can hold exactly, counted from 0
_SPANS = {
    "bool": 2,
    "uint8": 1 << 8,
    "int8": 1 << 7,
    "int16": 1 << 15,
    "int32": 1 << 31,
    "int64": 1 << 63,
    "float16": (1 << 11) + 1,
    "bfloat16": (1 << 8) + 1,
    "float32": (1 << 24) + 1,
    "float64": (1 << 53) + 1,
}
# significant bits of the floating dtypes
DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
# bounded integers take 64-bit words from this range on
_LONG_RANGE = 1 << 28
# permutations of this many or more take 64-bit words
_LONG_PERMUTATION = 0xFFFFFFFF // 20


def fused_multiply_add(a: np.ndarray, b: float, c: float) -> np.ndarray:
    """a * b + c in float64 with one rounding, as the machine's FMA gives it.

    Dekker's product and Knuth's sum keep the rounding errors, which are added at the end.
    """
    product = a * b
    if c == 0.0:
        return product
    split = 134217729.0  # 2^27 + 1
    b_high = split * b - (split * b - b)
    b_low = b - b_high
    scaled = split * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    part = total - product
    error += (product - (total - part)) + (c - part)
    return total + error


def uniform(
    state: GeneratorState, count: int, dtype: np.dtype, low: float, high: float
) -> np.ndarray:
    """Uniform numbers in [low, high): 53 bits for float64, else 24 bits, rounded once."""
    if dtype == FLOAT64:
        unit = state.uniforms(count)
        if low == 0.0 and high == 1.0:
            return unit
        out = fused_multiply_add(unit, high - low, low)
    else:
        bits = state.bits24(count)
        if dtype == FLOAT32 and low == 0.0 and high == 1.0:
            return bits.astype(FLOAT32) * FLOAT32.type(2.0**-24)
        first = float(FLOAT32.type(low))
        span = float(FLOAT32.type(high) - FLOAT32.type(low))
        out = (bits * (2.0**-24 * span) + first).astype(FLOAT32).astype(dtype, copy=False)
    # rounding may land on the excluded end, which PyTorch turns into the included one
    ends = np.array([low, high], dtype)
    out[out == ends[1]] = ends[0]
    return out


def normal(
    state: GeneratorState,
    count: int,
    dtype: np.dtype,
    mean: float,
    std: float,
    serial: bool = False,
) -> np.ndarray:
    """Normal numbers: 16 or more come in blocks of 16, fewer (or `serial`) in cached pairs."""
    if serial or count < 16:
        return fused_multiply_add(state.normals(count), std, mean).astype(dtype, copy=False)
    whole = count - count % 16
    if dtype in HALVES:  # words are drawn block by block, the incomplete block draws none
        standard = _block_normals(_unit(state, whole, FLOAT32))
    else:
        standard = _block_normals(_unit(state, count, dtype)[:whole])
    if whole < count:  # the last 16 numbers are drawn anew
        last = _block_normals(_unit(state, 16, standard.dtype))
        standard = np.concatenate([standard[: count - 16], last])
    if mean != 0.0 or std != 1.0:
        standard = fused_multiply_add(standard.astype(FLOAT64), std, mean)
    return standard.astype(dtype, copy=False)


def _unit(state: GeneratorState, count: int, dtype: np.dtype) -> np.ndarray:
    return uniform(state, count, dtype, 0.0, 1.0)


def _block_normals(unit: np.ndarray) -> np.ndarray:
    """Box-Muller on blocks of 16 uniforms: 8 radii, then 8 angles; cosines, then sines."""
    number = unit.dtype.type
    blocks = unit.reshape(-1, 2, 8)
    radius = np.sqrt(number(-2) * np.log(number(1) - blocks[:, 0]))
    angle = number(2 * np.pi) * blocks[:, 1]
    out = np.empty_like(blocks)
    np.multiply(radius, np.cos(angle), out=out[:, 0])
    np.multiply(radius, np.sin(angle), out=out[:, 1])
    return out.reshape(-1)


def integers(
    state: GeneratorState, count: int, dtype: np.dtype, low: int, high: int | None
) -> np.ndarray:
    """Integers low + word % (high - low); high None stands for 2^63, and all 64 bits."""
    if dtype.name in DIGITS and high is not None:
        low, high = _exact_bounds(dtype, low, high)
    span = (1 << 63 if high is None else high) - low
    if span == 1 << 64:
        return state.long_words(count).astype(np.int64).astype(dtype, copy=False)
    words = state.words(count) if span < _LONG_RANGE else state.long_words(count)
    # uint64 wraps around, as a negative `low` needs
    return _from_int64(words % np.uint64(span) + np.uint64(low % (1 << 64)), dtype)


def _exact_bounds(dtype: np.dtype, low: int, high: int) -> tuple[int, int]:
    """Bounds moved inwards until rounding to a floating `dtype` cannot leave [low, high)."""
    digits = DIGITS[dtype.name]
    first, last = _rounded(low + 1, dtype), _rounded(high - 1, dtype)
    if first < low:
        low = first + (1 << (abs(low + 1).bit_length() - digits))
    if last >= high:
        high = last - (1 << (abs(high - 1).bit_length() - digits))
    return low, high


def _rounded(value: int, dtype: np.dtype) -> int:
    return int(np.array(value, FLOAT32 if dtype in HALVES else FLOAT64).astype(dtype))


def _from_int64(words: np.ndarray, dtype: np.dtype) -> np.ndarray:
    values = words.view(np.int64)
    if dtype in HALVES:  # int64 to float32 to half, rounded twice, as PyTorch casts
        values = values.astype(FLOAT32)
    return values.astype(dtype, copy=False)


def any_integers(state: GeneratorState, count: int, dtype: np.dtype) -> np.ndarray:
    """Integers from 0 to the largest that `dtype` holds exactly together with all below it."""
    span = _SPANS[dtype.name]
    words = state.long_words(count) if span > 1 << 32 else state.words(count)
    return _from_int64(words % np.uint64(span), dtype)


def permutation(state: GeneratorState, count: int, dtype: np.dtype) -> np.ndarray:
    """0 to count - 1 in random order: Fisher-Yates from the front, word % (numbers left)."""
    swaps = max(count - 1, 0)
    draw = state.words if count < _LONG_PERMUTATION else state.long_words
    places = np.arange(swaps, dtype=np.uint64)
    targets = places + draw(swaps) % (np.uint64(count) - places)
    shuffle = _swap_one_by_one if count < 350 else _swap_all
    return shuffle(targets.astype(np.int64), count).astype(dtype, copy=False)


def _swap_one_by_one(targets: np.ndarray, count: int) -> np.ndarray:
    order = list(range(count))
    for place, target in enumerate(targets.tolist()):
        order[place], order[target] = order[target], order[place]
    return np.array(order, np.int64)


def _swap_all(targets: np.ndarray, count: int) -> np.ndarray:
    """The result of swapping place i with targets[i] >= i for each i in turn, without a loop.

    What lies at place k when its turn comes was put there by the last earlier swap that aimed
    at k, and lay at that swap's own place before: a chain, followed here by pointer doubling.
    What swap i fetches was put there by the last earlier swap with the same target.
    """
    places = np.arange(count)
    targets = np.append(targets, count - 1)
    away = targets != places
    found = places.copy()
    found[targets[away]] = places[away]  # of several swaps, the last one stays
    while True:
        further = found.take(found)
        if (further == found).all():
            break
        found = further
    place = _by_target(targets)
    target = targets.take(place)
    earlier = np.empty_like(place)
    earlier[1:] = np.where(target[1:] == target[:-1], found.take(place[:-1]), target[1:])
    earlier[0] = target[0]
    order = np.empty(count, np.int64)
    order[place] = earlier
    order[~away] = found[~away]
    return order


def _by_target(targets: np.ndarray) -> np.ndarray:
    """The places in the order of their targets (below 2**32), equal ones as they are."""
    # NumPy sorts 16-bit keys by counting: four times as fast
    place = targets.astype(np.uint16).argsort(kind="stable")
    if targets.size > 1 << 16:
        place = place[(targets >> 16).astype(np.uint16)[place].argsort(kind="stable")]
    return place


def bernoulli_mask(state: GeneratorState, count: int, p: float) -> np.ndarray:
    """Booleans that are True where a uniform number of 53 bits lies below p."""
    return state.bits53(count) < np.uint64(math.ceil(p * 2.0**53))


def bernoulli(state: GeneratorState, p: np.ndarray) -> np.ndarray:
    """Booleans, True with probability p each: 53 bits where p is float64, else 24 bits."""
    if p.dtype == FLOAT64:
        return state.uniforms(p.size) < p
    return state.bits24(p.size) * 2.0**-24 < p.astype(FLOAT64)


def exponential(state: GeneratorState, count: int, dtype: np.dtype, rate: float) -> np.ndarray:
    """Exponential numbers -log(1 - u) / rate."""
    return (-1.0 / rate * np.log1p(-state.uniforms(count))).astype(dtype, copy=False)


def geometric(state: GeneratorState, count: int, dtype: np.dtype, p: float) -> np.ndarray:
    """The trial of the first success: ceil(log(u) / log(1 - p))."""
    trials = np.ceil(np.log(state.uniforms(count)) / math.log1p(-p))
    return trials.astype(np.int64).astype(dtype) if dtype.kind in "iub" else trials.astype(dtype)


def log_normal(
    state: GeneratorState, count: int, dtype: np.dtype, mean: float, std: float
) -> np.ndarray:
    """exp of normal numbers, which are drawn in cached pairs whatever the count."""
    exponents = fused_multiply_add(state.normals(count), std, mean)
    return np.exp(exponents).astype(dtype, copy=False)


def cauchy(
    state: GeneratorState, count: int, dtype: np.dtype, median: float, sigma: float
) -> np.ndarray:
    """Cauchy numbers median + sigma * tan(pi * (u - 1/2))."""
    tangents = np.tan(np.pi * (state.uniforms(count) - 0.5))
    return fused_multiply_add(tangents, sigma, median).astype(dtype, copy=False)


def multinomial(
    state: GeneratorState, p: np.ndarray, num_samples: int, replacement: bool
) -> np.ndarray:
    """Indices drawn from the rows of weights p, shape (rows, num_samples), int64."""
    if not replacement or num_samples == 1:
        return _exponential_race(state, p, num_samples)
    weights = p.astype(FLOAT32) if p.dtype in HALVES else p
    totals = np.cumsum(weights, axis=1)
    totals /= totals[:, -1:].copy()
    draws = state.uniforms(p.shape[0] * num_samples).reshape(p.shape[0], num_samples)
    out = np.empty(draws.shape, np.int64)
    for row, total in enumerate(totals.astype(FLOAT64)):
        out[row] = np.searchsorted(total, draws[row], side="left")
    return np.minimum(out, p.shape[1] - 1)


def _exponential_race(state: GeneratorState, p: np.ndarray, num_samples: int) -> np.ndarray:
    """Without replacement: the largest of weight / exponential, one exponential a category."""
    waits = exponential(state, p.size, p.dtype, 1.0)
    if abs(p.strides[0]) < abs(p.strides[1]):  # drawn in the order in which p lies in memory
        race = p / waits.reshape(p.shape[::-1]).T
    else:
        race = p / waits.reshape(p.shape)
    if num_samples == 1:
        return race.argmax(axis=1, keepdims=True)
    return np.argsort(-race, axis=1, kind="stable")[:, :num_samples].copy()
