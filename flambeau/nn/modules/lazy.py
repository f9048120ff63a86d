"""Lazy modules: parameters whose shape the first input decides."""

from __future__ import annotations

import itertools
from typing import Any

from flambeau._engine.autograd.mode import no_grad
from flambeau.nn.parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Mixed into a module that creates its parameters at the first call.

    The subclass makes `UninitializedParameter` s in ``__init__`` and gives them shapes in
    ``initialize_parameters(*args, **kwargs)``, which sees the arguments of the first forward.
    After that call the module becomes an instance of ``cls_to_become``.

    >>> layer = nn.LazyLinear(3)
    >>> layer(torch.zeros(1, 5)).shape, layer.in_features, type(layer).__name__
    (torch.Size([1, 3]), 5, 'Linear')
    """

    cls_to_become: type | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Ids rather than handles: they stay true in deep copies and pickles.
        load = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        initialize = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)
        self._lazy_hook_ids = (load.id, initialize.id)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give every uninitialized parameter its shape and values; subclasses define it."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this module (not of its children) has no shape yet."""
        return any(
            is_lazy(member)
            for member in itertools.chain(self._parameters.values(), self._buffers.values())
        )

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        """As in `Module`, but tensors without a shape are put in as they are."""
        own = {
            name: member
            for name, member in itertools.chain(self._parameters.items(), self._buffers.items())
            if member is not None and name not in self._non_persistent_buffers_set
        }
        for name, member in own.items():
            kept = keep_vars or is_lazy(member)
            destination[prefix + name] = member if kept else member.detach()

    def _lazy_load_hook(self, state_dict: dict, prefix: str, *rest: Any) -> None:
        """Take over the shapes of a checkpoint before its values are copied."""
        for table in (self._parameters, self._buffers):
            for name, member in table.items():
                given = state_dict.get(prefix + name)
                if given is not None and is_lazy(member) and not is_lazy(given):
                    with no_grad():
                        member.materialize(given.shape)

    def _infer_parameters(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        load, initialize = module._lazy_hook_ids
        module._load_state_dict_pre_hooks.pop(load, None)
        module._forward_pre_hooks.pop(initialize, None)
        module._forward_pre_hooks_with_kwargs.pop(initialize, None)
        del module._lazy_hook_ids
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self) -> Any:
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. Run a dummy "
            "forward pass to correctly initialize the modules"
        )
