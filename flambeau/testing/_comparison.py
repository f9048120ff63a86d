"""`assert_close`: comparison of tensors, numbers, and nested containers of them."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import dtype
from .._engine.base.promotion import promote_types
from .._ops.creation import as_tensor

# relative and absolute tolerance; exact for all other dtypes
_TOLERANCES: dict[dtype, tuple[float, float]] = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}
_NUMBERS = (bool, int, float, complex, np.number, np.bool_)


@dataclass(frozen=True)
class _Rules:
    """What counts as close."""

    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool

    def tolerances(self, *kinds: dtype) -> tuple[float, float]:
        """The relative and absolute tolerance for operands of these dtypes."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        pairs = [_TOLERANCES.get(d, (0.0, 0.0)) for d in kinds]
        return max(r for r, _ in pairs), max(a for _, a in pairs)


class _Unequal(Exception):
    """The first difference: what it is, and the keys that lead to it."""

    def __init__(self, kind: type[Exception], text: str, path: tuple = ()):
        super().__init__(text)
        self.kind, self.text, self.path = kind, text, path


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Args:
        actual, expected: tensors, arrays, numbers, None, or sequences and mappings of those.
        rtol, atol: both or none; by default they follow the dtypes, and integers are compared
            exactly.
        equal_nan: NaN equals NaN.
        check_device, check_dtype, check_layout, check_stride: these must be equal too.
        msg: the error's text instead of the generated one, or a function of that.

    Raises:
        AssertionError: they are not close.
        TypeError: two values that have no comparison.
        ValueError: only one tolerance is given.

    >>> assert_close(flambeau.tensor([1.0]), flambeau.tensor([1.0 + 1e-7]))
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(
            f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}."
        )
    rules = _Rules(
        allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout,
        check_stride,
    )  # fmt: skip
    try:
        _compare(actual, expected, rules)
    except _Unequal as found:
        kind, text = found.kind, found.text
        if found.path:
            text += "\n\nThe failure occurred for item " + "".join(f"[{k!r}]" for k in found.path)
        if kind is AssertionError and msg is not None:
            text = msg(text) if callable(msg) else msg
        raise kind(text) from None


def _compare(actual: Any, expected: Any, rules: _Rules) -> None:
    for fits, compare in _COMPARISONS:
        if fits(actual, expected, rules):
            compare(actual, expected, rules)
            return
    raise _Unequal(
        TypeError,
        f"No comparison pair was able to handle inputs of type {type(actual)} and "
        f"{type(expected)}.",
    )


def _inside(key: Any, actual: Any, expected: Any, rules: _Rules) -> None:
    try:
        _compare(actual, expected, rules)
    except _Unequal as found:
        raise _Unequal(found.kind, found.text, (key, *found.path)) from None


def _are_sequences(a: Any, b: Any, rules: _Rules) -> bool:
    return all(isinstance(x, Sequence) and not isinstance(x, (str, bytes)) for x in (a, b))


def _compare_sequences(a: Sequence, b: Sequence, rules: _Rules) -> None:
    if len(a) != len(b):
        raise _Unequal(
            AssertionError, f"The length of the sequences mismatch: {len(a)} != {len(b)}"
        )
    for place, (x, y) in enumerate(zip(a, b, strict=True)):
        _inside(place, x, y, rules)


def _are_mappings(a: Any, b: Any, rules: _Rules) -> bool:
    return isinstance(a, Mapping) and isinstance(b, Mapping)


def _compare_mappings(a: Mapping, b: Mapping, rules: _Rules) -> None:
    missing, extra = b.keys() - a.keys(), a.keys() - b.keys()
    if missing or extra:
        raise _Unequal(
            AssertionError,
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {sorted(missing)}\n"
            f"Additional keys in the actual mapping: {sorted(extra)}",
        )
    for key in sorted(a.keys()) if all(isinstance(k, str) for k in a) else a.keys():
        _inside(key, a[key], b[key], rules)


def _has_none(a: Any, b: Any, rules: _Rules) -> bool:
    return a is None or b is None


def _compare_none(a: Any, b: Any, rules: _Rules) -> None:
    if a is not b:
        raise _Unequal(AssertionError, f"None mismatch: {a} is not {b}")


def _are_bools(a: Any, b: Any, rules: _Rules) -> bool:
    return isinstance(a, (bool, np.bool_)) and isinstance(b, (bool, np.bool_))


def _compare_bools(a: Any, b: Any, rules: _Rules) -> None:
    if bool(a) is not bool(b):
        raise _Unequal(AssertionError, f"Booleans mismatch: {a} is not {b}")


def _are_numbers(a: Any, b: Any, rules: _Rules) -> bool:
    return isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS)


def _compare_numbers(a: Any, b: Any, rules: _Rules) -> None:
    a, b = (x.item() if isinstance(x, np.generic) else x for x in (a, b))
    if rules.check_dtype and type(a) is not type(b):
        raise _Unequal(AssertionError, f"The (d)types do not match: {type(a)} != {type(b)}.")
    kinds = [d for d in (dtypes.of_scalar(a), dtypes.of_scalar(b)) if d is not None]
    _compare_scalars(a, b, rules, *rules.tolerances(*kinds))


def _compare_scalars(a: Any, b: Any, rules: _Rules, rtol: float, atol: float) -> None:
    if a == b or (rules.equal_nan and cmath.isnan(a) and cmath.isnan(b)):
        return
    difference = abs(a - b)
    if cmath.isfinite(difference) and difference <= atol + rtol * abs(b):
        return
    exact = rtol == atol == 0
    relative = difference / abs(b) if b else float("inf")
    raise _Unequal(
        AssertionError,
        f"Scalars are not {'equal' if exact else 'close'}!\n\n"
        f"Expected {b} but got {a}.\n"
        f"Absolute difference: {difference}{_allowed(atol, exact)}\n"
        f"Relative difference: {relative}{_allowed(rtol, exact)}",
    )


def _allowed(tolerance: float, exact: bool) -> str:
    return "" if exact else f" (up to {tolerance} allowed)"


def _are_tensors(a: Any, b: Any, rules: _Rules) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        same = isinstance(a, type(b)) or isinstance(b, type(a))
        return same and (rules.allow_subclasses or type(a) is type(b))
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray)


def _compare_tensors(a: Any, b: Any, rules: _Rules) -> None:
    a, b = as_tensor(a), as_tensor(b)
    _compare_attributes(a, b, rules)
    if not (a.is_cpu and b.is_cpu):
        raise _Unequal(
            AssertionError, f"Comparing tensors on {a.device} and {b.device}: they have no data"
        )
    rtol, atol = rules.tolerances(a.dtype, b.dtype)
    if a._array.shape == ():
        _compare_scalars(a.item(), b.item(), rules, rtol, atol)
        return
    _compare_values(a, b, rules, rtol, atol)


def _compare_attributes(a: Any, b: Any, rules: _Rules) -> None:
    checks = (
        ("shape", a.shape, b.shape, True),
        ("layout", a.layout, b.layout, rules.check_layout),
        ("stride()", a.stride(), b.stride(), rules.check_stride),
        ("device", a.device, b.device, rules.check_device),
        ("dtype", a.dtype, b.dtype, rules.check_dtype),
    )
    for name, x, y, wanted in checks:
        if wanted and x != y:
            raise _Unequal(
                AssertionError, f"The values for attribute '{name}' do not match: {x} != {y}."
            )


def _in_common(t: Any, d: dtype) -> np.ndarray:
    """The elements where differences can be computed: bool and small integers as int64."""
    return t._array.astype(np.int64 if d.category <= dtypes.INTEGER else d.numpy)


def _compare_values(a: Any, b: Any, rules: _Rules, rtol: float, atol: float) -> None:
    d = promote_types(a.dtype, b.dtype)
    x, y = _in_common(a, d), _in_common(b, d)
    with np.errstate(all="ignore"):
        difference = np.abs(x - y)
        size = np.abs(y)
        close = x == y
        if rtol or atol:
            # NaN and infinity are not close to anything
            close |= (difference < np.inf) & (difference <= atol + rtol * size)
        if rules.equal_nan:
            close |= (x != x) & (y != y)
        if close.all():
            return
        narrow = np.float32 if d.category <= dtypes.INTEGER else difference.dtype
        relative = difference.astype(narrow) / size.astype(narrow)
    raise _Unequal(AssertionError, _report(close, difference, relative, rtol, atol))


def _report(
    close: np.ndarray, difference: np.ndarray, relative: np.ndarray, rtol: float, atol: float
) -> str:
    exact = rtol == atol == 0
    wrong, total = int((~close).sum()), close.size
    lines = [
        f"Tensor-likes are not {'equal' if exact else 'close'}!",
        "",
        f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})",
    ]
    for name, found, tolerance in (("absolute", difference, atol), ("relative", relative, rtol)):
        left = np.where(close, found.dtype.type(0), found)
        wide = left.astype(np.float64) if left.dtype.kind == "V" else left
        place = np.unravel_index(int(wide.argmax()), close.shape)
        at = tuple(int(i) for i in place)
        value = wide[place].item()
        allowed = _allowed(tolerance, exact)
        lines.append(f"Greatest {name} difference: {value} at index {at}{allowed}")
    return "\n".join(lines)


_COMPARISONS = (
    (_has_none, _compare_none),
    (_are_bools, _compare_bools),
    (_are_numbers, _compare_numbers),
    (_are_tensors, _compare_tensors),
    (_are_sequences, _compare_sequences),
    (_are_mappings, _compare_mappings),
)
