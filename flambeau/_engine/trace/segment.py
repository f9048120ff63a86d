"""Segments as a tree of events: what has been recorded, and what may come next.

A path from a root to a node with an ending is a segment. Segments that begin alike share their
beginning, so a branch of the user's program is a branch of the tree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.events import Event
from .pattern import Constant, InputSpec, Mapping, Sequence, key_of
from .pending import Meta
from .play import MISS, play_of

MOST_CHILDREN = 8
PATIENCE = 8  # misses before a place is left alone for a while


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
        metas: of the results that are new, in order.
        changes: of earlier results that the event changes.
        inputs_before, numbers_before, companions_before: how many came before this event.
        play: see `play`; `quick`, the same as a table for native code, and what it needs, `held`.
        dirty: patterns of settled tensors whose memory it writes.
        reads: numbers of the inputs, brought along by earlier events, whose memory it looks at.
        gradients: what it does to leaves, if it is a backward.
        step: the plan of an optimizer's step, if it is one.
        module: the guard of the module that is called, if it is such a call.
        ending: what to run when the segment, or a part of it, is over here.
        random: whether it draws random numbers.
        line: the user's, where it was recorded.
        misses: by op, how often it came next and was none of `children`.
        in_vain: of a root: side exits since a segment came to its end; `pause`, events that
            are left alone now; `returns`, of a loop known by its period, what it begins with.
    """

    __slots__ = (
        "__weakref__", "args", "casting", "changes", "children", "companions_before", "descriptor",
        "dirty", "ending", "final", "grad", "gradients", "held", "in_vain", "inference",
        "inputs_before", "key", "kwargs", "line", "metas", "misses", "module", "numbers_before",
        "parent", "pause", "play", "quick", "random", "reads", "result", "returns", "special",
        "specs", "step",
    )  # fmt: skip

    def __init__(
        self, descriptor: Any, args: Sequence, kwargs: Mapping, specs: dict[int, InputSpec],
        modes: tuple[bool, bool, Any, Any],
    ):  # fmt: skip
        self.descriptor = descriptor
        self.args = args
        self.kwargs = kwargs
        self.specs = specs
        self.grad, self.inference, self.special, self.casting = modes
        self.play: Callable[[tuple, dict, Any], Any] = _never
        self.quick: bytes | None = None
        self.held: list[Any] = []
        self.result: Any = Constant(None, type(None))
        self.metas: dict[int, Meta] = {}
        self.changes: dict[int, Meta] = {}
        self.inputs_before = self.numbers_before = self.companions_before = 0
        self.parent: TraceNode | None = None
        self.dirty: tuple[Any, ...] = ()
        self.gradients: tuple[LeafGradient, ...] = ()
        self.reads: frozenset[int] = frozenset()
        self.step: Any = None
        self.module: Any = None
        self.children: list[TraceNode] = []
        self.ending: Any = None
        self.final = False  # whether the segment is over here
        self.misses: dict[str, int] = {}
        self.in_vain = self.pause = 0
        self.returns: list[int] | None = None
        self.key: tuple = ()
        self.line = ""
        self.random = False

    def finish(self) -> None:
        """All is known of it: make the key that equal events have in common."""
        self.key = (
            self.descriptor.name, key_of(self.args, self.specs), key_of(self.kwargs, self.specs),
            self.grad, self.inference, id(self.special), key_of(self.result, self.specs),
            tuple(sorted((slot, str(meta)) for slot, meta in self.metas.items())),
            tuple(sorted((slot, str(meta)) for slot, meta in self.changes.items())),
            tuple(
                (key_of(g.leaf, self.specs), g.slot, g.held and key_of(g.held, self.specs))
                for g in self.gradients
            ),
            None if self.step is None else self.step.key,
            None if self.module is None else self.module.key,
        )  # fmt: skip

    def modes(self) -> tuple[bool, bool, Any, Any]:
        """Grad mode, inference mode and the others that it was called in."""
        return self.grad, self.inference, self.special, self.casting

    def join(self, parent: TraceNode) -> None:
        """Become a child in the tree."""
        self.parent = parent
        self.play = play_of(self)
        parent.children.append(self)

    def path(self) -> list[TraceNode]:
        """The events from the segment's first one to this one."""
        nodes: list[TraceNode] = []
        node: TraceNode | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    def pause_misses(self) -> None:
        """One more side exit began here; too many, and the place is left alone for a while."""
        self.in_vain += 1
        if self.in_vain > PATIENCE:
            self.pause = min(64 * self.in_vain, 100_000)

    def let_go(self, of_all: bool) -> None:
        """Hold no tensors of a tree's segments, so that a model can die that nobody has any more.

        Args:
            of_all: those too that have run since they were asked the last time.
        """
        nodes = [self]
        while nodes:
            node = nodes.pop()
            nodes += node.children
            if node.ending is not None and (node.ending.rests() or of_all):
                node.ending.let_go()
                for event in node.path():
                    if event.step is not None:
                        event.step.let_go()

    def end_with(self, ending: Any) -> None:
        """A part, or the whole segment, is over here."""
        self.ending = ending
        self.quick = None  # Python sees to the end
        self.final = ending is not None and ending.final

    def child_like(self, node: TraceNode) -> TraceNode | None:
        """The child that stands for the same event as `node`."""
        return next((child for child in self.children if child.key == node.key), None)

    def __repr__(self) -> str:
        return f"<event {self.descriptor.name}>"


def _never(args: tuple, kwargs: dict, run: Any) -> Any:
    return MISS


def root_node() -> TraceNode:
    """The parent of all first events."""
    modes = (True, False, None, None)
    return TraceNode(Event("start"), Sequence(tuple, ()), Mapping(()), {}, modes)
