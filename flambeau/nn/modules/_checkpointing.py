"""``state_dict`` and ``load_state_dict`` of modules."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flambeau._engine.autograd.hooks import RemovableHandle
from flambeau._engine.autograd.mode import no_grad
from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn.parameter import Parameter, is_lazy

from ..._engine.base.callers import warn_user

__all__ = ["Checkpointing", "IncompatibleKeys"]

EXTRA_STATE_KEY = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict`` could not match: lists of names."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


IncompatibleKeys.__name__ = IncompatibleKeys.__qualname__ = "_IncompatibleKeys"


class Checkpointing:
    """Saving a module's state into a flat dictionary, and reading it back."""

    # Subclasses raise this when the meaning of their state changes.
    _version: int = 1

    def get_extra_state(self) -> Any:
        """Override, with :meth:`set_extra_state`, to store more than tensors in ``state_dict``."""
        raise RuntimeError(f"{type(self).__name__} does not define get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Override to receive from ``load_state_dict`` what ``get_extra_state`` returned."""
        raise RuntimeError(f"{type(self).__name__} does not define set_extra_state")

    def _overrides(self, name: str) -> bool:
        return getattr(type(self), name) is not getattr(Checkpointing, name)

    # Saving

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        """Write the state of this module, without its children, into ``destination``."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                destination[prefix + name] = parameter if keep_vars else parameter.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if self._overrides("get_extra_state"):
            destination[prefix + EXTRA_STATE_KEY] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Return a flat ``OrderedDict`` of all parameters and persistent buffers.

        The tensors share memory with the module and are detached unless ``keep_vars``. Its
        ``_metadata`` attribute holds each module's format version.

        Args:
            destination: dictionary to write into; a new one by default.
            prefix: put before every key.
            keep_vars: give the parameters themselves.

        >>> list(nn.Linear(2, 3).state_dict())
        ['weight', 'bias']
        """
        if args:
            warn_user(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html"
                "#torch.nn.Module.state_dict for details.",
                FutureWarning,
            )
            given = dict(zip(("destination", "prefix", "keep_vars"), args, strict=False))
            destination = given["destination"] if destination is None else destination
            prefix = given.get("prefix", prefix) if prefix == "" else prefix
            keep_vars = given.get("keep_vars", keep_vars) if keep_vars is False else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, local_metadata)
            if getattr(hook, "_from_public_api", False):
                if result is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif result is not None:
                destination = result
        return destination

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Private form of the post-hook: what it returns replaces the dictionary."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was "
                "previously registered via register_state_dict_post_hook"
            )
        return _added(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after ``state_dict``."""
        hook._from_public_api = True  # type: ignore[attr-defined]
        return _added(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict`` reads the module."""
        return _added(self._state_dict_pre_hooks, hook)

    # Loading

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        if with_module:
            hook = functools.partial(hook, self)
        return _added(self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)`` before this module reads its part."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading; it may edit the two lists."""
        return _added(self._load_state_dict_post_hooks, hook)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Read the state of this module, without its children, from ``state_dict``.

        Layers override it to understand older formats. Problems go into the three lists.
        """
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                state_dict, prefix, local_metadata, strict,
                missing_keys, unexpected_keys, error_msgs,
            )  # fmt: skip
        assign = local_metadata.get("assign_to_params_buffers", False)
        own = {
            name: member
            for table in (self._parameters, self._buffers)
            for name, member in table.items()
            if member is not None and name not in self._non_persistent_buffers_set
        }
        for name, member in own.items():
            key = prefix + name
            if key in state_dict:
                _load_member(self, name, member, key, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        extra_key = prefix + EXTRA_STATE_KEY
        if self._overrides("set_extra_state"):
            if extra_key in state_dict:
                self.set_extra_state(state_dict[extra_key])
            elif strict:
                missing_keys.append(extra_key)
        elif strict and extra_key in state_dict:
            unexpected_keys.append(extra_key)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra_key:
                    head, dot, _ = key[len(prefix) :].partition(".")
                    if head not in (self._modules if dot else own):
                        unexpected_keys.append(key)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the tensors of ``state_dict`` into this module and all below it.

        Args:
            state_dict: names to tensors, as :meth:`state_dict` gives them.
            strict: demand that the keys match exactly.
            assign: put the given tensors themselves in place of the module's
                (dtype and device become theirs; ``requires_grad`` stays).

        Returns:
            ``(missing_keys, unexpected_keys)``.

        Raises:
            TypeError: when ``state_dict`` is not a mapping.
            RuntimeError: for keys that do not match (``strict``) and for wrong shapes.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        loaded = OrderedDict(state_dict)
        if metadata is not None:
            loaded._metadata = metadata  # type: ignore[attr-defined]
        lists = (missing, unexpected, errors)
        _load_tree(self, loaded, "", metadata or {}, assign, lists)
        if strict:
            for title, keys in (("Missing", missing), ("Unexpected", unexpected)):
                if keys:
                    names = ", ".join(f'"{key}"' for key in keys)
                    place = 1 if title == "Unexpected" and missing else 0
                    errors.insert(place, f"{title} key(s) in state_dict: {names}. ")
        if errors:
            lines = "\n\t".join([f"{type(self).__name__}:", *errors])
            raise RuntimeError(f"Error(s) in loading state_dict for {lines}")
        return IncompatibleKeys(missing, unexpected)


def _added(table: dict[int, Callable], hook: Callable) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    return handle


def _load_tree(
    module: Any,
    state_dict: dict[str, Any],
    prefix: str,
    metadata: dict[str, Any],
    assign: bool,
    lists: tuple[list[str], list[str], list[str]],
) -> None:
    local_metadata = metadata.get(prefix[:-1], {})
    if assign:
        local_metadata["assign_to_params_buffers"] = assign
    # Always strictly: the caller decides what mismatches mean.
    module._load_from_state_dict(state_dict, prefix, local_metadata, True, *lists)
    for name, child in module._modules.items():
        if child is not None:
            below = f"{prefix}{name}."
            part = {key: value for key, value in state_dict.items() if key.startswith(below)}
            _load_tree(child, part, below, metadata, assign, lists)
    incompatible = IncompatibleKeys(*lists[:2])
    for hook in module._load_state_dict_post_hooks.values():
        if hook(module, incompatible) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected "
                "to return new values, if incompatible_keys need to be modified, it should be "
                "done inplace."
            )


def _load_member(
    module: Any, name: str, member: Tensor, key: str, given: Any, assign: bool, errors: list[str]
) -> None:
    """Load one parameter or buffer; what goes wrong becomes a line in ``errors``."""
    if not isinstance(given, Tensor):
        errors.append(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
            f"object from checkpoint but received {type(given)}"
        )
        return
    lazy = is_lazy(member)
    # Scalars were once saved with one element.
    if not lazy and member.ndim == 0 and given.ndim == 1:
        given = given[0]
    if not lazy and given.shape != member.shape:
        errors.append(
            f"size mismatch for {key}: copying a param with shape {given.shape} from "
            f"checkpoint, the shape in current model is {member.shape}."
        )
        return
    if member.is_meta and not given.is_meta and not assign:
        warn_user(
            f"for {key}: copying from a non-meta parameter in the checkpoint to a meta "
            "parameter in the current model, which is a no-op. (Did you mean to pass "
            "`assign=True` to assign items in the state dictionary to their corresponding key "
            "in the module instead of copying them in place?)",
        )
    try:
        with no_grad():
            if assign:
                setattr(module, name, _adopted(member, given))
            else:
                member.copy_(given)
    except Exception as error:
        errors.append(
            f'While copying the parameter named "{key}", whose dimensions in the model are '
            f"{member.size()} and whose dimensions in the checkpoint are {given.size()}, an "
            f"exception occurred : {error.args}."
        )


def _adopted(member: Tensor, given: Tensor) -> Tensor:
    """``given`` in the role of ``member``."""
    if not isinstance(member, Parameter):
        return given
    if isinstance(given, Parameter):
        return given.requires_grad_(member.requires_grad)
    return Parameter(given, requires_grad=member.requires_grad)
