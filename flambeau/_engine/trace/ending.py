"""Where a segment, or a part of it, is over: the graph of that part, compiled for who is alive.

A segment has one part for each read in its middle, and a last one. A part's program computes what
tensors that are still alive hold, and what later parts need. Which tensors are alive is seen at the
first replay, and not while recording: there the tape holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..autograd.tensor import Storage, Tensor, new
from ..eager.views import strided
from ..graph.ir import Graph, Node, Number, Output, Value
from .memory import element_strides
from .recorder import Recorder

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
        tapes: likewise.
        updates: (input number, value it holds from now on, number of writes).
    """

    def __init__(self, final: bool, nodes: list[Node], name: str = ""):
        self.final = final
        self.nodes = nodes
        self.name = name
        self.places: dict[int, Place] = {}
        self.tapes: dict[int, Tape] = {}
        self.memory_values: dict[int, Value] = {}
        self.generations: dict[int, int] = {}
        self.updates: list[tuple[int, Value, int]] = []
        self.changed: set[int] = set()  # memories written since the part before
        self.inputs: list[tuple[int, Value]] = []
        # (part, node, output) of an earlier part's value, and the value here
        self.carried: list[tuple[tuple[int, int, int], Value]] = []
        self.kept: list[tuple[int, int]] = []  # (node, output): what later parts need
        self.input_numbers: list[int] = []
        self.place_of_input: dict[int, int] = {}
        self.arrays_at = self.roots_at = -1  # the tracer's admissions when these were right
        self.arrays: list[Any] | None = None
        # inputs that may be other tensors each time (a batch): not held from one run to the next
        self.passing: frozenset[int] = frozenset()
        self.passing_updates: tuple[tuple[int, int], ...] = ()  # of `updates`: (number, writes)
        self.frames: list[tuple[dict[str, Any], int]] | None = None
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
        self.alive: list[int] | None = None  # who was held at the last run, if all went well
        self.owed: Sequence[Tensor] = ()  # those results of the last run
        self.written: frozenset[int] = frozenset()  # numbers of the inputs in `updates`
        self.roots: frozenset[int] = frozenset()  # what owned their memory at the last long look
        self.broken = False
        found = {id(g): g for node in nodes if (g := node.params.get("generator")) is not None}
        self.generators = list(found.values())
        self.compilations = 0
        self.runs = 0

    def keep(self, node: int, output: int) -> None:
        """A later part needs this value."""
        if (node, output) not in self.kept:
            self.kept.append((node, output))

    def ready_for(self, alive: list[int]) -> bool:
        """Whether the program gives all that is wanted now."""
        return (
            self.program is not None
            and self.given.issuperset(alive)
            and len(self.kept) == len(self.kept_at)
        )

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
        self.compilations += 1

    # --- running ------------------------------------------------------------------------------

    def run(self, run: Any) -> list[np.ndarray] | None:
        """Compute; None where a guard on numbers fails. `self.program` is there by now."""
        vector: Any = ()
        if self.vector is not None:
            vector = self.vector(run.numbers)
            if vector is None:
                return None
        arrays = self._arrays(run)
        for (part, node, output), _ in self.carried:
            arrays.append(run.outputs[part][run.parts[part].kept_at[node, output]])
        self.runs += 1
        return self.program.run(arrays, vector)

    def _arrays(self, run: Any) -> list[np.ndarray]:
        """The inputs' arrays; of those recognised by identity they are what they were."""
        inputs, places = run.inputs, self.place_of_input
        if self.arrays is None or self.arrays_at != run.tracer.admissions:
            self.arrays_at = run.tracer.admissions
            arrays = [inputs[number].__dict__["_array"] for number in self.input_numbers]
            self.arrays = [
                None if number in self.passing else array
                for number, array in zip(self.input_numbers, arrays, strict=True)
            ]
            self.frames = [
                (framed_storage(inputs[number]), writes)
                for number, _, writes in self.updates
                if number not in self.passing
            ]
            return arrays
        arrays = self.arrays.copy()
        for number in run.fresh:
            place = places.get(number)
            if place is not None:
                arrays[place] = inputs[number].__dict__["_array"]
                if number not in self.passing:
                    self.arrays[place] = arrays[place]
        return arrays

    def settle(self, run: Any, outputs: list[np.ndarray]) -> None:
        """Hand the arrays to the tensors that are alive, and count the writes."""
        for frame, writes in self.frames or ():
            frame["_storage"].version += writes
        for number, writes in self.passing_updates:
            storage_in_frame(run.inputs[number]).version += writes
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
        if storage is None and (place.view is not None or place.memory in run.shared):
            storage = entry[1] = new(Storage)
            storage.array = base
            if self.generations.get(place.memory):
                storage.version = self.generations[place.memory]
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


def framed_storage(t: Tensor) -> dict[str, Any]:
    """A tensor's attributes, with its storage made (and not held: see `aliased`)."""
    storage_in_frame(t)
    return t.__dict__


def storage_in_frame(t: Tensor) -> Storage:
    frame = t.__dict__
    storage = frame.get("_storage")
    if storage is None:
        storage = frame["_storage"] = new(Storage)
        storage.array = frame["_array"]
    return storage


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


def place_of(recorder: Recorder, array: np.ndarray, number_of: dict[int, int]) -> Place | None:
    """Where a result's array lies; None where that cannot be told again."""
    memory = recorder.memories.find(array)
    if memory is None:
        return None
    number = number_of.setdefault(id(memory), len(number_of))
    owner = memory.owner
    if memory.split and memory.source is not None:
        return None
    if array is owner or (
        array.shape == owner.shape and array.strides == owner.strides
        and array.dtype == owner.dtype and array.ctypes.data == owner.ctypes.data
    ):  # fmt: skip
        strides = None if owner.flags.c_contiguous else element_strides(owner)
        return Place(number, memory.source, None, None if memory.source is not None else strides)
    if array.dtype != owner.dtype or not owner.flags.c_contiguous:
        return None
    offset = (array.ctypes.data - owner.ctypes.data) // owner.itemsize
    return Place(number, memory.source, (array.shape, element_strides(array), offset))


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
