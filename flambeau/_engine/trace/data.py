"""`.data` in a recording: tensors over memory with counters of their own, and memory that moves.

What `t.data` gives is a result over t's memory. Writes through it are writes to t that t's counter
does not see, so it is a storage of its own when it is handed out. `t.data = x` lets t lie where x
lies. A replay writes x's value into t's own memory instead: nobody can tell, as long as nobody
else sees that, which the event's guard asks for, and x is handed out as a tensor over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..autograd.data import GET_DATA, SET_DATA
from ..autograd.tensor import Tensor
from ..graph.ir import Value
from .memory import Memory, Unrecordable
from .pattern import Input, Result


class Moves:
    """What `.data` has done in a recording.

    Attributes:
        homes: of each input, the memory that it lies in now; `moved`, the inputs that lie elsewhere
            than at first.
        versions: of each input, how many writes its counter had seen before.
        apart: results with a counter of their own, and the writes that it has seen.
        lost: results that no replay can hand out, because of a counter or of memory that moved.
        postponed: results over memory that is written when the segment is over.
    """

    def __init__(self) -> None:
        self.homes: list[Memory | None] = []
        self.moved: set[int] = set()
        self.versions: list[int] = []
        self.apart: dict[int, list[int]] = {}
        self.lost: set[int] = set()
        self.postponed: set[int] = set()

    def admit(self, recording: Any, t: Tensor) -> None:
        """A new input."""
        self.homes.append(recording.recorder.memories.find(t._array))
        self.versions.append(_version(t))

    def note(self, recording: Any, node: Any) -> None:
        """An event is over, and its results are known.

        Raises:
            Unrecordable: a tensor lies elsewhere now, and a replay could not pretend that it does.
        """
        if node.descriptor is GET_DATA:
            if isinstance(node.result, Result):
                self._count(recording, node.result.slot, 0)
        elif node.descriptor is SET_DATA:
            self._move(recording, *node.args.items)
        else:
            counters = recording.recorder.counters
            for slot in node.metas:
                t = recording.slots[slot]()
                if slot not in recording.views and t.__dict__.get("_storage") in counters:
                    self.lost.add(slot)

    def _count(self, recording: Any, slot: int, writes: int) -> None:
        """A result has a counter of its own."""
        storage = recording.slots[slot]().__dict__["_storage"]
        self.apart[slot] = recording.recorder.counters[storage] = [writes]

    def _move(self, recording: Any, target: Any, source: Any) -> None:
        if isinstance(target, Result):
            raise Unrecordable("a result gets other memory")
        t = recording.inputs[target.number]
        spot, home = recording.recorder.memories.spot(_array(t)), self.homes[target.number]
        memory = None if spot is None else spot.memory
        if memory is home:
            return  # `t.data -= x` ends with this
        if memory is None or home is None or isinstance(source, Input):
            raise Unrecordable("a tensor gets memory from outside of the segment")
        layouts = spot.layout, memory.layout, home.layout
        alike = {(each.shape, each.strides, each.dtype, each.contiguous) for each in layouts}
        if len(alike) > 1 or not home.layout.contiguous:
            raise Unrecordable("a tensor gets memory of another shape, or a part of memory")
        if memory.source is not None or home.source != target.number or home.split:
            raise Unrecordable("a tensor gets memory that another one has")
        for slot, each in enumerate(recording.spots):
            if each.memory not in (memory, home):
                continue
            if any(slot in part.places for _, part in recording.endings):
                raise Unrecordable("a tensor gets memory that has been read")
            followed = slot == source.slot or slot in recording.views
            if slot not in self.apart if each.memory is home else not followed:
                self.lost.add(slot)
        self._count(recording, source.slot, _version(recording.slots[source.slot]()))
        memory.source, home.source = target.number, None
        self.homes[target.number] = memory
        self.moved.add(target.number)
        recording.recorder.written.append(memory)

    def waits(self, slot: int, memory: Memory) -> bool:
        """Whether a result cannot be handed out before the end, with an input that is written."""
        if memory.source is None or not (memory.generation or memory.source in self.moved):
            return False
        self.postponed.add(slot)
        return True

    def updates(self, recording: Any) -> Iterator[tuple[int, Value, int]]:
        """The inputs that are written: number, what each holds then, writes that it counts.

        Raises:
            Unrecordable: one does not lie in memory as a program writes it.
        """
        for number, t in enumerate(recording.inputs):
            memory = recording.recorder.memories.find(_array(t))
            if memory is None or memory.source != number:
                continue
            if memory.generation or number in self.moved:
                if not memory.layout.contiguous:
                    raise Unrecordable("a write to an input in another order in memory")
                yield number, memory.value, _version(t) - self.versions[number]


def _array(t: Tensor) -> Any:
    return t.__dict__["_array"]


def _version(t: Tensor) -> int:
    """How many writes a tensor's counter has seen; a pending tensor is not asked for it."""
    storage = t.__dict__.get("_storage")
    return 0 if storage is None else storage.version
