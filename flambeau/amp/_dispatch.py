"""Autocast at the one dispatch point: casts the arguments of the ops that `_policies` names."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from flambeau._engine.autograd.mode import is_grad_enabled, mode, set_casting
from flambeau._engine.autograd.tensor import Tensor, version_of
from flambeau._engine.base import dtypes, state
from flambeau._engine.base.promotion import promote_types
from flambeau._ops.declare import OpDescriptor
from flambeau.amp._policies import FULL, GIVEN, LOWER, POLICIES
from flambeau.amp._state import local

_lock = threading.Lock()
_threads: set[int] = set()  # those with autocast on
_next_hook: Callable[..., Any] | None = None  # who had the dispatch point before


class Casting:
    """What autocast does in a thread: the same object for the same settings.

    Attributes:
        target: the dtype that it casts to.
        cache_enabled: whether a parameter is cast once for a whole region.
    """

    __slots__ = ("cache_enabled", "target")

    def __init__(self, target: dtypes.dtype, cache_enabled: bool) -> None:
        self.target = target
        self.cache_enabled = cache_enabled

    @staticmethod
    def hook(descriptor: OpDescriptor, args: tuple, kwargs: dict) -> Any:
        """What has the dispatch point."""
        return _on_op(descriptor, args, kwargs)

    @staticmethod
    def exchange(casts: dict[int, Any]) -> dict[int, Any]:
        """Let `casts` be the casts of this region; returns those that were."""
        before, local.casts = local.casts, casts
        return before

    def __repr__(self) -> str:
        return f"<autocast to {self.target}>"


_casting = functools.cache(Casting)


def refresh() -> None:
    """Take or give back the dispatch point, after this thread's switch has moved."""
    global _next_hook
    _announce()
    me = threading.get_ident()
    with _lock:
        before = bool(_threads)
        (_threads.add if local.enabled.get("cpu") else _threads.discard)(me)
        if bool(_threads) == before:
            return
        if _threads:
            _next_hook, state.on_op = state.on_op, _on_op
        elif state.on_op is _on_op:
            state.on_op, _next_hook = _next_hook, None


def _announce() -> None:
    on = local.enabled.get("cpu") and not local.suspended
    set_casting(_casting(local.dtypes["cpu"], local.cache_enabled) if on else None)


def _on_op(descriptor: OpDescriptor, args: tuple, kwargs: dict) -> Any:
    policy = POLICIES.get(descriptor.name)
    casting = mode.casting
    if policy is None or casting is None:
        return _go_on(descriptor, args, kwargs)
    if policy != GIVEN:
        target = _target(policy, casting.target, args, kwargs)
        args = tuple(_cast(value, target) for value in args)
        kwargs = {name: _cast(value, target) for name, value in kwargs.items()}
    local.suspended = True
    set_casting(None)
    try:
        return _go_on(descriptor, args, kwargs)
    finally:
        local.suspended = False
        set_casting(casting)


def _go_on(descriptor: OpDescriptor, args: tuple, kwargs: dict) -> Any:
    if _next_hook is not None:
        return _next_hook(descriptor, args, kwargs)
    return descriptor.execute(args, kwargs)


def _target(policy: str, lower: dtypes.dtype, args: tuple, kwargs: dict) -> dtypes.dtype:
    if policy == LOWER:
        return lower
    if policy == FULL:
        return dtypes.float32
    widest = lower
    for value in _tensors((args, *kwargs.values())):
        if value.is_floating_point():
            widest = promote_types(widest, value.dtype)
    return widest


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _cast(value: Any, target: dtypes.dtype) -> Any:
    """`value`, with the floating tensors in it cast; float64 stays, as in PyTorch."""
    if isinstance(value, Tensor):
        found = value.dtype
        if found is target or not found.is_floating_point or found is dtypes.float64:
            return value
        if value.device.type != "cpu":
            return value
        return _cast_tensor(value, target)
    if type(value) in (list, tuple):
        return type(value)(_cast(item, target) for item in value)
    return value


def _cast_tensor(tensor: Tensor, target: dtypes.dtype) -> Tensor:
    """A cast, made once a region for a parameter that wants gradients."""
    if not (
        mode.casting.cache_enabled
        and target is mode.casting.target
        and tensor.requires_grad
        and tensor.is_leaf
        and tensor.dtype is dtypes.float32
        and is_grad_enabled()  # a cast made without grad mode has no history to share
    ):
        return tensor.to(target)
    version = version_of(tensor)
    known = local.casts.get(id(tensor))
    if known is not None and known[1] == version and known[2].dtype is target:
        return known[2]
    cast = tensor.to(target)
    local.casts[id(tensor)] = (tensor, version, cast)
    return cast
