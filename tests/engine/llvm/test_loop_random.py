"""Random Loop kernels against the NumPy interpreter of plans."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau._engine.loops.kernel import Access, Instruction, Loop, Reduction, Stage

from .native import HOSTS
from .test_loop import compare

UNARY = ["neg", "abs", "relu", "tanh", "sigmoid", "square", "rint"]
BINARY = ["add", "sub", "mul", "maximum", "minimum"]
DTYPES = ["float32", "float64", "int32", "bool", "float16"]


class Draw:
    """Draws a kernel, and the arrays it works on."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.outer = self.sizes(2)
        self.inner = self.sizes(2)
        self.arrays: list[np.ndarray] = []

    def sizes(self, most):
        choices = [1, 2, 3, 5, 8, 17, 33, 64, 100]
        return tuple(int(n) for n in self.random.choice(choices, self.random.integers(0, most + 1)))

    def pick(self, options):
        return options[self.random.integers(len(options))]

    def access(self, dtype, dims, written=False):
        """An access that moves along `dims`, or some of them, in an array of its own."""
        sizes = (*self.outer, *self.inner)
        order = list(self.random.permutation(dims)) if self.random.random() < 0.3 else list(dims)
        strides = [0] * len(sizes)
        step = 1 if written or self.random.random() < 0.8 else 2
        for d in reversed(order):
            if written or self.random.random() < 0.8:
                strides[d] = step
                step *= sizes[d]
        offset = int(self.random.integers(0, 5))
        length = offset + 1 + sum((n - 1) * s for n, s in zip(sizes, strides))
        self.arrays.append((self.random.normal(size=length) * 3).astype(dtype))
        return Access(len(self.arrays) - 1, dtype, tuple(strides), offset)

    def body(self, dims, rows):
        """Some loads, then arithmetic in float32."""
        out: list[Instruction] = []
        values: list[int] = []

        def put(name, operands=(), dtype="float32", detail=None):
            out.append(Instruction(name, operands, dtype, detail))
            return len(out) - 1

        for _ in range(self.random.integers(1, 4)):
            dtype = self.pick(DTYPES)
            place = put("load", (), dtype, self.access(dtype, dims))
            values.append(place if dtype == "float32" else put("convert", (place,)))
        for number in rows:
            values.append(put("row", (), "float32", number))
        if dims and self.random.random() < 0.2:
            place = put("index", (), "int64", int(self.pick(dims)))
            values.append(put("convert", (place,)))
        for _ in range(self.random.integers(1, 4)):
            if self.random.random() < 0.5:
                values.append(put(self.pick(UNARY), (self.pick(values),)))
            else:
                values.append(put(self.pick(BINARY), (self.pick(values), self.pick(values))))
        return tuple(out)

    def kernel(self):
        every = list(range(len(self.outer) + len(self.inner)))
        outside = every[: len(self.outer)]
        stages, rows = [], 0
        for _ in range(self.random.integers(1, 4)):
            body = self.body(every, range(rows))
            reductions, row, row_stores, results = (), (), (), ()
            if self.random.random() < 0.7:
                reductions = (
                    Reduction(self.pick(["sum", "amax", "amin"]), len(body) - 1, "float32"),
                )
                rows += 1
                row = self.body(outside, range(rows))
                row_stores = ((self.access("float32", outside, True), len(row) - 1),)
                results = (len(row) - 1,)
                rows += 1
            stores = ()
            if not reductions or self.random.random() < 0.5:
                stores = ((self.access("float32", every, True), len(body) - 1),)
            stages.append(Stage(body, reductions, stores, row, results, row_stores))
        return Loop(self.outer, self.inner, tuple(stages))


@pytest.mark.parametrize("seed", range(60))
def test_random_kernel(seed):
    draw = Draw(seed)
    kernel = draw.kernel()
    compare(kernel, draw.arrays, host=HOSTS[seed % len(HOSTS)], tolerance=2e-4)
