"""Process-wide defaults: the dtype that Python floats become."""

from __future__ import annotations

from . import dtypes, state

_default = dtypes.float32


def get_default_dtype() -> dtypes.dtype:
    """The floating dtype that new tensors of Python floats get (float32 at the start)."""
    return _default


def set_default_dtype(d: dtypes.dtype) -> None:
    """Set the floating dtype that new tensors of Python floats get.

    Raises:
        TypeError: `d` is not a floating dtype.
    """
    global _default
    if not isinstance(d, dtypes.dtype):
        raise TypeError(
            "invalid dtype object: only floating-point types are supported as the default type"
        )
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    if d is not _default:
        state.redefine()
    _default = d


def default_complex() -> dtypes.dtype:
    """The complex dtype that matches the default floating dtype."""
    return _default.to_complex()
