"""A version that compares as versions do, and is a string otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def _parts(version: Any) -> tuple[int, ...]:
    """The release numbers of "2.13.0+flambeau" or (2, 13), without zeros at the end."""
    if isinstance(version, (tuple, list)):
        numbers = [int(part) for part in version if str(part).isdigit()]
    else:
        found = re.match(r"\s*v?(\d+(?:\.\d+)*)", str(version))
        if found is None:
            raise ValueError(f"not a version: {version!r}")
        numbers = [int(part) for part in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _comparison(name: str) -> Callable[[Any, Any], bool]:
    def compare(self: Any, other: Any) -> bool:
        try:
            theirs = _parts(other)
        except ValueError:
            return getattr(str, name)(self, other)
        return getattr(_parts(self), name)(theirs)

    compare.__name__ = name
    return compare


class TorchVersion(str):
    """A version string, ordered by its release numbers against strings and tuples.

    >>> TorchVersion("2.13.0+flambeau") >= (2, 1)
    True
    """

    __slots__ = ()
    __lt__ = _comparison("__lt__")
    __le__ = _comparison("__le__")
    __gt__ = _comparison("__gt__")
    __ge__ = _comparison("__ge__")
