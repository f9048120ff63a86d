"""Evenly spaced numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import defaults, devices, dtypes
from .._engine.base.callers import warn_user
from .._engine.base.dtypes import dtype
from .arguments import as_dtype_argument, integer
from .creation import finish, into
from .declare import op
from .promote import dtype_of, literal

__all__ = [
    "arange", "linspace", "logspace", "range",
]  # fmt: skip


@op()
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from `start` (0 by default) up to, not including, `end`, `step` apart.

    Raises:
        RuntimeError: step is zero, or points away from `end`.

    >>> flambeau.arange(3)
    tensor([0, 1, 2])
    """
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (start, end, step))
    _check_range_arguments(start, end, step)
    d = as_dtype_argument("arange", dtype)
    if d is None and out is not None:
        d = dtype_of(out)
    if d is None:
        whole = all(isinstance(x, (int, np.integer)) for x in (start, end, step))
        d = dtypes.int64 if whole else defaults.get_default_dtype()
    if d.category == dtypes.INTEGER:
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError("step must be nonzero")
        count = max(0, -((start - end) // step))
    else:
        count = max(0, math.ceil((end - start) / step))
    t = P.arange(start=start, step=step, count=count, dtype=d.numpy)
    if out is not None:
        return into(out, t)
    return finish(t, devices.resolve(device), requires_grad)


@op(out=True)
def range(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`arange` with `end` included, always floating by default; PyTorch advises against it."""
    warn_user(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        UserWarning,
    )
    _check_range_arguments(start, end, step)
    d = as_dtype_argument("range", dtype) or defaults.get_default_dtype()
    count = math.floor((end - start) / step) + 1
    t = P.arange(start=start, step=step, count=count, dtype=d.numpy)
    return finish(t, devices.resolve(device), requires_grad)


def _check_range_arguments(start: Any, end: Any, step: Any) -> None:
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (step > 0 and start > end) or (step < 0 and start < end):
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")


@op(out=True)
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers evenly spaced from `start` to `end`, both included.

    Raises:
        RuntimeError: `steps` is negative.
    """
    return _spaced("linspace", start, end, steps, dtype, device, requires_grad, None)


@op(out=True)
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` powers of `base`, the exponents evenly spaced from `start` to `end`."""
    return _spaced("logspace", start, end, steps, dtype, device, requires_grad, base)


def _bound(x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    if x._array.ndim:
        raise RuntimeError(
            "linspace and logspace only support 0-dimensional start and end tensors, but got a "
            f"tensor with {x._array.ndim} dimension(s)"
        )
    return x.item()  # type: ignore[attr-defined]


def _spaced(
    name: str, start: Any, end: Any, steps: int, d: Any, where: Any, requires_grad: bool, base: Any
) -> Tensor:
    start, end = (_bound(x) for x in (start, end))
    steps = integer(name, "steps", steps)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    d = as_dtype_argument(name, d)
    if d is None:
        inexact = isinstance(start, complex) or isinstance(end, complex)
        d = defaults.default_complex() if inexact else defaults.get_default_dtype()
    if d.category < dtypes.FLOATING:
        start, end = int(start), int(end)
    compute = d.numpy if d.category >= dtypes.FLOATING else np.dtype(np.float64)
    wide = np.dtype(np.float32) if compute.itemsize == 2 else compute
    # symmetric, as PyTorch computes it: from the start up to the middle, from the end after it
    index = np.arange(steps).astype(wide)
    step = wide.type((end - start) / (steps - 1)) if steps > 1 else wide.type(0)
    up, down = wide.type(start) + step * index, wide.type(end) - step * (steps - 1 - index)
    values = np.where(np.arange(steps) < steps // 2 if steps > 1 else True, up, down)
    if base is not None:
        values = np.power(wide.type(base), values)
    return finish(literal(values.astype(d.numpy)), devices.resolve(where), requires_grad)
