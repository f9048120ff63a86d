"""`make_tensor`: random tensors for tests."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import dtype
from .._ops.arguments import sizes
from .._ops.creation import empty
from .._ops.random import randint
from .._ops.strided import view_as_real

# default ends of the values, by category; high is not included
_ENDS = {dtypes.BOOL: (0, 2), dtypes.INTEGER: (-9, 10), dtypes.FLOATING: (-9, 9),
         dtypes.COMPLEX: (-9, 9)}  # fmt: skip


def make_tensor(
    *shape: Any,
    dtype: dtype,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of uniformly drawn values in [low, high): by default [-9, 9), or [0, 10) for uint8.

    Args:
        noncontiguous: leave gaps in memory between the elements.
        exclude_zero: put the smallest positive number in place of zeros.

    Raises:
        ValueError: the ends are NaN or not in order, or integers are to require grad.
    """
    if requires_grad and dtype.category < dtypes.FLOATING:
        raise ValueError(
            "`requires_grad=True` is not supported for boolean and integral dtypes, but got "
            f"dtype={dtype}"
        )
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"noncontiguous={noncontiguous} and memory_format={memory_format}"
        )
    wanted = sizes("make_tensor", shape)
    gaps = noncontiguous and math.prod(wanted) > 1 and bool(wanted)
    if gaps:  # every other element of twice as many
        wanted = (*wanted[:-1], 2 * wanted[-1])
    first, last = _ends(dtype, low, high)
    if dtype.category <= dtypes.INTEGER:
        made: Any = randint(math.ceil(first), math.ceil(last), wanted, dtype=dtype, device=device)
    else:
        made = empty(wanted, dtype=dtype, device=device)
        (view_as_real(made) if dtype.is_complex else made).uniform_(first, last)
    if gaps:
        made = made[..., 1::2]
    elif memory_format is not None:
        made = made.clone(memory_format=memory_format)
    if exclude_zero:
        made[made == 0] = _smallest(dtype)
    made.requires_grad_(requires_grad)
    return made


def _ends(d: dtype, low: float | None, high: float | None) -> tuple[float, float]:
    """The two ends, inside the range of the dtype."""
    usual = (0, 10) if d is dtypes.uint8 else _ENDS[d.category]
    first = usual[0] if low is None else low
    last = usual[1] if high is None else high
    if first != first or last != last:
        raise ValueError(
            f"`low` and `high` cannot be NaN, but got {low=} and {high=}".replace(
                "=None", f"={usual[1]}"
            )
        )
    integral = d.category <= dtypes.INTEGER
    if first > last or (first == last and integral):
        raise ValueError(f"`low` must be less than `high`, but got {first} >= {last}")
    least, most = _limits(d)
    return max(first, least), min(last, most)


def _limits(d: dtype) -> tuple[float, float]:
    if d.category == dtypes.BOOL:
        return 0, 2
    if d.category == dtypes.INTEGER:
        info = np.iinfo(d.numpy)
        return info.min, min(info.max + 1, 2**63 - 1)
    limits = ml_dtypes.finfo(d.to_real().numpy)
    return float(limits.min), float(limits.max)


def _smallest(d: dtype) -> float:
    if d.category <= dtypes.INTEGER:
        return 1
    return float(ml_dtypes.finfo(d.to_real().numpy).tiny)
