"""`torch.cuda.amp` and `torch.cpu.amp`: the old names, with PyTorch's warnings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flambeau.amp import autocast_mode
from flambeau.amp.grad_scaler import GradScaler

from .._engine.base.callers import warn_user


def warn(device: str, name: str) -> None:
    """Say which name to use instead."""
    warn_user(
        f"`torch.{device}.amp.{name}(args...)` is deprecated. Please use "
        f"`torch.amp.{name}('{device}', args...)` instead.",
        FutureWarning,
    )


def autocast_for(device: str, fast_dtype: Any) -> type[autocast_mode.autocast]:
    """`autocast` of one device type, `dtype` being its second argument."""

    class autocast(autocast_mode.autocast):
        __doc__ = f"Deprecated: `torch.amp.autocast('{device}', ...)`."

        def __init__(
            self, enabled: bool = True, dtype: Any = fast_dtype, cache_enabled: bool = True
        ) -> None:
            warn(device, "autocast")
            super().__init__(device, dtype, enabled, cache_enabled)

    autocast.__qualname__ = "autocast"
    return autocast


def scaler_for(device: str) -> type[GradScaler]:
    """`GradScaler` of one device type."""

    class OldGradScaler(GradScaler):
        __doc__ = f"Deprecated: `torch.amp.GradScaler('{device}', ...)`."

        def __init__(
            self, init_scale: float = 65536.0, growth_factor: float = 2.0,
            backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
        ) -> None:  # fmt: skip
            warn(device, "GradScaler")
            super().__init__(
                device, init_scale, growth_factor, backoff_factor, growth_interval, enabled
            )

    OldGradScaler.__name__ = OldGradScaler.__qualname__ = "GradScaler"
    return OldGradScaler


def custom_for(device: str, name: str, replacement: Callable[..., Any]) -> Callable[..., Any]:
    """`custom_fwd` or `custom_bwd` of one device type."""

    @functools.wraps(replacement)
    def custom(function: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
        warn_user(
            f"`torch.{device}.amp.{name}(args...)` is deprecated. Please use "
            f"`torch.amp.{name}(args..., device_type='{device}')` instead.",
            FutureWarning,
        )
        return replacement(function, device_type=device, **kwargs)

    return custom
