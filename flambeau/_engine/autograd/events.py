"""Events beside public ops: what else happens to tensors and belongs into a recorded segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base import state


class Event:
    """A kind of thing that happens to tensors, beside public ops (which have a descriptor).

    Attributes:
        brings: whether it may bring along what is no tensor, another object each time: the context
            of a custom function, or hooks.
    """

    inplace = False

    def __init__(
        self, name: str, function: Callable[..., Any] | None = None, *, brings: bool = False
    ):
        self.name = name
        self.function = function
        self.brings = brings

    def execute(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Do it eagerly."""
        assert self.function is not None
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<event {self.name}>"


def watched() -> bool:
    """Whether this thread has a segment open, in which an event would be noted."""
    return state.tracer is not None and state.tracer.watching()


def happen(event: Event, *args: Any) -> Any:
    """Let an event happen; a segment that is open hears of it."""
    if watched():
        return state.tracer.on_op(event, args, {})
    return event.execute(args, {})


__all__ = ["Event", "happen", "watched"]
