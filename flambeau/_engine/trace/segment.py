"""Segments as a tree of events: what has been recorded, and what may come next.

A path from a root to a node with an ending is a segment. Segments that begin alike share their
beginning, so a branch of the user's program is a branch of the tree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .pattern import Constant, InputSpec, Mapping, Sequence, guard, key_of
from .pending import Meta

MOST_CHILDREN = 8


class Event:
    """A kind of thing that happens to tensors, beside public ops (which have a descriptor)."""

    inplace = False

    def __init__(self, name: str, function: Callable[..., Any] | None = None):
        self.name = name
        self.function = function

    def execute(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Do it eagerly."""
        assert self.function is not None
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<event {self.name}>"


READ = Event("read")
STEP = Event("step")


class LeafGradient:
    """What a backward does to one leaf: gives it a gradient, or adds to the one it has.

    Attributes:
        leaf: the pattern of the leaf.
        slot: the new gradient's number, or None where `held` is written in place.
        held: the pattern of the gradient it has already.
    """

    __slots__ = ("held", "leaf", "slot")

    def __init__(self, leaf: Any, slot: int | None, held: Any = None):
        self.leaf = leaf
        self.slot = slot
        self.held = held


class TraceNode:
    """An event of a segment, and the events that have been seen to follow it.

    Attributes:
        descriptor: which op or event.
        args, kwargs: patterns of its arguments; `specs` of the inputs they bring along.
        result: pattern of what it returns.
        metas: of the results that are new.
        dirty: patterns of settled tensors whose memory it writes.
        gradients: what it does to leaves, if it is a backward.
        step: the plan of an optimizer's step, if it is one.
        ending: what to run when the segment, or a part of it, is over here.
        random: whether it draws random numbers.
        misses, hits: how often the next event was none, or one, of `children`.
    """

    __slots__ = (
        "args", "children", "descriptor", "dirty", "ending", "event", "fits", "grad",
        "gradients", "hits", "inference", "key", "kwargs", "metas", "misses", "new_slots",
        "pause", "random", "result", "specs", "step",
    )  # fmt: skip

    def __init__(
        self, descriptor: Any, args: Sequence, kwargs: Mapping, specs: dict[int, InputSpec],
        modes: tuple[bool, bool],
    ):  # fmt: skip
        self.descriptor = descriptor
        self.args = args
        self.kwargs = kwargs
        self.specs = specs
        self.grad, self.inference = modes
        self.fits = guard(args, kwargs, specs)
        self.result: Any = Constant(None, type(None))
        self.metas: dict[int, Meta] = {}
        self.new_slots: tuple[int, ...] = ()
        self.dirty: tuple[Any, ...] = ()
        self.gradients: tuple[LeafGradient, ...] = ()
        self.step: Any = None
        self.children: list[TraceNode] = []
        self.ending: Any = None
        self.misses = self.hits = self.pause = 0
        self.key: tuple = ()
        self.event = 0
        self.random = False

    def finish(self) -> None:
        """All is known of it: make the key that equal events have in common."""
        self.key = (
            self.descriptor.name, key_of(self.args, self.specs), key_of(self.kwargs, self.specs),
            self.grad, self.inference, key_of(self.result, self.specs),
            tuple(sorted((slot, str(meta)) for slot, meta in self.metas.items())),
            tuple(
                (key_of(g.leaf, self.specs), g.slot, g.held and key_of(g.held, self.specs))
                for g in self.gradients
            ),
            None if self.step is None else self.step.key,
        )  # fmt: skip

    def child_like(self, node: TraceNode) -> TraceNode | None:
        """The child that stands for the same event as `node`."""
        return next((child for child in self.children if child.key == node.key), None)

    def __repr__(self) -> str:
        return f"<{self.descriptor.name}, event {self.event}>"


def root_node() -> TraceNode:
    """The parent of all first events."""
    return TraceNode(Event("start"), Sequence(tuple, ()), Mapping(()), {}, (True, False))
