"""Calling a module that has hooks, and registering them.

A module without hooks never comes here: ``Module.__call__`` goes straight to ``forward``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau._engine.autograd.hooks import RemovableHandle
from flambeau.nn.modules import _global_hooks as global_hooks
from flambeau.nn.modules._backward_hooks import ModuleBoundary, add_legacy_hooks

from ..._engine.base.callers import warn_user

__all__ = ["Hooks", "call_with_hooks"]


class Hooks:
    """Registration of per-module hooks; each returns a handle with ``remove()``."""

    _forward_hooks: dict[int, Callable]
    _forward_hooks_with_kwargs: dict[int, bool]
    _forward_hooks_always_called: dict[int, bool]
    _forward_pre_hooks: dict[int, Callable]
    _forward_pre_hooks_with_kwargs: dict[int, bool]
    _backward_hooks: dict[int, Callable]
    _backward_pre_hooks: dict[int, Callable]
    _is_full_backward_hook: bool | None

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before forward; its result, if any, replaces ``args``.

        Args:
            hook: with ``with_kwargs`` it is ``hook(module, args, kwargs)`` and returns None or
                ``(args, kwargs)``.
            prepend: fire before the hooks that are already there.

        >>> layer = nn.Identity()
        >>> handle = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
        >>> layer(torch.zeros(1))
        tensor([1.])
        """
        return _register(
            self._forward_pre_hooks, hook, prepend,
            [(self._forward_pre_hooks_with_kwargs, with_kwargs)],
        )  # fmt: skip

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after forward; its result replaces the output.

        Args:
            hook: with ``with_kwargs`` it is ``hook(module, args, kwargs, output)``.
            prepend: fire before the hooks that are already there.
            always_call: fire even when forward raised (with output None).
        """
        return _register(
            self._forward_hooks, hook, prepend,
            [(self._forward_hooks_with_kwargs, with_kwargs),
             (self._forward_hooks_always_called, always_call)],
        )  # fmt: skip

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward; may replace it."""
        return _register(self._backward_pre_hooks, hook, prepend, [])

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` once the input gradients are known.

        Its result, if any, replaces ``grad_input``.
        """
        self._choose_backward_kind(full=True)
        return _register(self._backward_hooks, hook, prepend, [])

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """The old form: sees the gradients of the *last operation* of forward only."""
        self._choose_backward_kind(full=False)
        return _register(self._backward_hooks, hook, False, [])

    def _choose_backward_kind(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        self._is_full_backward_hook = full


def _register(
    table: dict[int, Callable],
    hook: Callable,
    prepend: bool,
    flags: list[tuple[dict[int, bool], bool]],
) -> RemovableHandle:
    handle = RemovableHandle(table, extra=[flagged for flagged, _ in flags])
    table[handle.id] = hook
    for flagged, on in flags:
        if on:
            flagged[handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)  # type: ignore[attr-defined]
    return handle


def call_with_hooks(module: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """``module.forward(*args, **kwargs)`` with every hook that applies around it."""
    called: set[int] = set()
    try:
        args, kwargs = _run_forward_pre_hooks(module, args, kwargs)
        boundary = ModuleBoundary.of(module)
        if boundary is not None:
            args = boundary.enter(args)
        result = module.forward(*args, **kwargs)
        for key, hook, with_kwargs, _ in _forward_hooks(module):
            called.add(key)
            replaced = _call_forward_hook(hook, with_kwargs, module, args, kwargs, result)
            if replaced is not None:
                result = replaced
        if boundary is not None:
            result = boundary.leave(result)
        add_legacy_hooks(module, result)
        return result
    except Exception:
        _run_always_called(module, args, kwargs, called)
        raise


def _run_forward_pre_hooks(module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    hooks = (*global_hooks.forward_pre.items(), *module._forward_pre_hooks.items())
    for key, hook in hooks:
        if key not in module._forward_pre_hooks_with_kwargs:
            answer = hook(module, args)
            if answer is not None:
                args = answer if isinstance(answer, tuple) else (answer,)
            continue
        answer = hook(module, args, kwargs)
        if answer is None:
            continue
        if not (isinstance(answer, tuple) and len(answer) == 2):
            raise RuntimeError(
                "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                f"but got {answer}."
            )
        args, kwargs = answer
    return args, kwargs


def _forward_hooks(module: Any) -> list[tuple[int, Callable, bool, bool]]:
    """``(key, hook, with_kwargs, always_call)`` of the global hooks, then of the module's."""
    found = []
    for hooks, with_kwargs, always in (
        (
            global_hooks.forward,
            global_hooks.forward_with_kwargs,
            global_hooks.forward_always_called,
        ),
        (
            module._forward_hooks,
            module._forward_hooks_with_kwargs,
            module._forward_hooks_always_called,
        ),
    ):
        found += [(key, hook, key in with_kwargs, key in always) for key, hook in hooks.items()]
    return found


def _call_forward_hook(
    hook: Callable, with_kwargs: bool, module: Any, args: tuple, kwargs: dict, result: Any
) -> Any:
    if with_kwargs:
        return hook(module, args, kwargs, result)
    return hook(module, args, result)


def _run_always_called(module: Any, args: tuple, kwargs: dict, called: set[int]) -> None:
    """After an error: fire the ``always_call`` hooks that have not fired, with no output."""
    for key, hook, with_kwargs, always in _forward_hooks(module):
        if not always or key in called:
            continue
        try:
            _call_forward_hook(hook, with_kwargs, module, args, kwargs, None)
        except Exception as error:
            warn_user(
                "module forward hook with ``always_call=True`` raised an exception that was "
                f"silenced as another error was raised in forward: {error}",
            )
