"""Where a segment, or a part of it, is over: the graph of that part, compiled for who is alive.

A segment has one part for each read in its middle, and a last one. A part's program computes what
tensors that are still alive hold, and what later parts need. Which tensors are alive is seen at the
first replay, and not while recording: there the tape holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from ..autograd.tensor import Storage, Tensor, WriteCount, counted, new
from ..eager.views import strided
from ..graph.ir import Graph, Node, Number, Output, Value
from .finish import finish_of
from .memory import (
    HELD_BY_PLACE,
    HELD_IN_LOOP,
    Memory,
    Spot,
    Unrecordable,
    element_strides,
    root_of,
    step_to,
    storage_in_frame,
)
from .pattern import Input
from .pending import is_masked

MOST_RECOMPILATIONS = 4


class Place(NamedTuple):
    """How a tensor's array lies in its memory.

    Attributes:
        memory: the memory's number in the segment.
        source: the input whose memory it is, or None.
        view: (shape, strides in elements, offset in elements), or None for all of it.
        strides: of the memory itself where it is dense but in another order than C.
    """

    memory: int
    source: int | None
    view: tuple[tuple[int, ...], tuple[int, ...], int] | None
    strides: tuple[int, ...] | None = None


class Tape(NamedTuple):
    """A result's history when the segment is over: "none", "closed", "open" or "unknown"."""

    state: str
    label: str = ""


class Ending:
    """A part of a segment: its nodes, its place for every result, and its program.

    Attributes:
        final: the segment is over here.
        places: of the results that are not settled yet, by slot.
        tapes: likewise; `needs`, the leaves that these results depend on.
        updates: (input number, value it holds from now on, number of writes).
    """

    def __init__(self, final: bool, nodes: list[Node], name: str = ""):
        self.final = final
        self.nodes = nodes
        self.name = name
        self.places: dict[int, Place] = {}
        self.tapes: dict[int, Tape] = {}
        self.needs: dict[int, tuple[Any, ...]] = {}
        self.memory_values: dict[int, Value] = {}
        self.generations: dict[int, int] = {}
        self.versions: dict[int, int] = {}  # writes that the memories' counters have seen
        # slots with a counter of their own, and the writes that it has seen (see `data`)
        self.apart: dict[int, int] = {}
        self.updates: list[tuple[int, Value, int]] = []
        self.changed: set[int] = set()  # memories written since the part before
        self.inputs: list[tuple[int, Value]] = []
        # (part, node, output) of an earlier part's value, and the value here
        self.carried: list[tuple[tuple[int, int, int], Value]] = []
        self.kept: list[tuple[int, int]] = []  # (node, output): what later parts need
        self.input_numbers: list[int] = []
        self.place_of_input: dict[int, int] = {}
        # inputs that may be other tensors each time (a batch): not held from one run to the next
        self.passing: frozenset[int] = frozenset()
        # of the other inputs, see `look`, when the tracer's admissions were `seen_at`:
        self.seen_at = -1
        self.arrays: list[Any] = []  # None where a passing one goes
        self.leaves: dict[int, tuple[Any, ...]] = {}  # `needs`, as edges to inputs
        self.roots: frozenset[int] = frozenset()  # what owns their memory
        self.written_roots: frozenset[int] = frozenset()  # of those in `updates`
        self.writes = WriteCount()  # of their storages
        self.vector: Callable[[list[float]], Any] | None = None
        self.numbers = 0
        self.program: Any = None
        self.compiled: frozenset[int] = frozenset()
        self.given: frozenset[int] = frozenset()
        self.output_memories: list[int] = []
        self.kept_at: dict[tuple[int, int], int] = {}
        self.unplaced: list[int] = []
        # slots that autograd knows as views: (pattern of the base, steps from it, creation)
        self.views: dict[int, tuple[Any, tuple, str]] = {}
        self.candidates: tuple[int, ...] = ()  # the slots of `places` that are not late
        self.late: dict[int, int] = {}  # slot -> output that stays in the program until wanted
        self.owed: Sequence[Tensor] = ()  # those results of the last run
        self.written: frozenset[int] = frozenset()  # numbers of the inputs in `updates`
        # what computes a run's end, or says that it cannot (see `finish`), once there is a program
        self.finish: Callable[[Any], bool] | None = None
        self.broken = False
        found = {id(g): g for node in nodes if (g := node.params.get("generator")) is not None}
        self.generators = list(found.values())
        self.compilations = 0
        self.runs = self.runs_before = 0

    def keep(self, node: int, output: int) -> None:
        """A later part needs this value."""
        if (node, output) not in self.kept:
            self.kept.append((node, output))
            self.finish = None  # the program does not give it

    def ready_for(self, alive: list[int]) -> bool:
        """Whether the program gives all that is wanted now."""
        return (
            self.program is not None
            and self.given.issuperset(alive)
            and len(self.kept) == len(self.kept_at)
        )

    def can_settle(self, run: Any, alive: list[int]) -> bool:
        """Whether a program can give all that is held: values, and no history but a used one."""
        if self.unplaced and held_elsewhere(run.slots, self.unplaced):
            return False
        return all(self.settles(run, slot) for slot in alive)

    def settles(self, run: Any, slot: int) -> bool:
        """Whether a result may be handed out: nobody differentiates through it later."""
        if not self.final or self.tapes[slot].state not in ("open", "unknown"):
            return True
        meta = run.slots[slot].__dict__.get("_meta")
        return meta is None or not meta.requires_grad or meta.leaf

    # --- compiling ----------------------------------------------------------------------------

    def compile(self, alive: list[int], compile_graph: Callable[..., Any]) -> None:
        """Make the program for these results (and those of earlier programs)."""
        wanted = (set(alive) | self.compiled) - self.late.keys()
        if self.compilations >= MOST_RECOMPILATIONS:
            wanted |= set(self.places) - self.late.keys()
        memories: list[int] = []
        for slot in sorted(wanted):
            place = self.places[slot]
            if place.source is None and place.memory not in memories:
                memories.append(place.memory)
        values = [self.memory_values[m] for m in memories]
        outputs = [Output(value) for value in values]
        self.kept_at = {}
        for node, output in self.kept:
            self.kept_at[node, output] = len(outputs)
            outputs.append(Output(self.nodes[node].outputs[output], static=True))
        for slot in self.late:
            self.late[slot] = len(outputs)
            outputs.append(Output(self.memory_values[self.places[slot].memory], static=True))
        given = [value for _, value in self.inputs] + [value for _, value in self.carried]
        by_number = dict(self.inputs)
        updates = [(by_number[number], value) for number, value, _ in self.updates]
        graph = Graph(tuple(given), self.numbers, tuple(self.nodes), tuple(outputs), tuple(updates))
        self.program = compile_graph(graph, self.name)
        self.compiled = frozenset(wanted)
        self.given = self.compiled | self.late.keys()
        self.output_memories = memories
        self.finish = None
        self.compilations += 1

    # --- running ------------------------------------------------------------------------------

    def prepare(self, run: Any, compile_graph: Callable[..., Any]) -> bool:
        """Let `finish` serve a run and whoever is alive; False where no program can."""
        alive = held_elsewhere(run.slots, self.candidates)
        if self.broken or not (self.can_settle(run, alive) and self.look(run)):
            return False
        self.hand_over()
        if not self.ready_for(alive):
            self.compile(alive, compile_graph)
        if self.finish is None:
            self.finish = finish_of(self, run)
        return True

    def look(self, run: Any) -> bool:
        """The long look at a run's inputs: remember them, unless writes would meet others."""
        self.seen_at = -1
        inputs, passing = run.inputs, self.passing
        roots = [id(root_of(t.__dict__["_array"])) for t in inputs]
        written = {roots[number] for number in self.written}
        others = (root for number, root in enumerate(roots) if number not in self.written)
        if len(written) != len(self.written) or not written.isdisjoint(others):
            return False
        self.roots = frozenset(r for number, r in enumerate(roots) if number not in passing)
        self.written_roots = frozenset(roots[number] for number in self.written - passing)
        self.arrays = [
            None if n in passing or n in run.snapshots else inputs[n].__dict__["_array"]
            for n in self.input_numbers
        ]
        self.leaves = {
            slot: tuple((inputs[each.number], 0) for each in needed if isinstance(each, Input))
            for slot, needed in self.needs.items()
            if needed
        }
        self._count_writes(inputs)
        self.seen_at = run.tracer.admissions
        return True

    def _count_writes(self, inputs: list[Tensor]) -> None:
        """Let `writes` count for the storages of these inputs, and for no others any more."""
        updates = [
            (counted(storage_in_frame(inputs[number])), writes)
            for number, _, writes in self.updates
            if number not in self.passing
        ]
        if not all(storage.is_counted_by(self.writes) for storage, _ in updates):
            self.writes.closed = True
            self.writes = WriteCount()
            for storage, writes in updates:
                storage.count_by(self.writes, writes)

    def rests(self) -> bool:
        """Whether it has not run since it was asked this the last time."""
        before, self.runs_before = self.runs_before, self.runs
        return before == self.runs

    def let_go(self) -> None:
        """Hold no tensors: the inputs of the next run are looked at as if it were the first."""
        self.hand_over()
        self.seen_at, self.arrays, self.leaves = -1, [], {}

    def hand_over(self) -> None:
        """Before the program runs again: whoever holds late results of the last run gets them."""
        for t in self.owed:
            if getrefcount(t) > HELD_IN_LOOP and is_masked(t):
                run = t.__dict__["_run"]
                if run.closed is self:
                    run.deliver(t)
        self.owed = ()

    def settle(self, run: Any, outputs: list[np.ndarray]) -> None:
        """Note the arrays of this part's memories, for `array_for`."""
        for memory, array in zip(self.output_memories, outputs, strict=False):
            entry = run.settled.get(memory)
            if entry is None:
                run.settled[memory] = [array, None]
            elif memory in self.changed:  # seen from outside since an earlier part
                entry[0][...] = array
                if entry[1] is not None:
                    entry[1].version += 1

    def array_for(self, run: Any, slot: int) -> tuple[np.ndarray, Storage | None]:
        """A result's array, and the storage it shares with others (None: it has its own)."""
        array, storage = self._shared(run, slot)
        if storage is not None and slot in self.apart:
            storage = Storage(storage.array, storage.core)
            storage.version = self.apart[slot]
        return array, storage

    def _shared(self, run: Any, slot: int) -> tuple[np.ndarray, Storage | None]:
        place = self.places[slot]
        if place.source is not None:
            source = run.inputs[place.source]
            base = source.__dict__["_array"]
            storage = storage_in_frame(source)
            array = base if place.view is None else _view(base, place.view)
            return array, storage
        entry = run.settled[place.memory]
        base, storage = entry
        if place.strides is not None:
            laid_out = _laid_out(base, place.strides)
            base = entry[0] = laid_out
        array = base if place.view is None else _view(base, place.view)
        writes = self.versions.get(place.memory, 0)
        seen = place.memory in run.shared or slot in self.apart
        if storage is None and (place.view is not None or writes or seen):
            storage = entry[1] = new(Storage)
            storage.array = base
            if writes:
                storage.version = writes
            if place.memory in run.shared:
                self._share(run, place.memory, storage)
        run.shared.add(place.memory)
        return array, storage

    def _share(self, run: Any, memory: int, storage: Storage) -> None:
        """Those who were given the memory before share its storage too."""
        for part in (*run.parts, self):
            for slot, place in part.places.items():
                frame = run.slots[slot].__dict__
                if place.memory == memory and "_array" in frame:
                    frame.setdefault("_storage", storage)


def held_elsewhere(slots: Sequence[Tensor], candidates: Sequence[int]) -> list[int]:
    """Which results others than the run hold."""
    return [slot for slot in candidates if getrefcount(slots[slot]) > HELD_BY_PLACE]


def _view(base: np.ndarray, view: tuple[tuple[int, ...], tuple[int, ...], int]) -> np.ndarray:
    shape, strides, offset = view
    size = base.itemsize
    return strided(base, shape, [s * size for s in strides], offset * size)


def _laid_out(array: np.ndarray, strides: tuple[int, ...]) -> np.ndarray:
    """The same elements with their dimensions in another order in memory."""
    if element_strides(array) == strides:
        return array
    order = sorted(range(array.ndim), key=lambda d: -strides[d])
    dense = np.ascontiguousarray(array.transpose(order))
    return dense.transpose(np.argsort(order))


def place_of(spot: Spot, number_of: dict[Memory, int]) -> Place | None:
    """Where a result's array lies; None where that cannot be told again."""
    memory, layout = spot
    number = number_of.setdefault(memory, len(number_of))
    if memory.split and memory.source is not None:
        return None
    if layout == memory.layout:
        own = memory.source is None and not layout.contiguous
        return Place(number, memory.source, None, element_strides(layout) if own else None)
    try:
        _, view = step_to(memory, layout)
    except Unrecordable:
        return None
    return Place(number, memory.source, (view["shape"], view["strides"], view["offset"]))


def renumbered(nodes: list[Node], source: list[str]) -> tuple[list[Node], list[str]]:
    """Nodes whose Numbers count only the expressions that these nodes use, and those."""
    used: dict[int, int] = {}

    def renew(x: Any) -> Any:
        if isinstance(x, Number):
            return Number(used.setdefault(x.position, len(used)), x.kind)
        return x

    made = [
        Node(
            node.name, tuple(renew(x) for x in node.inputs),
            {key: renew(x) for key, x in node.params.items()}, node.outputs, node.event,
        )
        for node in nodes
    ]  # fmt: skip
    return made, [source[position] for position in used]
