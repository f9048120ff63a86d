"""What a view remembers: its base, and how to make it from the base again.

When memory is written through one alias, the history of every other alias changes too. PyTorch's
answer, followed here: writing through a view rewrites the base's history, and a view whose
memory has a newer version than its history replays its chain of view steps on the base.
"""

from __future__ import annotations

from typing import Any

from .mode import mode
from .tensor import Tensor, storage_of


class ViewInfo:
    """Base tensor, the view steps from it, and the version its history belongs to."""

    __slots__ = ("base", "creation", "steps", "version")

    def __init__(self, base: Tensor, steps: tuple, version: int, creation: str):
        self.base = base
        self.steps = steps
        self.version = version
        # "default", "no_grad" or "several" (one of many views made by one call): the last two
        # may not be written to in grad mode
        self.creation = creation

    @classmethod
    def of(
        cls, parent: Tensor, name: str, params: dict[str, Any], number: int | None = None
    ) -> ViewInfo:
        """The info of a view made from `parent` by a view primitive.

        `number` is the result's place when the primitive makes several views at once.
        """
        step = (name, params, number)
        version = storage_of(parent).version
        creation = "default" if number is None else "several"
        if not mode.grad:
            creation = "inference" if mode.inference else "no_grad"
        above = parent._view
        if above is None:
            return cls(parent, (step,), version, creation)
        if above.creation != "default":
            creation = above.creation
        return cls(above.base, (*above.steps, step), version, creation)

    def replay(self, base: Tensor) -> Tensor:
        """The same view of another base."""
        from .calls import P

        for name, params, number in self.steps:
            made = getattr(P, name)(base, **params)
            base = made if number is None else made[number]
        return base

    def refresh(self, view: Tensor) -> None:
        """Bring the view's history up to the version of its memory."""
        if self.creation != "default":
            # made without a history: a leaf of its own, if its base is to be differentiated
            view._requires_grad = view._requires_grad or self.base._requires_grad
            return
        version = storage_of(view).version
        if version == self.version:
            return
        self.version = version
        if not self.base._requires_grad:
            return
        before = mode.grad
        mode.grad = True
        try:
            fresh = self.replay(self.base)
        finally:
            mode.grad = before
        view._grad_fn = fresh._grad_fn
        view._output_index = fresh._output_index
        view._requires_grad = fresh._requires_grad
