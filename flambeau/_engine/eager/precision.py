"""Half-precision arithmetic: compute in float32, round once, as PyTorch's CPU kernels do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOAT16 = np.dtype(np.float16)
HALVES = (FLOAT16, BFLOAT16)


def is_half(d: np.dtype) -> bool:
    """Whether `d` is float16 or bfloat16."""
    return d in HALVES


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """The rule run in float32 when its first operand is float16 or bfloat16."""

    @wraps(function)
    def wrapped(a: np.ndarray, *rest: Any, **params: Any) -> Any:
        if a.dtype not in HALVES:
            return function(a, *rest, **params)
        half = a.dtype
        wide = [x.astype(np.float32) if _is(x, half) else x for x in (a, *rest)]
        out = function(*wide, **params)
        if isinstance(out, tuple):
            return tuple(o.astype(half) if o.dtype == np.float32 else o for o in out)
        return out.astype(half) if out.dtype == np.float32 else out

    return wrapped


# These take a Python number in full precision beside a half array; all others round it first.
EXACT_BESIDE_NUMBERS = ("mul", "div")


def beside_number(function: Callable[..., Any], a: Any, b: Any, exact: bool) -> Any:
    """A binary rule on an array and a Python float; a half array meets the number in float32.

    NumPy by itself would round the number to float16, and would widen a bfloat16 array for good.
    """
    half = (b if type(a) is float else a).dtype
    if half not in HALVES:
        return function(a, b)
    wide = [
        x.astype(np.float32) if type(x) is not float else x if exact else float(half.type(x))
        for x in (a, b)
    ]
    out = function(*wide)
    return out.astype(half) if out.dtype == np.float32 else out


def _is(x: object, d: np.dtype) -> bool:
    return isinstance(x, np.ndarray) and x.dtype == d
