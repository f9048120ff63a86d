"""`Module`: the base class of all layers and models.

Its parts live in rooms of their own: `_registry` (members and attributes), `_traversal` (walking
the tree), `_transfer` (dtype, device, mode), `_checkpointing` (state_dict), `_calls` (hooks).
"""

from __future__ import annotations

from typing import Any, Self

from flambeau._engine.base import state
from flambeau.nn.modules._calls import Hooks, call_with_hooks
from flambeau.nn.modules._checkpointing import Checkpointing
from flambeau.nn.modules._global_hooks import (
    backward as _global_backward_hooks,
    backward_pre as _global_backward_pre_hooks,
    forward as _global_forward_hooks,
    forward_pre as _global_forward_pre_hooks,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from flambeau.nn.modules._registry import Registry, fresh_tables
from flambeau.nn.modules._transfer import Transfer
from flambeau.nn.modules._traversal import Traversal

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]


class Module(Registry, Traversal, Transfer, Checkpointing, Hooks):
    """Base class of everything with parameters: a tree of modules with a ``forward``.

    A subclass calls ``super().__init__()``, assigns parameters, buffers and child modules as
    attributes (they register themselves), and defines ``forward``. Calling the module runs
    ``forward`` and the hooks around it.

    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(torch.tensor(2.0))
    ...     def forward(self, input):
    ...         return self.factor * input
    >>> Scale()(torch.ones(2))
    tensor([2., 2.], grad_fn=<MulBackward0>)
    """

    # Classes with several bases set it to have the next class's __init__ called too.
    call_super_init: bool = False
    training: bool
    _is_builtin = False  # whether the class is flambeau's own: no code of the user's runs in it
    _shared_hooks = (  # those of all modules
        _global_forward_hooks,
        _global_forward_pre_hooks,
        _global_backward_hooks,
        _global_backward_pre_hooks,
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_builtin = cls.__module__.startswith("flambeau.nn.modules.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                f"'{next(iter(kwargs))}'"
            )
        if not self.call_super_init and args:
            raise TypeError(
                f"{type(self).__name__}.__init__() takes 1 positional argument but "
                f"{len(args) + 1} were given"
            )
        self.__dict__.update(fresh_tables())
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *input: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        if self._is_builtin and state.tracer is not None:
            return state.tracer.call_module(self, args, kwargs)
        return self._call_forward(*args, **kwargs)

    def _call_forward(self, *args: Any, **kwargs: Any) -> Any:
        """Forward, with the hooks around it."""
        # Read one by one: this test is on the path of every layer of every step.
        if (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or _global_forward_hooks
            or _global_forward_pre_hooks
            or _global_backward_hooks
            or _global_backward_pre_hooks
        ):
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs)

    __call__ = _call_impl
    _wrapped_call_impl = _call_impl

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted for compatibility: steps that repeat are compiled without being asked."""

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What the printed form shows between the parentheses; layers override it."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()
        ]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        body = "\n  ".join(lines + children)
        return f"{self._get_name()}(\n  {body}\n)"

    def _replicate_for_data_parallel(self) -> Self:
        """A shallow copy whose member tables can be filled anew."""
        replica = self.__new__(type(self))
        replica.__dict__ = self.__dict__.copy()
        replica.__dict__["_parameters"] = {}
        replica._buffers = replica._buffers.copy()
        replica._modules = replica._modules.copy()
        return replica


def _indented(text: str) -> str:
    """``text`` with every line after the first moved right by two."""
    return text.replace("\n", "\n  ")
