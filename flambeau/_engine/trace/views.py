"""Results that autograd knows as views: of what, so that writes through them are followed later."""

from __future__ import annotations

from typing import Any

from ..autograd.tensor import Tensor
from ..autograd.views import ViewInfo
from .ending import Ending
from .pattern import Input, Result
from .pending import is_masked


def base_of(view: ViewInfo) -> Tensor:
    """A view's base; it may be pending, and is not looked at."""
    root = view.made_from.__dict__.get("_root")
    return view.made_from if root is None else root


def behind(t: Tensor) -> bool:
    """Whether what was written through a view has given its base a history, but not yet itself."""
    frame = t.__dict__
    view = frame.get("_view")
    if view is None or view.creation != "default" or frame.get("_requires_grad", False):
        return False
    base, storage = base_of(view).__dict__, frame.get("_storage")
    return (
        base.get("_requires_grad", False)
        and base.get("_storage") is storage
        and storage is not None
        and storage.version != view.version
    )


def follow_base(t: Tensor, view: ViewInfo) -> None:
    """A view made without a history requires grad where its base does, as whoever asks finds."""
    if view.creation != "default":
        base = base_of(view)
        frame = base.__dict__
        asks = frame["_meta"].requires_grad if is_masked(base) else frame.get("_requires_grad")
        t._requires_grad = t._requires_grad or bool(asks)


def described(recording: Any, view: ViewInfo) -> tuple[Any, tuple, str] | None:
    """The base's pattern, the steps from it and the creation; None where nobody can tell again."""
    base = base_of(view)
    slot = recording.slot_of.get(id(base))
    if slot is not None and recording.slots[slot]() is base:
        return Result(slot), view.steps, view.creation
    for number, known in enumerate(recording.inputs):
        above = known.__dict__.get("_view")
        if known is base:
            return Input(number, False), view.steps, view.creation
        if above is not None and base_of(above) is base:
            count = len(above.steps)
            if view.steps[:count] == above.steps:
                return Input(number, False), view.steps[count:], view.creation
    return None


def placed(recording: Any, slot: int, ending: Ending) -> bool:
    """Whether a result is no view, or one of a tensor that can be settled."""
    if slot not in recording.views:
        return True
    view = recording.views[slot]
    if view is None or isinstance(view[0], Input):
        return view is not None
    return any(view[0].slot in p.places for p in (ending, *(e for _, e in recording.endings)))
