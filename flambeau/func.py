"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.joining import stack
from flambeau.nn.modules.module import Module
from flambeau.nn.utils.stateless import call_with

__all__ = ["functional_call", "stack_module_state"]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with the named tensors in place of its parameters and buffers.

    Args:
        module: it is as before afterwards, whatever happens.
        parameter_and_buffer_dicts: dotted names to tensors, or several such mappings.
        args: positional arguments; one that is not a tuple stands for itself.
        kwargs: keyword arguments.
        tie_weights: a tensor given for one name of a shared parameter stands in for all its names.
        strict: demand that the names are exactly the module's.

    Raises:
        ValueError: for a name in two mappings, or two tensors for one shared parameter.
        RuntimeError: for names that do not fit, with ``strict``.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> functional_call(layer, {"weight": torch.ones(1, 1)}, torch.ones(1))
    tensor([1.])
    """
    return call_with(module, parameter_and_buffer_dicts, args, kwargs, tie_weights, strict)


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """``(parameters, buffers)`` of several models of one class, stacked along a new dimension 0.

    Raises:
        RuntimeError: for no models, or models of different classes or modes.
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    stacked: list[dict[str, Tensor]] = []
    for members in ("named_parameters", "named_buffers"):
        tables = [dict(getattr(model, members)()) for model in models]
        joined = {}
        for name, first in tables[0].items():
            value = stack([table[name].detach() for table in tables])
            joined[name] = value.requires_grad_(first.requires_grad)
        stacked.append(joined)
    return stacked[0], stacked[1]
