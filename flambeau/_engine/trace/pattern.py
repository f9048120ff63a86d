"""What an event's arguments were, as data that the next call is compared with.

A pattern is a tree of references: to a result of the segment, to an input from outside, to a
number that varies, to a constant. From it come the guard, a Python function made for this very
call (one comparison an argument), and the way back: arguments for an eager run.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..autograd.exposure import visible
from ..autograd.tensor import Tensor, storage_of
from ..base import state
from ..base.devices import CPU
from .histories import FreedNode
from .memory import Unrecordable
from .pending import is_masked, own_class


class Result(NamedTuple):
    """The segment's result number `slot`."""

    slot: int


class Input(NamedTuple):
    """The input number `number`; `new` where this argument is the first to bring it along."""

    number: int
    new: bool


class Constant(NamedTuple):
    """The same object, or an equal one of the same type."""

    value: Any
    kind: type


class Varies(NamedTuple):
    """A number that may be another one at each run: given number `number`, if it fits."""

    number: int
    fits: Callable[[Any], bool]


class Companion(NamedTuple):
    """What goes along with events and is no tensor, another object each time: number `number`.

    The context of a custom function, the hooks of a result, a question of the engine's; `new`
    where this event is the first to bring it along.
    """

    number: int
    kind: type
    new: bool


class HooksOf(NamedTuple):
    """The hooks of a leaf, by the attribute that holds them."""

    leaf: Any
    attribute: str


class Asking(NamedTuple):
    """A result: the engine's question, companion number `number`, to `owner` about `given`."""

    number: int
    owner: Any
    given: tuple[Any, ...]
    grad_mode: bool


class Sequence(NamedTuple):
    """A tuple or list of patterns."""

    kind: type
    items: tuple[Any, ...]


class Mapping(NamedTuple):
    """Keyword arguments, or a dict with constant keys."""

    items: tuple[tuple[Any, Any], ...]


_ATOMS = (bool, int, float, complex, str, type(None), type(Ellipsis), type, np.dtype)


def constant(x: Any) -> Constant:
    """The pattern of an argument that is no tensor.

    Raises:
        Unrecordable: it has no value to compare with (an array, an object of the user's).
    """
    if isinstance(x, slice):
        for part in (x.start, x.stop, x.step):
            constant(part)
        return Constant(x, slice)
    if isinstance(x, (np.ndarray, np.generic, Tensor)) or not (
        isinstance(x, _ATOMS) or type(x).__module__.startswith("flambeau")
    ):
        raise Unrecordable(f"an argument of type {type(x).__name__}")
    return Constant(x, type(x))


class InputSpec:
    """What a tensor from outside must be like to stand where the recorded one stood.

    Attributes:
        copies: whether memory that is visible outside may be copied at each run.
    """

    __slots__ = (
        "cls", "copies", "dtype", "epoch", "hooked", "inference", "last", "leaf", "number",
        "remember", "requires_grad", "shape", "steps",
    )  # fmt: skip

    def __init__(self, t: Tensor, number: int):
        array = t._array
        self.number = number
        self.cls: Any = own_class(t)
        self.shape = array.shape
        self.dtype = array.dtype
        self.steps = array.strides
        self.requires_grad = t._requires_grad
        self.leaf = t._grad_fn is None  # otherwise its history has been used up
        self.inference = t._inference
        self.hooked = _hooked(t)
        self.last: Callable[[], Tensor | None] = _nothing
        self.epoch = -1
        self.remember = t._requires_grad and self.leaf
        self.copies = True

    @property
    def key(self) -> tuple:
        """What two specs have in common that admit the same tensors."""
        return (self.cls, self.shape, self.dtype, self.steps, self.requires_grad,
                self.leaf, self.inference, self.hooked)  # fmt: skip

    def knows(self, t: Any) -> bool:
        """Whether this very tensor was admitted before, and nothing has happened to it since."""
        return self.last() is t and self.epoch == state.epoch

    def admits(self, t: Any, run: Any) -> bool:
        """Whether a tensor fits; the long way, after which its identity is enough."""
        if type(t) is not self.cls:
            if not is_masked(t) or t.__dict__["_run"].closed is None:
                return False
            t.__dict__["_run"].deliver(t)  # a gradient of the step before, for instance
            if type(t) is not self.cls:
                return False
        array = t._array
        if (
            array.shape != self.shape or array.strides != self.steps or array.dtype != self.dtype
            or t._requires_grad is not self.requires_grad or (t._grad_fn is None) is not self.leaf
            or t._inference is not self.inference or _hooked(t) != self.hooked
        ):  # fmt: skip
            return False
        reason = unfit(t)
        if reason is not None and (reason is not VISIBLE or not self.copies):
            return False
        if self.remember:
            run.tracer.admissions += 1
        if reason is not None:
            keep(run, self.number, array)
        elif self.remember:
            storage_of(t).core.bound = True
            self.last, self.epoch = weakref.ref(t), state.epoch
        return True


def _nothing() -> None:
    return None


def _hooked(t: Tensor) -> tuple[bool, bool]:
    """Whether a backward asks a leaf's hooks, and those for grown gradients."""
    return bool(t._hooks), bool(t._post_accumulate_hooks)


def keep(run: Any, number: int, array: np.ndarray) -> None:
    """Copy an input that others may write to: it is read from now on; see `snapshots`."""
    if not run.snapshots:
        run.snapshots = {}
    run.snapshots[number] = array.tobytes()


def kept_from(run: Any, first: int) -> bool:
    """Whether an input from this number on has been copied: all of them are to be seen again."""
    return bool(run.snapshots) and max(run.snapshots) >= first


VISIBLE = "memory that is visible outside"


def unfit(t: Tensor) -> str | None:
    """Why a tensor cannot be an input of a segment; None if it can. VISIBLE memory is copied."""
    if t._plain and t._storage is None and t._array.flags.writeable:
        return None
    if t._device is not CPU:
        return "a tensor on another device"
    if t._grad_fn is not None and not isinstance(t._grad_fn, FreedNode):
        return "a tensor with a history from before, or of an op that depends on elements"
    view = t._view
    if view is not None and (t._requires_grad or view.base._requires_grad):
        return "a view of a tensor that requires grad"
    return VISIBLE if visible(t) else None


def takes(run: Any, specs: dict[int, InputSpec], pattern: Any, t: Any) -> bool:
    """Whether a tensor is what a pattern says; a new input is then the run's next one."""
    if type(pattern) is Result:
        return run.slots[pattern.slot] is t
    if not pattern.new:
        return run.inputs[pattern.number] is t
    spec = specs[pattern.number]
    if not spec.knows(t) and not (isinstance(t, Tensor) and spec.admits(t, run)):
        return False
    run.inputs.append(t)
    return True


# --- guards --------------------------------------------------------------------------------------


def same(a: Any, b: Any) -> bool:
    """Whether two constants are equal, down to the types inside."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, slice):
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    if isinstance(a, float):
        return a == b and (a != 0 or str(a) == str(b))  # the sign of zero
    return a is b or a == b


def rebuild(
    pattern: Any, results: list[Any], inputs: list[Any], numbers: list[float],
    companions: tuple = (),
) -> Any:  # fmt: skip
    """The arguments that a pattern stands for."""
    if isinstance(pattern, Result):
        return results[pattern.slot]
    if isinstance(pattern, Input):
        return inputs[pattern.number]
    if isinstance(pattern, Varies):
        return numbers[pattern.number]
    if isinstance(pattern, Constant):
        return pattern.value
    if isinstance(pattern, Companion):
        return companions[pattern.number]
    if isinstance(pattern, Sequence):
        items = [rebuild(item, results, inputs, numbers, companions) for item in pattern.items]
        kind: Any = pattern.kind
        return kind._make(items) if hasattr(kind, "_make") else kind(items)
    return {key: rebuild(item, results, inputs, numbers, companions) for key, item in pattern.items}


def key_of(pattern: Any, specs: dict[int, InputSpec]) -> Any:
    """A hashable form of a pattern: equal where the same calls fit."""
    if isinstance(pattern, Input):
        spec = specs[pattern.number].key if pattern.new else None
        return ("input", pattern.number, spec)
    if isinstance(pattern, Sequence):
        return ("sequence", pattern.kind, tuple(key_of(item, specs) for item in pattern.items))
    if isinstance(pattern, Mapping):
        return ("mapping", tuple((key, key_of(item, specs)) for key, item in pattern.items))
    if isinstance(pattern, Constant):
        return ("constant", pattern.kind, repr(pattern.value))
    return (type(pattern).__name__, *pattern)
