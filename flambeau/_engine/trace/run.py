"""One passage through a segment: what has been bound and promised so far.

In a replay the results are pending: nothing has been computed. In a recording everything has been,
eagerly, and the results are masked only so that reads of them are seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ..autograd.mode import mode
from ..autograd.node import Node, freed_error
from ..autograd.tensor import Tensor, new
from .memory import aliased
from .pattern import Constant, Input, Mapping, Result, Sequence, rebuild
from .pending import Meta, is_masked, mask, masked_class, unmask
from .segment import READ, TraceNode

_MaskedTensor: Any = None


class FreedNode(Node):
    """The history of a result whose graph has been used up by a replayed backward."""

    released = True

    def __init__(self, label: str):
        super().__init__(())
        self.label = label

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        raise freed_error()


class Run:
    """One passage.

    Attributes:
        cursor: the last event that fitted.
        slots: a weak reference to every result so far.
        inputs: the tensors from outside, in order; `fresh`, numbers of those seen anew.
        numbers: the floats that vary, in order.
        events: the nodes passed.
        masked: settled tensors whose memory is to be written: they are pending too.
        settled: memory number -> [array, storage]; `shared`, memories that several results see.
        parts: the endings of the parts that have run, and their `outputs`.
    """

    __slots__ = (
        "cursor", "events", "fresh", "inputs", "key", "masked", "numbers", "outputs", "parts", "settled", "shared",
        "slots", "steps", "tracer",
    )  # fmt: skip

    def __init__(self, tracer: Any, root: TraceNode, key: tuple):
        self.tracer = tracer
        self.key = key
        self.cursor = root
        self.slots: list[Callable[[], Tensor | None]] = []
        self.inputs: list[Tensor] = []
        self.fresh: list[int] = []
        self.numbers: list[float] = []
        self.events: list[TraceNode] = []
        self.masked: list[Tensor] = []
        self.settled: dict[int, list[Any]] = {}
        self.shared: set[int] = set()
        self.parts: list[Any] = []
        self.outputs: list[list[Any]] = []
        self.steps: list[tuple] = []  # the arguments of optimizers' steps

    def touched(self, t: Tensor, name: str) -> bool:
        """Somebody reads (or sets) an attribute of a pending tensor.

        Returns whether the frame's own entry is right; otherwise the tensor is settled now.
        """
        return self.tracer.touched(self, t, name)

    def resolve(self, pattern: Any) -> Any:
        """The tensor that a Result or Input pattern stands for now."""
        if isinstance(pattern, Result):
            return self.slots[pattern.slot]()
        return self.inputs[pattern.number]

    # --- replay ---------------------------------------------------------------------------------

    def follow(self, descriptor: Any, args: tuple, kwargs: dict[str, Any], grad: bool) -> Any:
        """The child of the cursor that fits an event, if there is one."""
        for child in self.cursor.children:
            if child.descriptor is descriptor and child.grad is grad:
                if self.fits(child, args, kwargs):
                    return child
        return None

    def fits(self, node: TraceNode, args: tuple, kwargs: dict[str, Any]) -> bool:
        """Whether an event fits a node; if so its inputs and numbers are bound."""
        inputs, numbers = len(self.inputs), len(self.numbers)
        if (
            (node.fits(args, kwargs, self) if node.step is None else node.step.fits(self, args))
            and (not node.gradients or self._gradients_fit(node))
            and (not node.dirty or self._may_write(node))
            and (not node.inference or mode.inference)
        ):
            return True
        del self.inputs[inputs:], self.numbers[numbers:]
        if self.fresh:
            self.fresh = [number for number in self.fresh if number < inputs]
        return False

    def _gradients_fit(self, node: TraceNode) -> bool:
        for change in node.gradients:
            leaf = self.resolve(change.leaf)
            if leaf is None:
                return False
            held = leaf.__dict__.get("_grad")
            if change.held is None:
                if held is not None:
                    return False
            elif isinstance(change.held, Input) and change.held.new:
                spec = node.specs[change.held.number]
                if held is None or not spec.admits(held, self):
                    return False
                self.inputs.append(held)
            elif held is None or self.resolve(change.held) is not held:
                return False
        return True

    def _may_write(self, node: TraceNode) -> bool:
        if node.ending is not None and node.ending.final:
            return True  # at once, for every alias to see
        for pattern in node.dirty:
            t = self.resolve(pattern)
            if t is not None and not is_masked(t) and aliased(t):
                return False
        return True

    def advance(self, node: TraceNode, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Take an event as done, and promise its results."""
        self.cursor = node
        self.events.append(node)
        if node.step is not None:
            self.steps.append(args)
        result = None
        pattern = node.result
        if type(pattern) is Result and pattern.slot == len(self.slots):
            result = self.promise(node.metas[pattern.slot])
        elif type(pattern) is not Constant or node.new_slots:
            result = self._promised(node, pattern)
        for change in node.gradients:
            if change.slot is not None:
                leaf = self.resolve(change.leaf)
                leaf.__dict__["_grad"] = self.promise(node.metas[change.slot])
        if node.dirty and (node.ending is None or not node.ending.final):
            self._mask_dirty(node)
        if node.descriptor.name == "grad=":
            args[0].__dict__["_grad"] = None
        return result

    def _mask_dirty(self, node: TraceNode) -> None:
        for dirty in node.dirty:
            t = self.resolve(dirty)
            if t is not None and not is_masked(t):
                mask(t, self)
                self.masked.append(t)

    def promise(self, meta: Meta) -> Tensor:
        """A new pending tensor."""
        global _MaskedTensor
        if _MaskedTensor is None:
            _MaskedTensor = masked_class(Tensor)
        t = new(_MaskedTensor)
        frame = t.__dict__
        frame["_run"] = self
        frame["_meta"] = meta
        self.slots.append(weakref.ref(t))
        return t

    def _promised(self, node: TraceNode, pattern: Any) -> Any:
        if type(pattern) is Sequence:
            items = [self._promised(node, item) for item in pattern.items]
            kind: Any = pattern.kind
            return kind._make(items) if hasattr(kind, "_make") else kind(items)
        if type(pattern) is Result:
            if pattern.slot == len(self.slots):
                return self.promise(node.metas[pattern.slot])
            return self.slots[pattern.slot]()
        if type(pattern) is Mapping:
            return {key: self._promised(node, item) for key, item in pattern.items}
        return self.inputs[pattern.number] if type(pattern) is Input else pattern.value

    # --- settling ---------------------------------------------------------------------------------

    def settle_part(self, ending: Any, outputs: list[Any]) -> None:
        """Hand a part's arrays to the tensors that are alive."""
        ending.settle(self, outputs)
        for slot in ending.places:
            t = self.slots[slot]()
            if t is None or not is_masked(t) or "_array" in t.__dict__:
                continue
            meta = t.__dict__["_meta"]
            array, storage = ending.array_for(self, slot)
            frame = t.__dict__
            frame["_array"] = array
            if storage is not None:
                frame["_storage"] = storage
            if ending.final or not meta.requires_grad:
                self._free(t, meta, ending.tapes[slot])
        if ending.final:
            self._free_the_rest(ending)

    def _free(self, t: Tensor, meta: Meta, tape: Any) -> None:
        unmask(t)
        if meta.inference:
            t._inference, t._plain = True, False
        if meta.requires_grad:
            t._requires_grad, t._plain = True, False
            if not meta.leaf:
                t._grad_fn = FreedNode(tape.label)

    def _free_the_rest(self, ending: Any) -> None:
        for slot, reference in enumerate(self.slots):
            t = reference()
            if t is not None and is_masked(t):  # settled by an earlier part, its history since
                self._free(t, t.__dict__["_meta"], ending.tapes[slot])
        self.unmask_settled()

    def unmask_settled(self) -> None:
        """Tensors whose memory was to be written are ordinary again."""
        for t in self.masked:
            unmask(t)
        self.masked.clear()

    # --- side exit --------------------------------------------------------------------------------

    def rerun(self, perform: Callable[[TraceNode, tuple, dict], Any]) -> None:
        """Do everything eagerly that was promised, and turn pending tensors into its results."""
        self.unmask_settled()
        results: list[Any] = []
        steps = list(self.steps)
        promised = [reference() for reference in self.slots]  # alive until they are adopted
        for node in self.events:
            if node.descriptor is READ:
                perform(node, (), {})
                continue
            for change in node.gradients:
                if change.slot is not None:
                    self._leaf(change.leaf, results).__dict__["_grad"] = None
            if node.step is not None:
                args = steps.pop(0)
            else:
                args = rebuild(node.args, results, self.inputs, self.numbers)
            kwargs = rebuild(node.kwargs, results, self.inputs, self.numbers)
            outcome = perform(node, args, kwargs)
            self._collect(node.result, outcome, results, promised)
            for change in node.gradients:
                if change.slot is not None:
                    leaf = self._leaf(change.leaf, results)
                    grad = leaf.__dict__["_grad"]
                    leaf.__dict__["_grad"] = self._adopt(change.slot, grad, results, promised)

    def _leaf(self, pattern: Any, results: list[Any]) -> Tensor:
        return rebuild(pattern, results, self.inputs, self.numbers)

    def _collect(self, pattern: Any, outcome: Any, results: list[Any], promised: list) -> None:
        if isinstance(pattern, Result):
            if pattern.slot == len(results):
                self._adopt(pattern.slot, outcome, results, promised)
        elif isinstance(pattern, Sequence):
            for item, one in zip(pattern.items, outcome, strict=True):
                self._collect(item, one, results, promised)

    def _adopt(self, slot: int, made: Tensor, results: list[Any], promised: list) -> Tensor:
        """The tensor that users hold as result `slot`, now that it has been made."""
        assert slot == len(results)
        t = promised[slot]
        if t is None or not is_masked(t):
            # nobody holds it, or it was settled for good: then users may hold its array too
            results.append(made if t is None else t)
            return results[-1]
        notes = {k: v for k, v in t.__dict__.items() if not k.startswith("_")}
        t.__dict__.clear()
        t.__dict__.update(made.__dict__)
        t.__dict__.update(notes)
        if is_masked(made):  # the rerun is a recording
            t.__class__ = made.__class__
            made.__dict__["_run"].replace(made, t)
        else:
            t.__class__ = made.__class__
        results.append(t)
        return t
