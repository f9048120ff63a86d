"""Numeric ops against PyTorch's results (tests/golden/numeric.json)."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flambeau

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
from numeric_cases import DIFFERENTIATED, FORWARD, inputs  # noqa: E402

TABLE = json.loads((GOLDEN / "numeric.json").read_text())
# one unit in the last place of the halves: PyTorch's kernels differ in where they round
TOLERANCE = {"torch.float16": 1e-3, "torch.bfloat16": 8e-3, "torch.float32": 2e-6}
# PyTorch's own J0, J1, Y0, Y1 are no better than this in float64 (SciPy's agree with flambeau's)
BESSEL = 1e-7


def check(expected: Any, actual: Any, exact: float = 1e-9) -> None:
    if not (expected and isinstance(expected[0], str)):
        assert len(expected) == len(actual)
        for one, other in zip(expected, actual, strict=True):
            check(one, other, exact)
        return
    dtype, values, shape = expected
    assert str(actual.dtype) == dtype
    assert list(actual.shape) == shape
    actual = actual.detach()
    if actual.is_complex():
        actual = flambeau.view_as_real(actual)
    tolerance = TOLERANCE.get(dtype, exact)
    if not actual.is_floating_point():
        assert actual.reshape(-1).tolist() == values
        return
    found = actual.reshape(-1).double().numpy()
    np.testing.assert_allclose(found, np.asarray(values, np.float64), tolerance, tolerance)


@pytest.mark.parametrize("line", FORWARD)
def test_result(line: str) -> None:
    if "ldl" in line:
        pytest.importorskip("scipy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(line, inputs(flambeau))
    check(TABLE[line]["result"], result, BESSEL if ".bessel_" in line else 1e-9)


@pytest.mark.parametrize(("line", "names"), DIFFERENTIATED)
def test_gradient(line: str, names: str) -> None:
    known = inputs(flambeau)
    leaves = [known[name].requires_grad_() for name in names.split()]
    result = eval(line, known)
    check(TABLE[line]["result"], result)
    count = flambeau.arange(result.numel(), dtype=result.dtype)
    weights = flambeau.cos(count).reshape(result.shape)
    grads = flambeau.autograd.grad((result * weights).sum(), leaves)
    check(TABLE[line]["grads"], grads)
