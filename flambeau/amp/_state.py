"""Autocast's switches: on or off and to which dtype, per device type and thread."""

from __future__ import annotations

import threading
from typing import Any

from flambeau._engine.base import dtypes
from flambeau._engine.base.devices import device

from .._engine.base.callers import warn_user

__all__ = [
    "autocast_decrement_nesting",
    "autocast_increment_nesting",
    "clear_autocast_cache",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "is_autocast_available",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "set_autocast_cache_enabled",
    "set_autocast_cpu_dtype",
    "set_autocast_cpu_enabled",
    "set_autocast_dtype",
    "set_autocast_enabled",
    "set_autocast_gpu_dtype",
]

_DEFAULT_DTYPES = {
    "cpu": dtypes.bfloat16, "cuda": dtypes.float16, "mps": dtypes.float16, "xpu": dtypes.float16,
    "hpu": dtypes.bfloat16, "ipu": dtypes.float16, "xla": dtypes.bfloat16,
    "mtia": dtypes.float16, "privateuseone": dtypes.float16,
}  # fmt: skip


class _Local(threading.local):
    def __init__(self) -> None:
        self.enabled: dict[str, bool] = {}
        self.dtypes = dict(_DEFAULT_DTYPES)
        self.cache_enabled = True
        self.nesting = 0
        self.suspended = False  # inside an op whose arguments have been cast
        self.casts: dict[int, Any] = {}  # id of a leaf -> (leaf, version, its cast)


local = _Local()


def _checked(device_type: str) -> str:
    """A device type that autocast knows.

    Raises:
        ValueError: not a string.
        RuntimeError: unknown, or without autocast.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    kind = device(device_type).type
    if kind not in _DEFAULT_DTYPES:
        raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
    return kind


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows this device type."""
    return device(device_type).type in _DEFAULT_DTYPES


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on for this device type, in this thread."""
    return local.enabled.get(device(device_type).type, False)


def set_autocast_enabled(device_type: str | bool, enabled: bool | None = None) -> None:
    """Turn autocast on or off; `set_autocast_enabled(True)` is about "cuda"."""
    from flambeau.amp import _dispatch

    if isinstance(device_type, bool):
        local.enabled["cuda"] = device_type
    else:
        local.enabled[_checked(device_type)] = bool(enabled)
    _dispatch.refresh()


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The dtype that autocast casts to."""
    return local.dtypes[_checked(device_type)]


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Set the dtype that autocast casts to."""
    from flambeau.amp import _dispatch

    local.dtypes[_checked(device_type)] = dtype
    _dispatch.refresh()


def is_autocast_cache_enabled() -> bool:
    """Whether a parameter is cast once for a whole autocast region."""
    return local.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Say whether a parameter is cast once for a whole autocast region."""
    from flambeau.amp import _dispatch

    local.cache_enabled = bool(enabled)
    _dispatch.refresh()


def clear_autocast_cache() -> None:
    """Forget the parameters cast so far."""
    local.casts.clear()


def autocast_increment_nesting() -> int:
    """Enter a region; returns how many are open."""
    local.nesting += 1
    return local.nesting


def autocast_decrement_nesting() -> int:
    """Leave a region; returns how many are still open."""
    local.nesting -= 1
    return local.nesting


def _deprecated(old: str, new: str) -> None:
    warn_user(
        f"torch.{old} is deprecated. Please use torch.{new} instead.",
        DeprecationWarning,
    )


def is_autocast_cpu_enabled() -> bool:
    """Deprecated: `is_autocast_enabled("cpu")`."""
    _deprecated("is_autocast_cpu_enabled()", "is_autocast_enabled('cpu')")
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Deprecated: `set_autocast_enabled("cpu", enabled)`."""
    _deprecated("set_autocast_cpu_enabled(enabled)", "set_autocast_enabled('cpu', enabled)")
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype() -> dtypes.dtype:
    """Deprecated: `get_autocast_dtype("cpu")`."""
    _deprecated("get_autocast_cpu_dtype()", "get_autocast_dtype('cpu')")
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype: dtypes.dtype) -> None:
    """Deprecated: `set_autocast_dtype("cpu", dtype)`."""
    _deprecated("set_autocast_cpu_dtype(dtype)", "set_autocast_dtype('cpu', dtype)")
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype() -> dtypes.dtype:
    """Deprecated: `get_autocast_dtype("cuda")`."""
    _deprecated("get_autocast_gpu_dtype()", "get_autocast_dtype('cuda')")
    return get_autocast_dtype("cuda")


def set_autocast_gpu_dtype(dtype: dtypes.dtype) -> None:
    """Deprecated: `set_autocast_dtype("cuda", dtype)`."""
    _deprecated("set_autocast_gpu_dtype(dtype)", "set_autocast_dtype('cuda', dtype)")
    set_autocast_dtype("cuda", dtype)
