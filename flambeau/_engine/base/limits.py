"""`finfo` and `iinfo`: what a dtype can hold."""

from __future__ import annotations

from typing import Any

import ml_dtypes

from . import defaults
from .dtypes import FLOATING, INTEGER, dtype


def _checked(owner: str, type: Any) -> dtype:
    if not isinstance(type, dtype):
        raise TypeError(
            f"{owner}(): argument 'type' (position 1) must be torch.dtype, not "
            f"{type.__class__.__name__}"
        )
    return type


class finfo:
    """Limits of a floating dtype; of its real part, if it is complex.

    Attributes:
        bits: the width of a number.
        eps: the distance from 1 to the next number.
        max, min: the largest and the most negative number.
        tiny, smallest_normal: the smallest positive number of full precision.
        resolution: 10^-(decimal digits that are always exact).
        dtype: the dtype's name.

    Raises:
        TypeError: not a floating dtype.

    Example:
        >>> finfo(flambeau.bfloat16).eps
        0.0078125
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, type: dtype | None = None) -> None:
        kind = defaults.get_default_dtype() if type is None else _checked("finfo", type)
        if kind.is_complex:
            kind = kind.to_real()
        if kind.category != FLOATING:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                "'torch.finfo'"
            )
        limits = ml_dtypes.finfo(kind.numpy)
        self.bits = 8 * kind.itemsize
        self.eps = float(limits.eps)
        self.max = float(limits.max)
        self.min = float(limits.min)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = 10.0 ** -int(limits.precision)
        self.dtype = kind.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype.

    Attributes:
        bits: the width of a number.
        max, min: the largest and the smallest number.
        dtype: the dtype's name.

    Raises:
        TypeError: not an integer dtype.

    Example:
        >>> iinfo(flambeau.int8).max
        127
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, type: dtype) -> None:
        kind = _checked("iinfo", type)
        if kind.name == "bool":
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if kind.category != INTEGER:
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle "
                "'torch.iinfo'"
            )
        self.bits = 8 * kind.itemsize
        self.min = -(1 << (self.bits - 1)) if kind.is_signed else 0
        self.max = self.min + (1 << self.bits) - 1
        self.dtype = kind.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
