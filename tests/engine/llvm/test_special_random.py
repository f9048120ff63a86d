"""Random shapes, layouts and hosts for the kernels with most cases; the seeds are fixed."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.prims.convolution import convolved_size

from .specials import HOSTS, compare


def _array(draw, shape, dtype="float32"):
    """Normal numbers, in any order of dimensions in memory."""
    order = draw.sample(range(len(shape)), len(shape))
    numbers = np.random.default_rng(draw.randrange(1 << 30)).standard_normal(shape) * 3
    return numbers.astype(dtype).transpose(order).copy().transpose(np.argsort(order))


def _numbers(draw, count, low, high):
    return tuple(draw.randint(low, high) for _ in range(count))


@pytest.mark.parametrize("seed", range(10))
def test_convolutions(seed):
    draw = Random(seed)
    rank, groups = draw.choice([1, 2, 2, 3]), draw.choice([1, 1, 2])
    kernel, stride, dilation = (_numbers(draw, rank, 1, high) for high in (4, 3, 2))
    padding = tuple(_numbers(draw, 2, 0, 3) for _ in range(rank))
    reach = (d * (k - 1) + 1 for k, d in zip(kernel, dilation))
    size = tuple(draw.randint(r, r + 14 // rank) for r in reach)
    places = convolved_size(size, kernel, stride, padding, dilation)
    samples, channels, outputs = draw.randint(1, 3), draw.randint(1, 4), draw.randint(1, 9)
    a = _array(draw, (samples, groups * channels, *size))
    weight = _array(draw, (groups * outputs, channels, *kernel))
    g = _array(draw, (samples, groups * outputs, *places))
    options = {
        "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
        "tolerance": 1e-3, "host": replace(draw.choice(HOSTS), l2=draw.choice([1, 3000, 1 << 20])),
    }  # fmt: skip
    compare("convolution", a, weight, **options)
    compare("convolution_input_grad", g, weight, size=size, **options)
    compare("convolution_weight_grad", a, g, kernel=kernel, **options)


@pytest.mark.parametrize("seed", range(20))
def test_indexing(seed):
    draw = Random(seed)
    shape = _numbers(draw, draw.randint(1, 4), 1, 8)
    pattern = [draw.random() < 0.5 for _ in shape]
    pattern[draw.randrange(len(shape))] = True
    points = _numbers(draw, draw.randint(0, 3), 1, 4)
    indices = [
        np.asarray(
            np.random.default_rng(seed).integers(
                -size, size, [draw.choice([1, n]) for n in points[draw.randint(0, 1) :]]
            )
        )
        for size, taken in zip(shape, pattern)
        if taken
    ]
    a, pattern, host = _array(draw, shape), tuple(pattern), draw.choice(HOSTS)
    (found,) = compare("index", a, *indices, pattern=pattern, host=host)
    value = _array(draw, [draw.choice([1, n]) for n in found.shape])
    accumulate = draw.random() < 0.5
    options = {"pattern": pattern, "accumulate": accumulate, "host": host, "tolerance": 1e-5}
    compare("index_put", a, value, *indices, in_place=a.flags.c_contiguous, **options)
