"""Handles that take a hook off again."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

_numbers = itertools.count()


class RemovableHandle:
    """Returned by every `register_*hook`; `remove()` takes the hook off.

    Works as a context manager too. `extra` dictionaries lose the same key; `on_remove` is called
    before.
    """

    def __init__(
        self,
        hooks: dict,
        hook: Callable[..., Any] | None = None,
        *,
        extra: Any = (),
        on_remove: Callable[[], None] | None = None,
    ):
        self.hooks_ref = weakref.ref(hooks) if hasattr(hooks, "__weakref__") else (lambda: hooks)
        self.extra = extra if isinstance(extra, (tuple, list)) else (extra,)
        self.on_remove = on_remove
        self.id = next(_numbers)
        if hook is not None:
            hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook off; a second call does nothing."""
        if self.on_remove is not None:
            self.on_remove()
        hooks = self.hooks_ref()
        if hooks is not None:
            hooks.pop(self.id, None)
        for other in self.extra:
            other.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()
