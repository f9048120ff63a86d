"""Rebuilding mappings and sequences of user types with new contents."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any


def is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def mapping_like(example: Mapping[Any, Any], contents: dict[Any, Any]) -> Mapping[Any, Any]:
    """A mapping of `example`'s type (extra attributes kept) with `contents`.

    A plain dict where the type cannot be copied or built from a dict.
    """
    try:
        if isinstance(example, MutableMapping):
            clone = copy.copy(example)
            clone.update(contents)
            return clone
        return type(example)(contents)  # type: ignore[call-arg]
    except TypeError:
        return contents


def sequence_like(example: Sequence[Any], contents: list[Any]) -> Sequence[Any]:
    """A sequence of `example`'s type with `contents`; a list where that cannot be built."""
    try:
        if isinstance(example, MutableSequence):
            clone = copy.copy(example)
            for position, value in enumerate(contents):
                clone[position] = value
            return clone
        return type(example)(contents)  # type: ignore[call-arg]
    except TypeError:
        return contents
