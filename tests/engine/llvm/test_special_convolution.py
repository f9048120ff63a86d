"""Native convolution and its gradients, against the eager rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.prims.convolution import convolved_size

from .specials import HOSTS, compare

RNG = np.random.default_rng(0)

CASES = [
    # samples, channels, outputs, groups, size, kernel, stride, padding, dilation
    (2, 3, 4, 1, (8, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 1, 16, 1, (13, 12), (5, 5), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (1, 4, 6, 2, (9, 10), (3, 2), (2, 3), ((1, 0), (0, 2)), (1, 2)),
    (3, 4, 4, 4, (7, 7), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    (2, 5, 9, 1, (6, 6), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (2, 5, 9, 1, (6, 7), (1, 1), (2, 2), ((0, 0), (1, 1)), (1, 1)),
    (2, 3, 20, 1, (40,), (5,), (2,), ((3, 1),), (3,)),
    (2, 3, 5, 1, (11,), (4,), (5,), ((0, 0),), (1,)),
    (1, 2, 3, 1, (4, 5, 6), (2, 3, 2), (1, 2, 1), ((1, 1), (0, 0), (1, 0)), (2, 1, 1)),
    (2, 2, 2, 1, (3, 3), (3, 3), (1, 1), ((2, 2), (2, 2)), (1, 1)),
]


def _array(*shape, dtype="float32"):
    return RNG.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("case", CASES)
def test_convolution_and_gradients(case):
    samples, channels, outputs, groups, size, kernel, stride, padding, dilation = case
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    places = convolved_size(size, kernel, stride, padding, dilation)
    for dtype, host in (("float32", HOSTS[0]), ("float64", HOSTS[1])):
        a = _array(samples, channels, *size, dtype=dtype)
        weight = _array(outputs, channels // groups, *kernel, dtype=dtype)
        g = _array(samples, outputs, *places, dtype=dtype)
        options = {**how, "tolerance": 1e-4 if dtype == "float32" else 1e-11, "host": host}
        compare("convolution", a, weight, **options)
        compare("convolution_input_grad", g, weight, size=size, **options)
        compare("convolution_weight_grad", a, g, kernel=kernel, **options)


@pytest.mark.parametrize("case", [2, 8])
def test_strips_of_large_images(case):
    samples, channels, outputs, groups, size, kernel, stride, padding, dilation = CASES[case]
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    size = (size[0] * 3, *size[1:])
    places = convolved_size(size, kernel, stride, padding, dilation)
    a, weight = _array(samples, channels, *size), _array(outputs, channels // groups, *kernel)
    g = _array(samples, outputs, *places)
    for l2 in (1, 4000):
        options = {**how, "tolerance": 1e-4, "host": replace(HOSTS[0], l2=l2)}
        compare("convolution", a, weight, **options)
        compare("convolution_input_grad", g, weight, size=size, **options)
        compare("convolution_weight_grad", a, g, kernel=kernel, **options)
