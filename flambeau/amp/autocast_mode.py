"""`autocast`: run matrix products in a half precision, and what would suffer from it in float32."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import dtypes
from flambeau._engine.base.devices import device
from flambeau.amp import _state
from flambeau.amp._state import is_autocast_available

from .._engine.base.callers import warn_user

__all__ = ["autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

_CPU_DTYPES = (dtypes.bfloat16, dtypes.float16)


class autocast:
    """A region, or a decorated function, in which ops choose their own precision.

    Matrix products, convolutions and attention run in `dtype`; losses, linear algebra and FFTs
    in float32; everything else in the dtypes it is given. Regions nest, and may turn autocast
    off again. Run the forward pass and the loss inside, `backward` outside.

    Args:
        device_type: "cpu"; "cuda" is accepted and, without a GPU, disabled with a warning.
        dtype: bfloat16 or float16; bfloat16 if None.
        enabled: False turns autocast off in the region.
        cache_enabled: whether a parameter is cast once for the whole region.

    Raises:
        ValueError: `device_type` is no string.
        RuntimeError: an unknown device type.

    Example:
        >>> a = flambeau.ones(2, 2)
        >>> with autocast("cpu"):
        ...     (a @ a).dtype
        torch.bfloat16
    """

    def __init__(
        self, device_type: str, dtype: dtypes.dtype | None = None, enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:  # fmt: skip
        self.fast_dtype = _state.get_autocast_dtype(device_type) if dtype is None else dtype
        self.device = device_type
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self._cache_enabled = (
            _state.is_autocast_cache_enabled() if cache_enabled is None else cache_enabled
        )
        self._enabled = enabled
        if enabled:
            self._check_support()
        self._before: list[tuple[bool, dtypes.dtype, bool]] = []

    def _check_support(self) -> None:
        kind = device(self.device).type
        if kind == "cuda":
            warn_user(
                "CUDA is not available or torch_xla is imported. Disabling autocast.",
            )
            self._enabled = False
        elif kind == "cpu" and self.fast_dtype not in _CPU_DTYPES:
            warn_user(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
            )
            self._enabled = False

    def __enter__(self) -> autocast:
        self._before.append((
            _state.is_autocast_enabled(self.device),
            _state.get_autocast_dtype(self.device),
            _state.is_autocast_cache_enabled(),
        ))  # fmt: skip
        _state.set_autocast_enabled(self.device, self._enabled)
        _state.set_autocast_dtype(self.device, self.fast_dtype)
        _state.autocast_increment_nesting()
        _state.set_autocast_cache_enabled(self._cache_enabled)
        return self

    def __exit__(self, *exc: object) -> None:
        if _state.autocast_decrement_nesting() == 0:
            _state.clear_autocast_cache()
        enabled, dtype, cache_enabled = self._before.pop()
        _state.set_autocast_enabled(self.device, enabled)
        _state.set_autocast_dtype(self.device, dtype)
        _state.set_autocast_cache_enabled(cache_enabled)

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isclass(func):
            raise TypeError("autocast decorates functions, not classes")

        @functools.wraps(func)
        def in_autocast(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return in_autocast


def _cast_all(value: Any, device_type: str, dtype: dtypes.dtype) -> Any:
    """`value` with the floating tensors in it, float64 excepted, cast to `dtype`."""
    if isinstance(value, Tensor):
        eligible = (
            value.is_floating_point()
            and value.device.type == device_type
            and value.dtype is not dtypes.float64
        )
        return value.to(dtype) if eligible else value
    if isinstance(value, Mapping):
        return {
            _cast_all(k, device_type, dtype): _cast_all(v, device_type, dtype)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(_cast_all(item, device_type, dtype) for item in value)
    return value


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str,
    cast_inputs: dtypes.dtype | None = None,
) -> Any:  # fmt: skip
    """Decorator of a custom `Function`'s `forward`, for use under autocast.

    Args:
        fwd: the forward; None for use with arguments.
        device_type: whose autocast.
        cast_inputs: cast floating inputs to this dtype and turn autocast off inside; None
            leaves both as they are.

    Raises:
        ValueError: `device_type` is no string.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    function = fwd

    @functools.wraps(function)
    def forward(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        context._dtype = _state.get_autocast_dtype(device_type)
        enabled = _state.is_autocast_enabled(device_type)
        if cast_inputs is None:
            context._fwd_used_autocast = enabled
            return function(*args, **kwargs)
        context._fwd_used_autocast = False
        if not enabled:
            return function(*args, **kwargs)
        with autocast(device_type, enabled=False):
            return function(
                *_cast_all(args, device_type, cast_inputs),
                **_cast_all(kwargs, device_type, cast_inputs),
            )

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """Decorator of a custom `Function`'s `backward`: runs it in the autocast state of `forward`.

    Args:
        bwd: the backward; None for use with arguments.
        device_type: as for `custom_fwd`.

    Raises:
        ValueError: `device_type` is no string.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    function = bwd

    @functools.wraps(function)
    def backward(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        with autocast(device_type, enabled=context._fwd_used_autocast, dtype=context._dtype):
            return function(*args, **kwargs)

    return backward
