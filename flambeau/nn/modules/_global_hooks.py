"""Hooks that fire for every module of the process (``register_module_*``)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from flambeau._engine.autograd.hooks import RemovableHandle

__all__ = [
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

buffer_registration: dict[int, Callable] = OrderedDict()
module_registration: dict[int, Callable] = OrderedDict()
parameter_registration: dict[int, Callable] = OrderedDict()
forward_pre: dict[int, Callable] = OrderedDict()
forward: dict[int, Callable] = OrderedDict()
forward_with_kwargs: dict[int, bool] = OrderedDict()
forward_always_called: dict[int, bool] = OrderedDict()
backward_pre: dict[int, Callable] = OrderedDict()
backward: dict[int, Callable] = OrderedDict()

# One process-wide kind of backward hook at a time: None until the first is registered.
backward_is_full: bool | None = None


def _add(table: dict[int, Callable], hook: Callable) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    return handle


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` at each ``register_buffer``; a result replaces it."""
    return _add(buffer_registration, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` at each ``add_module``; a result replaces it."""
    return _add(module_registration, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, param)`` at each ``register_parameter``; a result replaces it."""
    return _add(parameter_registration, hook)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of every module."""
    return _add(forward_pre, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of every module.

    Args:
        hook: its result, if not None, replaces the output.
        with_kwargs: call ``hook(module, args, kwargs, output)`` instead.
        always_call: call it even when forward raised.
    """
    handle = RemovableHandle(forward, extra=[forward_with_kwargs, forward_always_called])
    forward[handle.id] = hook
    if with_kwargs:
        forward_with_kwargs[handle.id] = True
    if always_call:
        forward_always_called[handle.id] = True
    return handle


def _choose_backward_kind(full: bool) -> None:
    global backward_is_full
    if backward_is_full is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a "
            "global Module hook. Please use only one of them."
        )
    backward_is_full = full


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call the old-style ``hook(module, grad_input, grad_output)`` for every module."""
    _choose_backward_kind(full=False)
    return _add(backward, hook)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` before the backward of every module."""
    return _add(backward_pre, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` after the backward of every module."""
    _choose_backward_kind(full=True)
    return _add(backward, hook)
