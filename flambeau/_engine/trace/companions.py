"""What goes along with a recording's events beside tensors: contexts, hooks, questions.

Between two stretches of a backward the engine asks Python of the user's (`autograd.callbacks`). A
recording notes the stretches as events; what they ask for is called at each replay too, with
pending tensors, and its own ops are events like all others.
"""

from __future__ import annotations

from typing import Any

from ..autograd.callbacks import AccumulationHooks, Asked, GradientHooks, RetainedGradient
from ..autograd.function import FunctionContext
from .memory import Unrecordable
from .pattern import Asking, Companion, HooksOf, Input

KINDS = (FunctionContext, GradientHooks, RetainedGradient, Asked)


class Companions:
    """Those that a recording has met.

    Attributes:
        waiting: questions that have not been answered to the end.
        welcome: whether the present event may bring along new ones.
    """

    def __init__(self) -> None:
        self.known: list[Any] = []
        self.waiting = 0
        self.welcome = False

    def __len__(self) -> int:
        return len(self.known)

    def number(self, x: Any) -> int | None:
        """Which one an object is. A question is known by the engine that waits behind it."""
        found = _lasting(x)
        for number in range(len(self.known) - 1, -1, -1):  # the engine's latest question
            if self.known[number] is found:
                return number
        return None

    def add(self, x: Any) -> int:
        """Meet one more; its number."""
        self.known.append(_lasting(x))
        return len(self.known) - 1

    def pattern(self, x: Any) -> Companion:
        """The pattern of an argument.

        Raises:
            Unrecordable: it belongs to a call or a backward that began before the segment.
        """
        number = self.number(x)
        if number is not None:
            return Companion(number, type(x), False)
        if not self.welcome:
            what = "a backward" if isinstance(x, Asked) else "a call of a custom function"
            raise Unrecordable(f"{what} that began before the segment")
        return Companion(self.add(x), type(x), True)

    def asking(self, recording: Any, asked: Asked, given: tuple[Any, ...]) -> Asking:
        """The pattern of a question, about tensors whose patterns are `given`.

        Raises:
            Unrecordable: nobody could tell again who is asked.
        """
        owner = self._owner(recording, asked.owner)
        return Asking(self.add(asked), owner, given, asked.grad_mode)

    def _owner(self, recording: Any, owner: Any) -> Any:
        number = self.number(owner)
        if number is not None:
            return Companion(number, type(owner), False)
        attribute = "_post_accumulate_hooks" if type(owner) is AccumulationHooks else "_hooks"
        for position, t in enumerate(recording.inputs):
            if t.__dict__.get(attribute) is owner:
                return HooksOf(Input(position, False), attribute)
        raise Unrecordable("hooks of a node of the tape, or of a tensor from before the segment")


def _lasting(x: Any) -> Any:
    return x.steps if isinstance(x, Asked) else x
