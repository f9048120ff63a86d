"""What a view remembers: its base, and how to make it from the base again.

When memory is written through one alias, the history of every other alias changes too. PyTorch's
answer, followed here: writing through a view rewrites the base's history, and a view whose
memory has a newer version than its history replays its chain of view steps on the base.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .mode import mode
from .tensor import Tensor, storage_of


def replay(steps: tuple, base: Tensor) -> Tensor:
    """The view that `steps` make of a base."""
    from .calls import P

    for name, params, number in steps:
        made = getattr(P, name)(base, **params)
        base = made if number is None else made[number]
    return base


class ViewInfo:
    """Base tensor, the view steps from it, and the version its history belongs to."""

    __slots__ = ("creation", "made_from", "steps", "version")

    def __init__(self, base: Tensor, steps: tuple, version: int, creation: str):
        self.made_from = base
        self.steps = steps
        self.version = version
        # "default", "no_grad" or "several" (one of many views made by one call): the last two
        # may not be written to in grad mode
        self.creation = creation

    @property
    def base(self) -> Tensor:
        """The tensor whose memory this is a view of."""
        root = self.made_from._root
        return self.made_from if root is None else root

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

    def refresh(self, view: Tensor, strict: bool = True) -> None:
        """Bring the view's history up to the version of its memory.

        Raises:
            RuntimeError: if `strict`, where that cannot be: one of several views of one call.
        """
        if self.creation != "default":
            if (
                strict
                and self.creation == "several"
                and self.base._requires_grad
                and (storage_of(view).version != self.version)
            ):
                raise _stale(view)
            # made without a history: a leaf of its own, if its base is to be differentiated
            view._requires_grad = view._requires_grad or self.base._requires_grad
            return
        version = storage_of(view).version
        if version == self.version:
            return
        self.version = version
        base = self.base
        if not base._requires_grad or base._storage is not view._storage:
            return  # nothing to follow, or the base has moved to other memory (`.data = ...`)
        fresh = self._replayed_on(base, view)
        view._grad_fn = fresh._grad_fn
        view._output_index = fresh._output_index
        view._requires_grad = fresh._requires_grad

    def _replayed_on(self, base: Tensor, view: Tensor) -> Tensor:
        """The view made again of its base, with a history.

        Raises:
            RuntimeError: the base has changed its own shape since (`t_`, `resize_` ...).
        """
        before = mode.grad
        mode.grad = True
        try:
            fresh = replay(self.steps, base)
        except (ValueError, IndexError, RuntimeError) as error:
            raise _reshaped(view) from error
        finally:
            mode.grad = before
        if not _same_place(fresh._array, view._array):
            raise _reshaped(view)
        return fresh


def _same_place(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are the same view of the same memory."""
    first, second = a.__array_interface__["data"][0], b.__array_interface__["data"][0]
    return a.size == 0 or (first == second and a.shape == b.shape and a.strides == b.strides)


def _reshaped(view: Tensor) -> RuntimeError:
    return RuntimeError(
        f"a view of shape {list(view._array.shape)} has lost its history: its base was written to "
        "in place, and has changed its own shape in place as well (t_, transpose_, resize_ ...). "
        "Use the out-of-place forms, or make the view after the change."
    )


def _stale(view: Tensor) -> RuntimeError:
    maker = view._grad_fn.name() if view._grad_fn is not None else "a function"
    return RuntimeError(
        f"Output {view._output_index} of {maker} is a view and its base or another view of its "
        "base has been modified inplace. This view is the output of a function that returns "
        "multiple views. Such functions do not allow the output views to be modified inplace. You "
        "should replace the inplace operation by an out-of-place one."
    )
