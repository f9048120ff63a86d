"""How a module knows its members: registration and the attribute protocol."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import state
from flambeau.nn.modules import _global_hooks as global_hooks
from flambeau.nn.modules.utils import typename
from flambeau.nn.parameter import Buffer, Parameter

__all__ = ["Registry"]

_MEMBER_TABLES = ("_parameters", "_buffers", "_modules")


def _checked_name(owner: Registry, kind: str, table: str, name: Any) -> None:
    """Raise unless ``name`` may become a ``kind`` of ``owner`` (kept in ``owner.<table>``)."""
    if table not in owner.__dict__:
        raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
    if not isinstance(name, str):
        raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
    if kind != "module" and "." in name:
        raise KeyError(f'{kind} name can\'t contain "."')
    if kind != "module" and name == "":
        raise KeyError(f'{kind} name can\'t be empty string ""')
    if hasattr(owner, name) and name not in owner.__dict__[table]:
        raise KeyError(f"attribute '{name}' already exists")
    if "." in name:
        raise KeyError(f'module name can\'t contain ".", got: {name}')
    if name == "":
        raise KeyError('module name can\'t be empty string ""')


def _announced(hooks: dict, owner: Registry, name: str, value: Any) -> Any:
    """``value`` after the global registration hooks, each of which may replace it."""
    for hook in hooks.values():
        replacement = hook(owner, name, value)
        if replacement is not None:
            value = replacement
    return value


class Registry:
    """The member tables of a module and the attribute rules that fill them."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module's state but is not trained.

        Args:
            name: attribute under which the buffer is reached.
            tensor: the buffer; None reserves the name (and stays out of ``state_dict``).
            persistent: whether ``state_dict`` contains it.

        >>> layer = nn.Module()
        >>> layer.register_buffer("steps", torch.zeros(1))
        """
        _checked_name(self, "buffer", "_buffers", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        tensor = _announced(global_hooks.buffer_registration, self, name, tensor)
        self._about_to_change()
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a trainable tensor under ``name``; None reserves the name."""
        _checked_name(self, "parameter", "_parameters", name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
                f"created explicitly. To express '{name}' as a function of another Tensor, "
                "compute the value in the forward() method."
            )
        param = _announced(global_hooks.parameter_registration, self, name, param)
        self._about_to_change()
        self._parameters[name] = param

    def add_module(self, name: str, module: Any) -> None:
        """Add a child module under ``name``; None reserves the name."""
        if module is not None and not isinstance(module, Registry):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        _checked_name(self, "module", "_modules", name)
        self._about_to_change()
        self._modules[name] = _announced(global_hooks.module_registration, self, name, module)

    def register_module(self, name: str, module: Any) -> None:
        """The same as :meth:`add_module`."""
        self.add_module(name, module)

    def __getattr__(self, name: str) -> Any:
        # Spelled out: this runs for every parameter a forward reads.
        members = self.__dict__
        found = members.get("_parameters")
        if found is not None and name in found:
            return found[name]
        found = members.get("_modules")
        if found is not None and name in found:
            return found[name]
        found = members.get("_buffers")
        if found is not None and name in found:
            return found[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        self._about_to_change()
        if isinstance(value, Tensor | Registry) or self._holds(name):
            self._assign(name, value)
        else:
            object.__setattr__(self, name, value)

    def _about_to_change(self) -> None:
        if "_plan" in self.__dict__:  # a guard of the compiler's remembers this module
            state.module_changed()

    def _holds(self, name: str) -> bool:
        members = self.__dict__
        return "_modules" in members and (
            name in members["_parameters"]
            or name in members["_buffers"]
            or name in members["_modules"]
        )

    def _assign(self, name: str, value: Any) -> None:
        """Set an attribute that is, or was, a member: by the kind of the value and of the name."""
        members = self.__dict__
        if isinstance(value, Parameter):
            self._displace(name, "parameters", "_parameters")
            self.register_parameter(name, value)
        elif name in members.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif isinstance(value, Registry):
            self._displace(name, "module", "_modules")
            members["_modules"][name] = _announced(
                global_hooks.module_registration, self, name, value
            )
        elif name in members.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            members["_modules"][name] = _announced(
                global_hooks.module_registration, self, name, value
            )
        elif isinstance(value, Buffer) or name in members.get("_buffers", ()):
            self._assign_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _displace(self, name: str, kind: str, table: str) -> None:
        """Make room for ``name`` in ``table``: whatever else bore the name goes."""
        members = self.__dict__
        if table not in members:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        members.pop(name, None)
        for other in _MEMBER_TABLES:
            if other != table:
                members[other].pop(name, None)
        members["_non_persistent_buffers_set"].discard(name)

    def _assign_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{typename(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            if name not in self.__dict__.get("_buffers", ()):
                self._displace(name, "buffer", "_buffers")
            self.register_buffer(name, value, value.persistent)
        else:
            persistent = name not in self._non_persistent_buffers_set
            self.register_buffer(name, value, persistent)

    def __delattr__(self, name: str) -> None:
        self._about_to_change()
        for table in _MEMBER_TABLES:
            if name in self.__dict__[table]:
                del self.__dict__[table][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__}
        for table in _MEMBER_TABLES:
            names.update(self.__dict__[table])
        return sorted(name for name in names if not name[:1].isdigit())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # Modules pickled by older versions lack the younger tables.
        for name, make in _TABLES.items():
            self.__dict__.setdefault(name, make())


_TABLES: dict[str, Callable[[], Any]] = {
    "_parameters": dict,
    "_buffers": dict,
    "_non_persistent_buffers_set": set,
    "_backward_pre_hooks": OrderedDict,
    "_backward_hooks": OrderedDict,
    "_is_full_backward_hook": lambda: None,
    "_forward_hooks": OrderedDict,
    "_forward_hooks_with_kwargs": OrderedDict,
    "_forward_hooks_always_called": OrderedDict,
    "_forward_pre_hooks": OrderedDict,
    "_forward_pre_hooks_with_kwargs": OrderedDict,
    "_state_dict_hooks": OrderedDict,
    "_state_dict_pre_hooks": OrderedDict,
    "_load_state_dict_pre_hooks": OrderedDict,
    "_load_state_dict_post_hooks": OrderedDict,
    "_modules": dict,
}


def fresh_tables() -> dict[str, Any]:
    """The private state of a new module: every table, empty."""
    return {"training": True, **{name: make() for name, make in _TABLES.items()}}
