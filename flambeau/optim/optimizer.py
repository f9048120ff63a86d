"""The base of all optimizers: parameter groups, state, hooks, checkpoints.

An optimizer holds `param_groups` (dicts of parameters and options) and `state` (a dict from
parameter to that parameter's tensors). A subclass gives `step`.
"""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeAlias

from flambeau._engine.autograd.hooks import RemovableHandle
from flambeau._engine.autograd.mode import mode
from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import state
from flambeau.optim import _checkpoint

from .._engine.base.callers import warn_user

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
StateDict: TypeAlias = dict[str, Any]


class _RequiredParameter:
    """The type of `required`."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _RequiredParameter()
"""The default of an option that every parameter group has to give."""

_global_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_post_hooks: OrderedDict[int, Callable] = OrderedDict()

_HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


def _add_hook(table: OrderedDict, hook: Callable, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every `step` of every optimizer.

    A hook may return `(args, kwargs)` to replace them. Returns a handle with `remove()`.
    """
    return _add_hook(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every `step` of every optimizer."""
    return _add_hook(_global_post_hooks, hook)


def _use_grad_for_differentiable(step: Callable[..., Any]) -> Callable[..., Any]:
    """Run a `step` without grad mode, or with it where the optimizer is `differentiable`."""

    @functools.wraps(step)
    def in_grad_mode(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        before = mode.grad
        try:
            mode.grad = self.defaults.get("differentiable", False)
            return step(self, *args, **kwargs)
        finally:
            mode.grad = before

    return in_grad_mode


class Optimizer:
    """Base class of optimizers.

    Args:
        params: an iterable of tensors, of `(name, tensor)` pairs, or of dicts that define
            parameter groups (`{"params": ..., "lr": ...}`).
        defaults: options for groups that do not give their own.

    Raises:
        TypeError: `params` is a tensor, or holds something that is not one.
        ValueError: no parameters, a non-leaf tensor, a parameter in two groups, an option that
            is `required` and missing, or names given for only some parameters.

    Example:
        >>> weight = flambeau.ones(2, requires_grad=True)
        >>> optimizer = flambeau.optim.SGD([{"params": [weight], "lr": 0.5}])
        >>> optimizer.param_groups[0]["lr"]
        0.5
    """

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hook_tables()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {params.type()}"
            )
        self.state: defaultdict[Tensor, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups: list[Any] = list(params)
        if len(groups) == 0:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _make_hook_tables(self) -> None:
        for name in _HOOK_TABLES:
            if name not in self.__dict__:
                setattr(self, name, OrderedDict())
        self._zero_grad_profile_name = f"Optimizer.zero_grad#{type(self).__name__}.zero_grad"
        self._patch_step_function()

    def _patch_step_function(self) -> None:
        # once a class, so that subclasses outside this package get step hooks too
        step = type(self).step
        if not getattr(step, "hooked", None):
            hooked: Any = self.profile_hook_step(step)
            hooked.hooked = True
            type(self).step = hooked  # type: ignore[method-assign]

    @staticmethod
    def profile_hook_step(func: Callable[..., Any]) -> Callable[..., Any]:
        """`func`, a `step` method, with the step hooks called around it."""

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self = args[0]
            before = self._optimizer_step_pre_hooks
            if _global_pre_hooks or before:
                for hook in [*_global_pre_hooks.values(), *before.values()]:
                    replaced = hook(self, args, kwargs)
                    if replaced is None:
                        continue
                    if not (isinstance(replaced, tuple) and len(replaced) == 2):
                        raise RuntimeError(
                            f"{func} must return None or a tuple of (new_args, new_kwargs), "
                            f"but got {replaced}."
                        )
                    args, kwargs = replaced
            result = func(*args, **kwargs)
            after = self._optimizer_step_post_hooks
            if _global_post_hooks or after:
                for hook in [*after.values(), *_global_post_hooks.values()]:
                    hook(self, args, kwargs)
            return result

        return wrapper

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hook_tables()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines += ["", f"Parameter Group {number}"] if number else ["Parameter Group 0"]
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once.

        Args:
            closure: computes the loss again and returns it; optional for most optimizers.
        """
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters.

        Args:
            set_to_none: drop the gradients (`grad = None`, saves memory) instead of filling
                them with zeros.
        """
        if set_to_none and (state.tracer is None or not state.tracer.watching()):
            for group in self.param_groups:
                for param in group["params"]:
                    param._grad = None
            return
        for group in self.param_groups:
            for param in group["params"]:
                grad = param.grad
                if grad is None:
                    continue
                if set_to_none:
                    param.grad = None
                    continue
                if grad.grad_fn is not None:
                    grad.detach_()
                else:
                    grad.requires_grad_(False)
                grad.zero_()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, to fine-tune layers that were frozen, for instance.

        Args:
            param_group: `{"params": tensors, option: value, ...}`; missing options come from
                the optimizer's defaults.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = param_group
        self._list_params(group)
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            group.setdefault(name, default)
        params = group["params"]
        if len(params) != len(set(params)):
            warn_user(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                "information",
            )
        known = {param for other in self.param_groups for param in other["params"]}
        if not known.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")
        if self.param_groups:
            named = "param_names" in group
            if named != ("param_names" in self.param_groups[0]):
                word = "with" if named else "without"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {word} names to the optimizer"
                )
        self.param_groups.append(group)

    def _list_params(self, group: dict[str, Any]) -> None:
        """Turn the group's `params` into a list of tensors, and names into `param_names`."""
        params = group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        params = list(params)
        named = [isinstance(item, tuple) for item in params]
        if any(named):
            if not all(named):
                raise ValueError(
                    "all optimizer params should be with/without names. Some param names are "
                    "missing"
                )
            group["param_names"] = [name for name, _ in params]
            params = [param for _, param in params]
        group["params"] = params
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    f"{type(param).__name__}"
                )
            if not self.defaults.get("differentiable", None) and not (
                param.is_leaf or param.retains_grad
            ):
                raise ValueError("can't optimize a non-leaf Tensor")

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before `step`; it may return new `(args, kwargs)`.

        `args[0]` is the optimizer itself. Returns a handle with `remove()`.
        """
        return _add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after `step`."""
        return _add_hook(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`; first of all hooks with `prepend`."""
        return _add_hook(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; it may return another one."""
        return _add_hook(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before `load_state_dict`; it may return another."""
        return _add_hook(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after `load_state_dict`."""
        return _add_hook(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def state_dict(self) -> StateDict:
        """The optimizer's state, in PyTorch's format.

        Returns:
            `{"state": {index: {...}}, "param_groups": [{..., "params": [index, ...]}]}`, where
            parameters are numbered in the order of the groups. Tensors are not copied.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        packed = _checkpoint.pack(self.param_groups, self.state)
        for hook in self._optimizer_state_dict_post_hooks.values():
            replaced = hook(self, packed)
            if replaced is not None:
                packed = replaced
        return packed

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore what `state_dict` returned, here or in PyTorch.

        Parameters are matched by position. State tensors are cast to their parameter's dtype and
        device (`step` excepted); those that fit already are shared, not copied.

        Raises:
            ValueError: another number of groups, or of parameters in a group.
        """
        state_dict = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = hook(self, state_dict)
            if replaced is not None:
                state_dict = replaced
        saved_groups = deepcopy(state_dict["param_groups"])
        _checkpoint.check_groups(self.param_groups, saved_groups)
        state = _checkpoint.unpack(
            state_dict["state"], saved_groups, self.param_groups,
            self._process_value_according_to_param_policy,
        )  # fmt: skip
        groups = _checkpoint.merge_groups(self.param_groups, saved_groups)
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    @staticmethod
    def _process_value_according_to_param_policy(
        param: Tensor,
        value: Tensor,
        param_id: int,
        param_groups: list[dict[str, Any]],
        key: Any = None,
    ) -> Tensor:
        """One loaded state tensor as it must be beside its parameter."""
        return _checkpoint.fit_tensor(param, value, param_id, param_groups, key)
