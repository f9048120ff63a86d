"""Whether flambeau's result is torch's: structure, dtype, shape, values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

import flambeau

from .convert import to_numpy
from .outcome import Mismatch

# (relative, absolute) by dtype. Sums are ordered differently, so single precision is compared
# at a few hundred units in the last place.
TOLERANCES = {
    "float64": (1e-8, 1e-10),
    "complex128": (1e-8, 1e-10),
    "float32": (1e-4, 1e-5),
    "complex64": (1e-4, 1e-5),
    "bfloat16": (1.6e-2, 1e-3),
    "float16": (2e-3, 1e-4),
}


def compare(
    expected: Any, actual: Any, loosen: float = 1.0, values: bool = True, where: str = ""
) -> None:
    """Raise Mismatch unless `actual` (flambeau) is what `expected` (torch) is.

    `loosen` widens the tolerances; with `values=False` only structure, dtype and shape count.
    """
    if isinstance(expected, torch.Tensor):
        _compare_tensor(expected, actual, loosen, values, where)
    elif isinstance(expected, (tuple, list)):
        _compare_sequence(expected, actual, loosen, values, where)
    elif isinstance(expected, dict):
        if not isinstance(actual, dict) or list(expected) != list(actual):
            raise Mismatch(f"{where}keys {list(expected)}, got {list(actual)}")
        for key, value in expected.items():
            compare(value, actual[key], loosen, values, f"{where}[{key!r}] ")
    elif isinstance(expected, (torch.dtype, torch.device, torch.layout)):
        if str(expected) != str(actual):
            raise Mismatch(f"{where}{expected}, got {actual}")
    elif isinstance(expected, (bool, int, float, complex)):
        _compare_number(expected, actual, loosen, values, where)
    elif expected is None or isinstance(expected, str):
        if expected != actual:
            raise Mismatch(f"{where}{expected!r}, got {actual!r}")
    else:
        raise Mismatch(f"{where}cannot compare {type(expected).__name__}")


def _compare_sequence(expected: Any, actual: Any, loosen: float, values: bool, where: str) -> None:
    if not isinstance(actual, (tuple, list)) or len(expected) != len(actual):
        found = len(actual) if isinstance(actual, (tuple, list)) else type(actual).__name__
        raise Mismatch(f"{where}{type(expected).__name__} of {len(expected)}, got {found}")
    # Results with named fields (torch.return_types.*): the names are part of the interface.
    if type(expected).__module__ == "torch.return_types":
        fields = [name for name in dir(type(expected)) if not name.startswith(("_", "n_"))]
        missing = [n for n in fields if n not in dir(tuple) and not hasattr(actual, n)]
        if missing:
            raise Mismatch(f"{where}result has no field {', '.join(missing)}")
    for index, pair in enumerate(zip(expected, actual, strict=True)):
        compare(*pair, loosen, values, f"{where}[{index}] ")


def _compare_number(expected: Any, actual: Any, loosen: float, values: bool, where: str) -> None:
    if type(expected) is not type(actual):
        raise Mismatch(f"{where}{type(expected).__name__}, got {type(actual).__name__}")
    if values and not np.allclose(
        expected, actual, rtol=1e-5 * loosen, atol=1e-6 * loosen, equal_nan=True
    ):
        raise Mismatch(f"{where}{expected!r}, got {actual!r}")


def _compare_tensor(
    expected: torch.Tensor, actual: Any, loosen: float, values: bool, where: str
) -> None:
    if not isinstance(actual, flambeau.Tensor):
        raise Mismatch(f"{where}Tensor, got {type(actual).__name__}")
    if str(expected.dtype) != str(actual.dtype):
        raise Mismatch(f"{where}{expected.dtype}, got {actual.dtype}")
    if tuple(expected.shape) != tuple(actual.shape):
        raise Mismatch(f"{where}shape {tuple(expected.shape)}, got {tuple(actual.shape)}")
    if str(expected.device) != str(actual.device):
        raise Mismatch(f"{where}device {expected.device}, got {actual.device}")
    if values and expected.device.type != "meta":
        compare_arrays(to_numpy(expected), to_numpy(actual), str(expected.dtype), loosen, where)


def compare_arrays(
    expected: np.ndarray, actual: np.ndarray, dtype: str, loosen: float = 1.0, where: str = ""
) -> None:
    """Raise Mismatch unless the arrays are equal within the tolerance of `dtype`."""
    relative, absolute = TOLERANCES.get(dtype.removeprefix("torch."), (0.0, 0.0))
    relative, absolute = relative * loosen, absolute * loosen
    if loosen > 1:
        # A loosened op is one with a condition number: its error scales with the whole result.
        finite = np.abs(expected[np.isfinite(expected)])
        absolute *= max(1.0, float(finite.max(initial=0.0)))
    with np.errstate(all="ignore"):
        if relative:
            same = np.isclose(actual, expected, rtol=relative, atol=absolute, equal_nan=True)
        else:
            same = np.asarray(actual == expected)
    if not np.all(same):
        wrong = np.argwhere(~np.atleast_1d(same))
        first = tuple(int(i) for i in wrong[0])
        a, e = np.atleast_1d(actual)[first], np.atleast_1d(expected)[first]
        raise Mismatch(
            f"{where}{len(wrong)} of {math.prod(np.shape(expected))} elements differ, "
            f"first at {list(first)}: {e!s}, got {a!s} ({dtype.removeprefix('torch.')})"
        )
