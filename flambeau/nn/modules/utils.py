"""Small helpers shared by the layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

from flambeau._engine.autograd.tensor import Tensor

__all__ = ["consume_prefix_in_state_dict_if_present"]


def typename(value: Any) -> str:
    """The name error messages use for the type of ``value`` (``torch.FloatTensor``, ``int``)."""
    if isinstance(value, Tensor):
        return value.type()
    kind = value if isinstance(value, type) else type(value)
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "") else f"{module}.{kind.__qualname__}"


def check_pair(owner: str, place: int, pair: Any) -> None:
    """Raise unless element number ``place`` of what updates an ``owner`` is a pair."""
    if not isinstance(pair, Iterable):
        raise TypeError(
            f"{owner} update sequence element #{place} should be Iterable; is "
            + type(pair).__name__
        )
    count = len(pair)  # type: ignore[arg-type]
    if count != 2:
        raise ValueError(
            f"{owner} update sequence element #{place} has length {count}; 2 is required"
        )


def _ntuple(length: int, name: str) -> Callable[[Any], tuple]:
    def parse(value: Any) -> tuple:
        if isinstance(value, Iterable):
            return tuple(value)
        return tuple(repeat(value, length))

    parse.__name__ = name
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(values: Sequence[int], times: int) -> tuple[int, ...]:
    """``(1, 2), 2 -> (2, 2, 1, 1)``: conv padding as ``F.pad`` wants it, last dimension first."""
    return tuple(value for value in reversed(values) for _ in range(times))


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Strip ``prefix`` in place from the keys of ``state_dict`` (and of its metadata).

    >>> state = {"module.weight": 1}
    >>> consume_prefix_in_state_dict_if_present(state, "module.")
    >>> state
    {'weight': 1}
    """
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key[len(prefix) :]] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is None:
        return
    for key in list(metadata):
        # The module that bore the prefix is named without its dot, or is the empty root.
        if key == prefix.rstrip(".") or key == "":
            metadata[""] = metadata.pop(key)
        elif key.startswith(prefix):
            metadata[key[len(prefix) :]] = metadata.pop(key)
