"""One passage through a known segment: what has been bound and promised so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd.callbacks import Asked
from ..autograd.data import SET_DATA
from ..autograd.exposure import visible
from ..autograd.tensor import Tensor, storage_of
from ..autograd.views import ViewInfo
from .histories import FreedNode
from .memory import aliased, root_of, storage_in_frame
from .modules import as_it_was
from .pattern import Asking, Result, Sequence, rebuild
from .pending import FRAMED, Meta, is_masked, mask, meta_of, set_class, unmask
from .segment import READ, TraceNode
from .snapshots import past, unchanged
from .views import base_of


class Run:
    """One passage: nothing of it has been computed yet.

    Attributes:
        root: where the segment's tree begins; cursor: the last event that fitted.
        slots: every result so far, pending. Held here, they are alive for others only if more
            references to them exist.
        inputs: the tensors from outside, in order.
        numbers: the floats that vary, in order.
        steps: the arguments of optimizers' steps.
        modules: those that were called, with their plans.
        masked: settled tensors whose memory is to be written: they are pending too.
        settled: memory number -> [array, storage]; `shared`, memories that several results see.
        parts: the endings of the parts that have run, and their `outputs`.
        generators: which those have drawn from, and their states before.
        companions: what has come along beside tensors and numbers.
        snapshots: by number, what inputs held whose memory is visible outside.
        copied: the copies that a side exit works on, by the ids of what owns their memory.
    """

    # most runs need none of these: they are made when they are wanted
    steps: tuple[tuple, ...] = ()
    modules: tuple[Any, ...] = ()
    masked: tuple[Tensor, ...] = ()
    parts: tuple[Any, ...] = ()
    outputs: tuple[list[Any], ...] = ()
    generators: tuple[tuple[Any, bytes], ...] = ()
    companions: tuple[Any, ...] = ()
    snapshots: dict[int, bytes] = {}
    copied: dict[int, Any] = {}
    settled: dict[int, list[Any]] = {}
    shared: set[int] = set()
    closed: Any = None  # the ending that keeps what is still pending, when it is over
    lost = ""  # the error that kept what is still pending from ever being computed

    def __init__(self, tracer: Any, root: TraceNode):
        self.tracer = tracer
        self.root = self.cursor = root
        self.slots: list[Tensor] = []
        self.inputs: list[Tensor] = []
        self.numbers: list[float] = []

    def touched(self, t: Tensor, name: str) -> bool:
        """Somebody reads (or sets) an attribute of a pending tensor.

        Returns whether the frame's own entry is right; otherwise the tensor is settled now.
        """
        if self.closed is not None:
            self.deliver(t)
            return False
        return self.tracer.touched(self, t, name)

    def is_there(self, t: Tensor) -> bool:
        """Whether a pending tensor's elements have been read already, and are not to be written."""
        return "_array" in t.__dict__ and not any(t is one for one in self.masked)

    # --- guards that need more than a comparison --------------------------------------------------

    def forget(self, node: TraceNode) -> None:
        """What a node bound before it was found not to fit."""
        del self.inputs[node.inputs_before :], self.numbers[node.numbers_before :]
        if self.companions:
            self.companions = self.companions[: node.companions_before]
        if self.snapshots:
            kept = self.snapshots.items()
            self.snapshots = {n: data for n, data in kept if n < node.inputs_before}

    def ask(self, owner: Any, given: tuple, grad_mode: bool) -> Asked:
        """The question that the engine would ask here, about pending tensors."""
        asked = Asked(owner, given, grad_mode, None)
        self.companions += (asked,)
        return asked

    def unchanged(self, numbers: frozenset[int]) -> bool:
        """Whether memory that is visible outside is still what has been read of it."""
        return unchanged(self, numbers)

    def resolve(self, pattern: Any) -> Tensor:
        """The tensor that a Result or Input pattern stands for now."""
        if isinstance(pattern, Result):
            return self.slots[pattern.slot]
        return self.inputs[pattern.number]

    def has_made(self, t: Tensor) -> bool:
        """Whether a tensor is a result of this passage."""
        return any(one is t for one in self.slots)

    def may_write(self, node: TraceNode) -> bool:
        """Whether nobody else sees the memory that an event will write late."""
        written = map(self.resolve, node.dirty)
        if node.final and node.descriptor is not SET_DATA:  # at once, for every alias to see
            return not self.snapshots or all(
                is_masked(t) or t.__dict__["_array"].flags.writeable for t in written
            )
        return all(is_masked(t) or not (aliased(t) or visible(t)) for t in written)

    def mask_dirty(self, node: TraceNode) -> None:
        """Settled tensors that an event writes are pending from now on."""
        if node.final:
            return
        for pattern in node.dirty:
            t = self.resolve(pattern)
            if not is_masked(t):
                mask(t, self, meta_of(t))
                self.masked += (t,)

    # --- settling ---------------------------------------------------------------------------------

    def settle_part(self, ending: Any, outputs: list[Any], alive: list[int]) -> None:
        """Hand a part's arrays to the tensors that are alive."""
        if not self.parts:
            self.settled, self.shared = {}, set()
        ending.settle(self, outputs)
        slots = self.slots
        for slot in alive:
            t = slots[slot]
            frame = t.__dict__
            if "_array" in frame or not is_masked(t):
                continue
            meta = frame["_meta"]
            array, storage = ending.array_for(self, slot)
            frame["_array"] = array
            if storage is not None:
                frame["_storage"] = storage
            if ending.final or not meta.requires_grad:
                self._free(t, meta, ending, slot)
        if ending.views:
            self._settle_views(ending, alive)
        if ending.final:
            if self.parts:
                self._free_the_rest(ending)
            self.unmask_settled()
            self.close(ending)

    def _settle_views(self, ending: Any, alive: list[int]) -> None:
        """Tell autograd which results are views, so that writes through them are followed."""
        for slot in alive:
            t = self.slots[slot]
            if slot not in ending.views or is_masked(t) or t._view is not None:
                continue
            pattern, steps, creation = ending.views[slot]
            base = self.resolve(pattern)
            if is_masked(base):
                if base.__dict__["_meta"].requires_grad:
                    continue  # it has a history, and the view has none
                if "_array" not in base.__dict__:
                    self._settle_base(ending, base, pattern.slot)
            above, storage = base.__dict__.get("_view"), storage_in_frame(base)
            if above is not None:
                base, steps = base_of(above), (*above.steps, *steps)
            frame = t.__dict__
            frame["_storage"] = storage
            frame["_view"] = ViewInfo(base, steps, storage.version, creation)
            frame["_plain"] = False

    def _settle_base(self, ending: Any, base: Tensor, slot: int) -> None:
        """A view is held, and the tensor that it is a view of is not."""
        part = next(each for each in (ending, *reversed(self.parts)) if slot in each.places)
        array, storage = part.array_for(self, slot)
        base.__dict__["_array"] = array
        if storage is not None:
            base.__dict__["_storage"] = storage
        meta = base.__dict__["_meta"]
        self._free(base, meta, part, slot)

    def _free_the_rest(self, ending: Any) -> None:
        for slot, t in enumerate(self.slots):
            if "_array" in t.__dict__ and is_masked(t):
                self._free(t, t.__dict__["_meta"], ending, slot)

    def _free(self, t: Tensor, meta: Meta, ending: Any, slot: int) -> None:
        """A result is there: it is what an eager one would be, its history used up."""
        unmask(t)
        if meta.inference:
            t._inference, t._plain = True, False
        if meta.requires_grad:
            t._requires_grad, t._plain = True, False
            if not meta.leaf:
                made = [
                    (self.slots[each.slot], 0)
                    for each in ending.needs.get(slot, ())
                    if isinstance(each, Result) and not is_masked(self.slots[each.slot])
                ]
                edges = (*ending.leaves.get(slot, ()), *made)
                t._grad_fn = FreedNode(ending.tapes[slot].label, edges)

    def close(self, ending: Any) -> None:
        """The segment is over; what nobody may ever read stays where the program has it."""
        ending.owed = [self.slots[slot] for slot in ending.late]
        self.closed = ending
        self.slots = []
        self.inputs = []
        self.modules = self.steps = self.companions = ()

    def deliver(self, t: Tensor) -> None:
        """A result of the last run of a program is wanted after all."""
        ending = self.closed
        for (slot, place), owed in zip(ending.late.items(), ending.owed, strict=True):
            if owed is t:
                meta = t.__dict__["_meta"]
                t.__dict__["_array"] = self.outputs[-1][place].copy()
                self._free(t, meta, ending, slot)
                writes = ending.versions.get(ending.places[slot].memory)
                if writes:
                    storage_of(t).version = writes
                return
        unmask(t)  # nobody was alive to want it

    def knows(self, array: np.ndarray) -> bool:
        """Whether an array lies in memory that this run has given out, or that it reads late."""
        root = root_of(array)
        given = [held for held, _ in self.settled.values()]
        given += [found for t in self.inputs if (found := t.__dict__.get("_array")) is not None]
        return any(root_of(each) is root for each in given)

    def unmask_settled(self) -> None:
        """Tensors whose memory was to be written are ordinary again."""
        for t in self.masked:
            unmask(t)
        self.masked = ()

    # --- side exit --------------------------------------------------------------------------------

    def rerun(self, perform: Callable[[TraceNode, tuple, dict], Any]) -> None:
        """Do everything eagerly that was promised, and turn pending tensors into its results."""
        self.unmask_settled()
        results: list[Any] = []
        try:
            with past(self, results):
                self._again(perform, results)
        except BaseException as error:
            self._take_back(error)
            raise

    def _take_back(self, error: BaseException) -> None:
        """An event has failed: those that were promised after it have never been."""
        self.lost = f"{type(error).__name__}: {error}"
        for node in self.cursor.path():
            for change in node.gradients:
                if change.slot is not None:
                    frame, promised = self.resolve(change.leaf).__dict__, self.slots[change.slot]
                    if frame.get("_grad") is promised and promised.__dict__.get("_run") is self:
                        frame["_grad"] = None

    def _again(self, perform: Callable[[TraceNode, tuple, dict], Any], results: list[Any]) -> None:
        steps, modules = iter(self.steps), iter(self.modules)
        for node in self.cursor.path():
            if node.descriptor is READ:
                perform(node, (), {})
                continue
            for change in node.gradients:
                held = None if change.slot is not None else self._rebuilt(change.held, results)
                self._rebuilt(change.leaf, results).__dict__["_grad"] = held
            if node.step is not None:
                args = next(steps)
                self._give_gradients(node, args, results)
            else:
                args = self._rebuilt(node.args, results)
            kwargs = self._rebuilt(node.kwargs, results)
            with _told(node):
                if node.module is None:
                    outcome = perform(node, args, kwargs)
                else:
                    module, plan = next(modules)
                    with as_it_was(plan):
                        outcome = perform(node, (module, *args), kwargs)
            self._collect(node.result, outcome, results)
            for change in node.gradients:
                if change.slot is not None:
                    leaf = self._rebuilt(change.leaf, results)
                    leaf.__dict__["_grad"] = self._adopt(leaf.__dict__["_grad"], results)

    def _give_gradients(self, node: TraceNode, args: tuple, results: list[Any]) -> None:
        """Parameters have what a step has found: later gradients have been promised since."""
        for group, entries in zip(args[1], node.step.groups, strict=False):
            for param, entry in zip(group["params"], entries, strict=False):
                held = None if entry is None else self._rebuilt(entry.grad, results)
                param.__dict__["_grad"] = held

    def _rebuilt(self, pattern: Any, results: list[Any]) -> Any:
        return rebuild(pattern, results, self.inputs, self.numbers, self.companions)

    def _collect(self, pattern: Any, outcome: Any, results: list[Any]) -> None:
        if isinstance(pattern, Result):
            if pattern.slot == len(results):
                self._adopt(outcome, results)
        elif isinstance(pattern, Sequence):
            for item, one in zip(pattern.items, outcome, strict=True):
                self._collect(item, one, results)
        elif isinstance(pattern, Asking):
            for item, one in zip(pattern.given, outcome.given, strict=True):
                self._collect(item, one, results)
            self.companions[pattern.number].steps = outcome.steps

    def _adopt(self, made: Tensor, results: list[Any]) -> Tensor:
        """The tensor that users may hold as the next result, now that it has been made."""
        t = self.slots[len(results)]
        results.append(t)
        if not is_masked(t):  # settled for good: its array stays, and may hold later writes
            held, root = t.__dict__["_array"], root_of(made._array)
            if root is not root_of(held) and id(root) not in self.copied:
                np.copyto(held, made._array)
            return t
        notes = {k: v for k, v in t.__dict__.items() if not k.startswith("_") or k in FRAMED}
        t.__dict__.clear()
        t.__dict__.update(made.__dict__)
        t.__dict__.update(notes)
        set_class(t, type(made))
        if is_masked(made):  # the rerun is a recording
            made.__dict__["_run"].replace(made, t)
        return t


@contextmanager
def _told(node: TraceNode) -> Iterator[None]:
    """An error says which call it is about: the traceback shows where the results were wanted."""
    try:
        yield
    except Exception as error:
        error.add_note(
            f"(raised by {node.descriptor.name}, called near {node.line}, whose result was not "
            "needed until now; with FLAMBEAU_JIT=off it is raised there)"
        )
        raise
