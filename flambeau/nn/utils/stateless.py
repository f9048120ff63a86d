"""Calling a module with other parameters than its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn.modules.module import Module

from ..._engine.base.callers import warn_user

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Deprecated place of `flambeau.func.functional_call`."""
    warn_user(
        "This API is deprecated as of PyTorch 2.0 and will be removed in a future version of "
        "PyTorch. Please use torch.func.functional_call instead which is a drop-in replacement "
        "for this API.",
        FutureWarning,
    )
    return call_with(module, parameters_and_buffers, args, kwargs, tie_weights, strict)


def call_with(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """The body of `flambeau.func.functional_call`, which explains it."""
    given = _merged(parameters_and_buffers)
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    own = _members(module)
    if strict:
        _check_names(module, own, given)
    if tie_weights:
        given = _tied(own, given)
    with _swapped(module, own, given):
        return module(*args, **(kwargs or {}))


def _merged(
    mappings: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    if isinstance(mappings, Mapping):
        return dict(mappings)
    if not isinstance(mappings, Sequence) or not all(isinstance(m, Mapping) for m in mappings):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(mappings)}"
        )
    merged: dict[str, Tensor] = {}
    for mapping in mappings:
        for name, value in mapping.items():
            if name in merged:
                raise ValueError(
                    f"['{name}'] appeared in multiple dictionaries; behavior of functional call "
                    "is ambiguous"
                )
            merged[name] = value
    return merged


def _members(module: Module) -> dict[str, Tensor]:
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _check_names(module: Module, own: dict, given: dict) -> None:
    unexpected = [name for name in given if name not in own]
    missing = [name for name in own if name not in given]
    if unexpected or missing:
        lines = [
            f"{title} key(s): {', '.join(repr(name) for name in sorted(names))}."
            for title, names in (("Unexpected", unexpected), ("Missing", missing))
            if names
        ]
        raise RuntimeError(
            f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(lines)
        )


def _tied(own: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """``given`` with each tensor under all names of the parameter it replaces."""
    names: dict[int, list[str]] = {}
    for name, member in own.items():
        names.setdefault(id(member), []).append(name)
    tied = dict(given)
    for group in names.values():
        values = {id(given[name]): given[name] for name in group if name in given}
        if len(values) > 1:
            raise ValueError(
                "functional_call got multiple values for keys "
                f"{sorted(name for name in group if name in given)}, which are tied. Consider "
                "using tie_weights=False"
            )
        for value in values.values():
            tied.update(dict.fromkeys(group, value))
    return tied


@contextmanager
def _swapped(module: Module, own: dict, given: dict[str, Tensor]) -> Iterator[None]:
    """Put the tensors into the member tables for a while."""
    changed: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for path, value in given.items():
            if path not in own:
                continue
            owner_path, _, name = path.rpartition(".")
            owner = module.get_submodule(owner_path)
            own_parameter = name in owner._parameters
            table: dict[str, Any] = owner._parameters if own_parameter else owner._buffers
            changed.append((table, name, table[name]))
            table[name] = value
        yield
    finally:
        for table, name, before in reversed(changed):
            table[name] = before
