"""Settings of libraries that flambeau does not use: accepted, remembered, without effect."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


def flags_of(module_name: str, **defaults: Any) -> Callable[..., AbstractContextManager[None]]:
    """A module's `flags(...)`: a region with other settings, its arguments by default."""
    module = sys.modules[module_name]

    @contextmanager
    def flags(**settings: Any) -> Iterator[None]:
        """Other settings for a region."""
        unknown = settings.keys() - defaults.keys()
        if unknown:
            raise TypeError(f"flags() got an unexpected keyword argument '{min(unknown)}'")
        before = {name: getattr(module, name) for name in defaults}
        vars(module).update({**defaults, **settings})
        try:
            yield
        finally:
            vars(module).update(before)

    return flags
