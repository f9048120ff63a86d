"""Records the primitives of a segment as graph nodes, while they run eagerly.

The recorder sits behind every primitive call (`autograd.calls`), behind `write_` and behind the
accumulation of leaf gradients. Only what runs inside an event of the recording thread is noted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..autograd import mode as modes
from ..autograd.tensor import Storage, Tensor
from ..base import state
from ..graph.ir import Node, Number, Value
from ..prims import PRIMITIVES
from ..prims.primitive import Aval, Primitive
from .floats import Handed
from .memory import Memories, Memory, Unrecordable
from .mistakes import reason_of
from .symbols import Numbers, Symbol, Varying


class Recorder:
    """One recording: nodes so far, the memory they have met, the inputs and numbers they need.

    Attributes:
        input_values: of the tensors from outside, in the order they were met.
        event: the number of the event that is running.
        written: memory that the present event has written to.
        meet: called with a gradient that grows, and that the segment has not seen so far.
        counters: of storages that `.data` has made: how many writes each has seen.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.memories = Memories(self.emit)
        self.input_values: list[Value] = []
        self.numbers = Numbers()
        self.handed = Handed()
        self.event = 0
        self.active = False
        self.thread = threading.get_ident()
        self.written: list[Memory] = []
        self.counters: WeakKeyDictionary[Storage, list[int]] = WeakKeyDictionary()
        self.failure: str | None = None
        self.accumulated: list[tuple[Tensor, Tensor, bool]] = []
        self.meet: Callable[[Tensor], None] = _nothing

    # --- what the tracer says -----------------------------------------------------------------

    def add_input(self, tensor: Tensor) -> int:
        """A tensor from outside; its number."""
        array = tensor._array
        contiguous = array.flags.c_contiguous
        steps = None if contiguous else tuple(s // array.itemsize for s in array.strides)
        value = Value(array.shape, array.dtype, steps)
        number = len(self.input_values)
        self.memories.add_input(array, value, number)
        self.input_values.append(value)
        return number

    def forget(self) -> None:
        """The recording is over: hold nothing, nor wait for a collection of cycles."""
        self.memories.forget()
        self.accumulated.clear()
        self.meet = _nothing

    def fail(self, reason: str) -> None:
        """The segment cannot be compiled."""
        if self.failure is None:
            self.failure = reason

    # --- what primitives say ------------------------------------------------------------------

    def emit(self, name: str, operands: Sequence[Any], params: dict[str, Any]) -> Value:
        """Add a node with one result, its shape from the primitive's rule."""
        inputs = tuple(self._operand(x) for x in operands)
        params = self._params(params)
        aval = _shape_of(name, inputs, params)
        value = Value(aval.shape, aval.dtype)
        self.nodes.append(Node(name, inputs, params, (value,), self.event))
        return value

    def symbol(self, array: np.ndarray) -> Symbol:
        """What an array holds now, for an optimizer's rule to compute with."""
        return Symbol(self.emit, self.memories.value(array))

    def _params(self, params: dict[str, Any]) -> dict[str, Any]:
        return {
            key: Number(self.numbers.position(x)) if isinstance(x, Varying) else x
            for key, x in params.items()
        }

    def _operand(self, x: Any) -> Any:
        if isinstance(x, Symbol):
            return x.value
        if isinstance(x, Tensor):
            return self.memories.value(x._array)
        if isinstance(x, Varying):
            return Number(self.numbers.position(x))
        if x is None or isinstance(x, (Value, Number, bool, int, float, complex)):
            return x
        raise Unrecordable(f"an operand that is a {type(x).__name__}")

    def note(
        self, primitive: Primitive, operands: tuple[Any, ...], params: dict[str, Any], outs: tuple
    ) -> None:
        """A primitive has run on tensors."""
        try:
            self._note(primitive.name, operands, params, outs)
        except Exception as error:
            self.fail(f"{primitive.name}: {reason_of(error)}")

    def _note(self, name: str, operands: tuple, params: dict, results: tuple) -> None:
        for out in results:
            if not isinstance(out, Tensor) or out._array.dtype.kind == "O":
                raise Unrecordable("a result that is no tensor")
        if (
            PRIMITIVES[name].shape is None
            and not PRIMITIVES[name].view
            and (name in _SHAPES_DEPEND_ON_VALUES)
        ):
            raise Unrecordable("the shape of the result depends on values")
        if self.handed.known:
            dtype = results[0]._array.dtype if results else None
            operands, params = self.handed.recognised(name, operands, params, dtype)
        inputs = tuple(self._operand(x) for x in operands)
        values = tuple(Value(out._array.shape, out._array.dtype) for out in results)
        self.nodes.append(Node(name, inputs, self._params(params), values, self.event))
        for out, value in zip(results, values, strict=True):
            self.memories.add_result(out._array, value)

    def write(self, t: Tensor, source: np.ndarray) -> None:
        """`source` is about to be copied into a tensor's memory: broadcast and converted."""
        target = t._array
        try:
            value = self.memories.value(source)
            if value.dtype != target.dtype:
                value = self.emit("convert", (value,), {"dtype": target.dtype})
            if value.shape != target.shape:
                value = self.emit("expand", (value,), {"shape": target.shape})
            self.assign(target, value)
        except Exception as error:
            self.fail(f"in-place write: {reason_of(error)}")

    def assign(self, target: np.ndarray, value: Value) -> None:
        """An array holds `value` from now on."""
        self.written.append(self.memories.write(target, value))

    def accumulate(self, leaf: Tensor, held: Tensor | None, grad: Tensor) -> None:
        """A leaf's gradient grows: `held` is written in place, or is None and `leaf._grad` new."""
        self.accumulated.append((leaf, grad, held is not None))
        if held is not None:
            try:
                if self.memories.find(held._array) is None:
                    self.meet(held)
                a, b = self.memories.value(held._array), self.memories.value(grad._array)
                if a.dtype != b.dtype:
                    b = self.emit("convert", (b,), {"dtype": a.dtype})
                self.assign(held._array, self.emit("add", (a, b), {}))
            except Exception as error:
                self.fail(f"gradient accumulation: {reason_of(error)}")


def _nothing(held: Tensor) -> None:
    pass


_SHAPES_DEPEND_ON_VALUES = frozenset({"nonzero", "sort_rows"})


def _shape_of(name: str, inputs: tuple, params: dict[str, Any]) -> Aval:
    if name == "region_write":
        return Aval(inputs[0].shape, inputs[0].dtype)
    rule = PRIMITIVES[name].shape
    avals = [Aval(x.shape, x.dtype) if isinstance(x, Value) else x for x in inputs]
    if rule is not None:
        return rule(*avals, **params)
    shape = params.get("shape", avals[0].shape)
    return Aval(tuple(shape), params.get("dtype", avals[0].dtype))


# --- interposing at the primitives ------------------------------------------------------------

_recorders: dict[int, Recorder] = {}
_lock = threading.Lock()


def start(recorder: Recorder) -> None:
    """Let primitives tell a recorder; other threads pay one lookup while any recording is on."""
    with _lock:
        _recorders[recorder.thread] = recorder
        modes.watched_regions += 1
        state.on_primitive = _note


def stop(recorder: Recorder) -> None:
    """The recording is over."""
    with _lock:
        if _recorders.pop(recorder.thread, None) is not None:
            modes.watched_regions -= 1
        if not _recorders:
            state.on_primitive = None


def current() -> Recorder | None:
    """This thread's recorder, if an event of its recording is running."""
    recorder = _recorders.get(threading.get_ident()) if _recorders else None
    return recorder if recorder is not None and recorder.active else None


def _note(
    primitive: Primitive, operands: tuple[Any, ...], params: dict[str, Any], outs: tuple
) -> None:
    recorder = current()
    if recorder is not None and recorder.failure is None:
        recorder.note(primitive, operands, params, outs)
