"""Recording: a run whose events are performed eagerly while their primitives are noted."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from ..autograd.callbacks import PROCEED, Asked
from ..autograd.mode import mode
from ..autograd.node import Node as TapeNode
from ..autograd.tensor import Tensor
from ..base.callers import user_line
from . import recorder as recorders
from .companions import KINDS, Companions
from .data import Moves
from .ending import Ending, Tape, place_of, renumbered
from .floats import Floats
from .histories import FreedNode, differentiable, leaves_before, used_up
from .memory import Memory, Spot, Unrecordable
from .mistakes import reason_of
from .modules import ModuleCall, plan_of, record_module
from .parts import keep_late, leaves_of
from .pattern import VISIBLE, Constant, Input, InputSpec, Mapping, Result, Sequence, constant, unfit
from .pending import Meta, delivered, is_masked, mask, meta_of, own_class, unmask
from .recorder import Recorder
from .segment import READ, STEP, LeafGradient, TraceNode
from .snapshots import looked_at
from .step import record_step
from .views import behind, described, follow_base, placed

RECORDABLE_CLASSES = {"Tensor", "Parameter", "Buffer"}


class Recording:
    """A passage that is recorded: its results are there, and masked so that reads are seen.

    Attributes:
        recorder: what notes the primitives.
        endings: the parts so far, each with the event that it ends at.
        companions: what has gone along with events and is no tensor.
        stepped: whether an optimizer has stepped in the middle of a backward.
        reads: after how many reads another segment could have begun, `reads_before`, one like
            this; `rounds`, how often in which way.
    """

    __slots__ = (
        "began", "companions", "endings", "events", "floats", "grown", "histories", "inputs",
        "key", "masked", "metas", "moves", "number_of", "numbers", "reads", "reads_before",
        "recorder", "root", "rounds", "slot_of", "slots", "specs", "spots", "start", "start_slot",
        "stepped", "tracer", "used", "used_before", "views",
    )  # fmt: skip

    closed = None  # as a Run's that is not over

    def __init__(self, tracer: Any, root: TraceNode, key: tuple):
        self.tracer = tracer
        self.root = root
        self.key = key
        self.events: list[TraceNode] = []
        self.slots: list[Callable[[], Tensor | None]] = []  # weak references
        self.inputs: list[Tensor] = []
        self.numbers: list[float] = []
        self.masked: list[Tensor] = []
        self.recorder = Recorder()
        self.floats = Floats(self.recorder.handed, root)
        self.slot_of: dict[int, int] = {}
        self.spots: list[Spot] = []  # of each slot's array
        self.metas: list[Meta] = []  # likewise, as they are now
        self.histories: dict[int, Callable[[], TapeNode | None]] = {}
        self.used: dict[int, str] = {}  # names of the histories that a backward has used up
        self.used_before: dict[int, TapeNode] = {}  # of inputs whose history is used up
        self.endings: list[tuple[TraceNode, Ending]] = []
        self.number_of: dict[Memory, int] = {}
        self.views: dict[int, Any] = {}  # of slots that autograd knows as views
        self.specs: dict[int, InputSpec] = {}  # of the present event
        self.grown: dict[int, Any] = {}  # patterns of gradients that it has been the first to meet
        self.companions = Companions()
        self.moves = Moves()
        self.start = self.start_slot = self.reads = self.reads_before = 0
        self.stepped = False
        self.rounds: dict[tuple, int] = {}
        self.began = perf_counter()
        self.recorder.meet = self._meet_grown
        recorders.start(self.recorder)

    def seconds(self) -> float:
        """How long it has been going on; its events' own work, and the user's, is in that."""
        return perf_counter() - self.began

    def stop(self) -> None:
        """Note nothing more, and let all tensors be ordinary."""
        recorders.stop(self.recorder)
        self.recorder.forget()
        self.unmask_all()

    def replace(self, made: Tensor, t: Tensor) -> None:
        """Another object, the one that users hold, stands for a result from now on."""
        slot = self.slot_of.pop(id(made))
        self.slot_of[id(t)] = slot
        self.slots[slot] = weakref.ref(t)

    def unmask_all(self) -> None:
        """Nothing is intercepted any more."""
        held = (reference() for reference in self.slots)
        for t in (*held, *self.masked):
            if t is not None:
                unmask(t)
        self.masked.clear()

    def touched(self, t: Tensor, name: str) -> bool:
        """Somebody reads (or sets) an attribute of a masked tensor; see `Run.touched`."""
        return self.tracer.touched(self, t, name)

    def has_made(self, t: Tensor) -> bool:
        """Whether a tensor is a result of this passage."""
        slot = self.slot_of.get(id(t))
        return slot is not None and self.slots[slot]() is t

    def give(self, value: float) -> Any:
        """A number that the present event brings along."""
        self.numbers.append(value)
        return self.recorder.numbers.give(value)

    # --- an event -----------------------------------------------------------------------------

    def perform(self, descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Do an event eagerly, and note it.

        Raises:
            whatever the op raises; the recording has failed then.
        """
        recorder = self.recorder
        recorder.event = len(self.events)
        recorder.memories.met.clear()
        recorder.written.clear()
        before = len(recorder.nodes), len(self.inputs), len(self.numbers), len(self.companions)
        node = None
        try:
            args, kwargs = self.floats.begin(descriptor, args, kwargs)
            node = self._describe(descriptor, args, kwargs)
            if descriptor is not STEP:
                args, kwargs = self.floats.vary(self, node, args, kwargs)
        except Exception as error:
            recorder.fail(f"{descriptor.name}: {reason_of(error)}")
        could = recorder.failure is None
        result = self._execute(descriptor, args, kwargs)
        if could and recorder.failure is not None and isinstance(descriptor, ModuleCall):
            plan_of(args[0]).call_by_parts()  # what is wrong is in one of its parts
        try:
            self._note(descriptor, node, result, before)
        except Exception as error:
            recorder.fail(f"{descriptor.name}: {reason_of(error)}")
        recorder.accumulated.clear()  # it holds gradients
        return result

    def _execute(self, descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        tracer, recorder = self.tracer, self.recorder
        tracer.busy, recorder.active = True, descriptor is not STEP
        try:
            return descriptor.execute(args, kwargs)
        except BaseException as error:
            recorder.fail(f"{descriptor.name} raised {type(error).__name__}")
            raise
        finally:
            tracer.busy, recorder.active = False, False

    def _describe(self, descriptor: Any, args: tuple, kwargs: dict) -> TraceNode:
        specs: dict[int, InputSpec] = {}
        if descriptor is STEP:
            node = TraceNode(STEP, Sequence(tuple, ()), Mapping(()), specs, _modes())
            node.step = record_step(self, args, specs)
            return node
        self.specs, module = specs, None
        if isinstance(descriptor, ModuleCall):
            module, args = record_module(self, args[0], specs), args[1:]
        if getattr(descriptor, "reads_values", False):
            raise Unrecordable("its work depends on values")
        self.companions.welcome = getattr(descriptor, "brings", False)
        taken = self._pattern(args, specs)
        named = Mapping(tuple((key, self._pattern(x, specs)) for key, x in kwargs.items()))
        node = TraceNode(descriptor, taken, named, specs, _modes())
        node.module = module
        return node

    def _pattern(self, x: Any, specs: dict[int, InputSpec]) -> Any:
        if isinstance(x, Tensor):
            return self.reference(x, specs)
        if isinstance(x, KINDS):
            return self.companions.pattern(x)
        if isinstance(x, (tuple, list)):
            return Sequence(type(x), tuple(self._pattern(item, specs) for item in x))
        if isinstance(x, dict):
            return Mapping(tuple((key, self._pattern(item, specs)) for key, item in x.items()))
        return constant(x)

    def reference(self, t: Tensor, specs: dict[int, InputSpec]) -> Any:
        """The pattern of a tensor: a result, a known input, or a new one (noted in `specs`)."""
        slot = self.slot_of.get(id(t))
        if slot is not None and self.slots[slot]() is t:
            return Result(slot)
        for number, known in enumerate(self.inputs):
            if known is t:
                return Input(number, False)
        cls = own_class(t)
        if cls.__name__ not in RECORDABLE_CLASSES or not cls.__module__.startswith("flambeau"):
            raise Unrecordable(f"a tensor of class {cls.__name__}")
        if is_masked(delivered(t)):
            raise Unrecordable("a tensor that another thread is computing")
        reason = unfit(t)
        if reason is not None and reason is not VISIBLE:
            raise Unrecordable(reason)
        if self.tracer.recording is not self:
            raise Unrecordable("the recording ended while its operands were looked at")
        number = self.recorder.add_input(t)
        assert number == len(self.inputs)
        self.inputs.append(t)
        self.moves.admit(self, t)
        specs[number] = InputSpec(t, number)
        if not specs[number].leaf:
            self.used_before[number] = t.__dict__["_grad_fn"]
        return Input(number, True)

    # --- after an event -----------------------------------------------------------------------

    def _note(self, descriptor: Any, node: TraceNode | None, result: Any, before: tuple) -> None:
        """What an event has done; `before` it there were as many nodes, inputs and others."""
        if descriptor is PROCEED or descriptor.name in ("backward", "autograd.grad"):
            self._note_used_histories()
        self.companions.waiting += isinstance(result, Asked) - (descriptor is PROCEED)
        self.stepped |= descriptor is STEP and self.companions.waiting > 0
        if node is None:
            return
        made = self.recorder.nodes[before[0] :]
        node.random = any("generator" in each.params for each in made)
        node.inputs_before, node.numbers_before, node.companions_before = before[1:]
        node.reads = looked_at(self, before[1])
        if self.recorder.failure is None and self.tracer.recording is self:
            self.floats.settle(self, node)
            self._conclude(node, result)

    def _conclude(self, node: TraceNode, result: Any) -> None:
        node.result = self._result(node, result)
        self._note_changes(node)
        self.moves.note(self, node)
        node.gradients = self._gradients(node)
        node.dirty = self._dirty()
        self._append(node)

    def _append(self, node: TraceNode) -> None:
        node.line = user_line()
        node.finish()
        self.events.append(node)
        self.floats.follow(node)

    def _note_changes(self, node: TraceNode) -> None:
        """An in-place op may have given its operand a history, or another shape."""
        for pattern in _tensors(node.args):
            if isinstance(pattern, Input):
                t = self.inputs[pattern.number]
                if behind(t):
                    raise Unrecordable("a view from outside is written, and its base follows")
                made = t.__dict__.get("_grad_fn")
                if made is not None and made is not self.used_before.get(pattern.number):
                    raise Unrecordable("a tensor from outside gets a history")
                continue
            t = self.slots[pattern.slot]()
            if t is None or pattern.slot in node.metas:
                continue
            if behind(t):
                raise Unrecordable("a view is written, and its base gets a history")
            meta = meta_of(t)
            if meta == self.metas[pattern.slot]:
                continue
            spot = self.recorder.memories.spot(t.__dict__["_array"])
            if not is_masked(t) or spot != self.spots[pattern.slot]:
                raise Unrecordable("a tensor that has been read changes what it is")
            if not meta.leaf and self._seen_by_others(pattern.slot):
                raise Unrecordable("a tensor with views gets a history, and they with it")
            if meta.leaf and pattern.slot in self.views:
                raise Unrecordable("a view becomes a leaf")
            self.metas[pattern.slot] = node.changes[pattern.slot] = meta
            t.__dict__["_meta"] = meta

    def _seen_by_others(self, slot: int) -> bool:
        memory = self.spots[slot].memory
        return any(
            spot.memory is memory and other != slot and self.slots[other]() is not None
            for other, spot in enumerate(self.spots)
        )

    def _result(self, node: TraceNode, x: Any) -> Any:
        if isinstance(x, Tensor):
            slot = self.slot_of.get(id(x))
            if slot is not None and self.slots[slot]() is x:
                return Result(slot)
            for number, known in enumerate(self.inputs):
                if known is x:
                    return Input(number, False)
            return Result(self._add_slot(node, x))
        if isinstance(x, (tuple, list)):
            return Sequence(type(x), tuple(self._result(node, item) for item in x))
        if x is None:
            return Constant(None, type(None))
        if isinstance(x, Asked):
            given = tuple(self._result(node, item) for item in x.given)
            return self.companions.asking(self, x, given)
        raise Unrecordable(f"a result of type {type(x).__name__}")

    def _add_slot(self, node: TraceNode, t: Tensor) -> int:
        if type(t) is not Tensor:
            raise Unrecordable(f"a result of class {type(t).__name__}")
        spot = self.recorder.memories.spot(t._array)
        if spot is None:
            raise Unrecordable("a result that no primitive has computed")
        slot = len(self.slots)
        if t._view is not None:
            follow_base(t, t._view)
        meta = node.metas[slot] = meta_of(t)
        self.metas.append(meta)
        self.slots.append(weakref.ref(t))
        self.slot_of[id(t)] = slot
        self.spots.append(spot)
        if t._grad_fn is not None:
            self.histories[slot] = weakref.ref(t._grad_fn)
        elif t._view is not None:
            self.views[slot] = described(self, t._view)
        mask(t, self, meta)
        return slot

    def _gradients(self, node: TraceNode) -> tuple[LeafGradient, ...]:
        changes = []
        for leaf, _, grows in self.recorder.accumulated:
            pattern = self.reference(leaf, {})
            if isinstance(pattern, Input) and pattern.new:
                raise Unrecordable("a gradient for a leaf that the segment has not seen")
            held = leaf.__dict__["_grad"]
            if grows:
                known = self.grown.get(id(held)) or self.reference(held, node.specs)
                changes.append(LeafGradient(pattern, None, known))
            else:
                changes.append(LeafGradient(pattern, self._add_slot(node, held)))
        self.grown.clear()
        return tuple(changes)

    def _meet_grown(self, held: Tensor) -> None:
        """A gradient from outside is about to grow."""
        self.grown[id(held)] = self.reference(held, self.specs)

    def _note_used_histories(self) -> None:
        """A backward has run: the histories it has used up, also of results nobody holds."""
        found = {slot: node for slot, ref in self.histories.items() if (node := ref()) is not None}
        used = used_up(found.values())
        self.used.update({slot: node.name() for slot, node in found.items() if node in used})

    def _dirty(self) -> tuple[Any, ...]:
        """Settled tensors whose memory this event has written: they are pending from now on."""
        if not self.recorder.written:
            return ()
        memories = self.recorder.memories
        written = set(self.recorder.written)
        found: list[Any] = []
        for number, t in enumerate(self.inputs):
            if memories.find(t.__dict__["_array"]) in written:
                found.append(Input(number, False))
                self._mask(t)
        for slot, spot in enumerate(self.spots):
            made = self.slots[slot]()
            if made is not None and not is_masked(made) and spot.memory in written:
                found.append(Result(slot))
                self._mask(made)
        return tuple(found)

    def _mask(self, t: Tensor) -> None:
        if not is_masked(t):
            mask(t, self, meta_of(t))
            self.masked.append(t)

    # --- the ends of parts ----------------------------------------------------------------------

    def open_tape(self) -> bool:
        """Whether a tensor that is alive could still be differentiated, or a backward goes on."""
        return self.companions.waiting > 0 or any(
            self._tape(slot).state == "open"
            for slot in range(len(self.slots))
            if self.slots[slot]() is not None
        )

    def close_histories(self) -> None:
        """What is over has what a replay gives it: one node that says that all is used up."""
        tapes = self.endings[-1][1].tapes
        for slot, reference in enumerate(self.slots):
            t = reference()
            if t is not None and t._view is None and tapes[slot].state == "closed":
                node = t.__dict__["_grad_fn"]
                edges = tuple((leaf, 0) for leaf in leaves_before(node))
                t._grad_fn, t._output_index = FreedNode(tapes[slot].label, edges), 0

    def may_end(self) -> bool:
        """Whether the segment can end here: where something was read, a part has ended already."""
        return bool(self.events) and not self.open_tape() and self.events[-1].descriptor is not READ

    def _tape(self, slot: int) -> Tape:
        t = self.slots[slot]()
        if t is None:
            label = self.used.get(slot)
            return Tape("unknown") if label is None else Tape("closed", label)
        node = t.__dict__.get("_grad_fn")
        if node is None:
            return Tape("none")
        return Tape("open" if differentiable(node) else "closed", node.name())

    def end_part(self, final: bool, name: str) -> None:
        """A part of the segment is over after the last event.

        Raises:
            Unrecordable: what is alive cannot be settled by a program.
        """
        recorder = self.recorder
        nodes, source = renumbered(recorder.nodes[self.start :], recorder.numbers.source)
        self.start = len(recorder.nodes)
        ending = Ending(final, nodes, name)
        if source or (final and recorder.numbers.guards):
            ending.vector = recorder.numbers.compiled(source, final)
            ending.numbers = len(source)
        before = self.endings[-1][1].generations if self.endings else {}
        places = {s: place for _, part in self.endings for s, place in part.places.items()}
        seen_by = Counter(place.memory for place in places.values())
        for slot, spot in enumerate(self.spots):
            ending.tapes[slot] = self._tape(slot)
            if final:
                ending.needs[slot] = leaves_of(self, slot)
            place, memory = place_of(spot, self.number_of), spot.memory
            new = slot >= self.start_slot or slot in self.moves.postponed
            if place is None or slot in self.moves.lost:
                if new:
                    ending.unplaced.append(slot)
                continue
            if not placed(self, slot, ending):
                ending.unplaced.append(slot)
                continue
            number, generation = place.memory, memory.generation
            ending.generations[number] = generation
            ending.versions[number] = generation - memory.uncounted
            changed = before.get(number, generation) != generation
            if changed and seen_by[number] > 1 and memory.source is None:
                raise Unrecordable("memory that several results see is written after a read")
            if not final and self.moves.waits(slot, memory):
                if not new:
                    raise Unrecordable("an input is written that was read through a view")
                continue
            if changed:
                ending.changed.add(number)
            if changed or new:
                ending.places[slot] = place
                if slot in self.views:
                    ending.views[slot] = self.views[slot]
                ending.memory_values[number] = memory.value
        self.start_slot = len(self.spots)
        if final:
            ending.updates += self.moves.updates(self)
            ending.apart = {slot: writes[0] for slot, writes in self.moves.apart.items()}
            keep_late(self, ending)
        ending.candidates = tuple(slot for slot in ending.places if slot not in ending.late)
        self.endings.append((self.events[-1], ending))


def _modes() -> tuple[bool, bool, Any, Any]:
    return mode.grad, mode.inference, mode.special, mode.casting


def _tensors(pattern: Any) -> Iterator[Any]:
    """The Results and Inputs in a pattern."""
    if isinstance(pattern, (Result, Input)):
        yield pattern
    elif isinstance(pattern, Sequence):
        for item in pattern.items:
            yield from _tensors(item)


def read_node() -> TraceNode:
    """The event of somebody reading a result."""
    node = TraceNode(READ, Sequence(tuple, ()), Mapping(()), {}, (True, False, None, None))
    node.finish()
    return node
