"""The modes that events ran in, taken again while a side exit does them once more."""

from __future__ import annotations

from typing import Any

from ..autograd.mode import mode, set_casting


class Modes:
    """The modes of the present moment, to come back to.

    Events that ran under autocast run under autocast again, with the casts of their own region:
    what the region that is open now has cast is not known to them.
    """

    def __init__(self) -> None:
        self.grad, self.inference, self.anomaly = mode.grad, mode.inference, mode.anomaly
        self.casting = mode.casting
        self.casts = None if self.casting is None else self.casting.exchange({})
        mode.anomaly = False  # nothing is recorded otherwise

    def take(self, node: Any) -> None:
        """Switch to the modes of a recorded event."""
        mode.grad, mode.inference = node.grad, node.inference
        if mode.casting is not None and node.casting is not mode.casting:
            mode.casting.exchange({})
        set_casting(node.casting)

    def restore(self) -> None:
        """Switch to what was before."""
        if mode.casting is not None:
            found = mode.casting.exchange({})
            if mode.casting is self.casting and self.casts is not None:
                self.casts = found | self.casts
        mode.grad, mode.inference, mode.anomaly = self.grad, self.inference, self.anomaly
        set_casting(self.casting)
        if self.casting is not None:
            self.casting.exchange(self.casts)
