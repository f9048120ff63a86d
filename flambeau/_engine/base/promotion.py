"""PyTorch's type promotion.

A result has the highest category (bool < integer < floating < complex) among the operands;
inside the category, tensors with dimensions outrank 0-dim tensors, which outrank Python numbers.
"""

from __future__ import annotations

from . import defaults, dtypes
from .dtypes import BOOL, COMPLEX, FLOATING, INTEGER, dtype

_UNSIGNED_WIDE = (dtypes.uint16, dtypes.uint32, dtypes.uint64)


def _promote(a: dtype, b: dtype) -> dtype:
    if a is b:
        return a
    low, high = sorted((a, b), key=lambda d: d.category)
    if high.category != FLOATING and (a in _UNSIGNED_WIDE or b in _UNSIGNED_WIDE):
        raise RuntimeError(
            f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{a.word} and {b.word}"
        )
    if low.category != high.category:
        if high.is_complex and low is dtypes.float64:
            return dtypes.complex128
        return high
    if a.category == FLOATING and a.itemsize == b.itemsize:
        return dtypes.float32  # float16 with bfloat16
    if a.category == INTEGER and a.is_signed != b.is_signed:
        signed = a if a.is_signed else b
        return signed if signed.itemsize > 1 else dtypes.int16
    return a if a.itemsize > b.itemsize else b


_TABLE: dict[tuple[dtype, dtype], dtype] = {}


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest dtype that both `a` and `b` convert to without leaving their category.

    >>> promote_types(dtypes.int32, dtypes.float16)
    torch.float16
    """
    found = _TABLE.get((a, b))
    if found is None:
        found = _TABLE[a, b] = _promote(a, b)
    return found


def can_cast(source: dtype, target: dtype) -> bool:
    """Whether an in-place or `out=` result of dtype `source` may be written into `target`."""
    return source.category <= target.category


class Promotion:
    """Accumulates operands by priority and yields PyTorch's result dtype."""

    __slots__ = ("dimensioned", "number", "zero_dim")

    def __init__(self) -> None:
        self.dimensioned: dtype | None = None
        self.zero_dim: dtype | None = None
        self.number: dtype | None = None

    def tensor(self, d: dtype, ndim: int) -> None:
        """Count an operand tensor."""
        if ndim:
            self.dimensioned = d if self.dimensioned is None else promote_types(self.dimensioned, d)
        else:
            self.zero_dim = d if self.zero_dim is None else promote_types(self.zero_dim, d)

    def scalar(self, value: object) -> None:
        """Count a Python number."""
        d = dtypes.of_scalar(value)
        if d is None:
            raise TypeError(f"expected a Tensor or a number, got {type(value).__name__}")
        if d.category == FLOATING:
            d = defaults.get_default_dtype()
        elif d.category == COMPLEX:
            d = defaults.default_complex()
        self.number = d if self.number is None else promote_types(self.number, d)

    def result(self) -> dtype:
        """The dtype that the operands counted so far promote to."""
        first = _outrank(self.dimensioned, self.zero_dim)
        second = _outrank(first, self.number)
        if second is None:
            raise RuntimeError("type promotion needs at least one operand")
        return second


def _outrank(strong: dtype | None, weak: dtype | None) -> dtype | None:
    if strong is None or weak is None:
        return strong or weak
    if weak.category <= strong.category:
        return strong
    if weak.is_complex and strong.is_floating_point:
        return strong.to_complex()  # the weak side lends its category, not its width
    return weak


def computation_dtype(d: dtype) -> dtype:
    """Where PyTorch computes inexactly on `d`: integers and bool become the default dtype."""
    return defaults.get_default_dtype() if d.category in (BOOL, INTEGER) else d
