"""Which graph value an array holds: arrays that share memory, and what writes do to them.

While a segment is recorded everything runs eagerly, on real arrays; the recorder asks here which
value an array is. Memory is known by its root (the array that owns it); each has one current
value. A write gives the memory a new value, and every array over it that was known before is then
looked up again, as a strided view of the new one. Arrays and roots are known by their ids, which
are forgotten when they die; what is told of a memory outlives it, for results that nobody held in
the recording may be held in a replay.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple
from weakref import KeyedRef

import numpy as np

from ..autograd.tensor import Storage, Tensor, new
from ..graph.ir import REGION_WRITE, Value


class Unrecordable(Exception):
    """The segment does something that cannot be compiled; it stays eager. Says why."""


class Layout(NamedTuple):
    """How an array lies in memory, `strides` in bytes: known of it also when it is gone."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype
    address: int
    contiguous: bool


@dataclass(eq=False, slots=True)
class Memory:
    """The memory behind some arrays, while it lives and after.

    Attributes:
        layout: of the array that `value` describes.
        value: what it holds now.
        generation: how many writes it has seen in this recording; `uncounted`, those through
            tensors with a counter of their own, as `.data` gives them.
        source: which input it is, or None for memory that the segment made.
        split: several inputs are views of it: it may be read but not written.
    """

    layout: Layout
    value: Value
    generation: int = 0
    source: int | None = None
    split: bool = False
    uncounted: int = 0


class Spot(NamedTuple):
    """Where an array lies: its memory, and how it lies there."""

    memory: Memory
    layout: Layout


@dataclass(eq=False, slots=True)
class _Entry:
    """What an array has held since its memory's `generation`."""

    memory: Memory
    value: Value
    generation: int
    reference: Any  # to the array: when that dies the entry goes, before its id is used again


def root_of(array: np.ndarray) -> Any:
    """The object that owns an array's memory."""
    owner: Any = array
    while True:
        base = getattr(owner, "base", None)
        if base is None:
            # what sits between two arrays: a memoryview, or a bare description of memory
            base = getattr(owner, "obj", None)
            if base is None:
                base = getattr(owner, "owner", None)
        if base is None:
            return owner
        owner = base


def address(array: np.ndarray) -> int:
    """Where an array's first element lies."""
    return array.__array_interface__["data"][0]


def layout_of(array: np.ndarray) -> Layout:
    """How an array lies in memory."""
    contiguous = bool(array.flags.c_contiguous)
    return Layout(array.shape, array.strides, array.dtype, address(array), contiguous)


def element_strides(array: np.ndarray | Layout) -> tuple[int, ...]:
    """An array's strides in elements."""
    size = array.dtype.itemsize
    return tuple(step // size for step in array.strides)


def storage_in_frame(t: Tensor) -> Storage:
    """A tensor's storage, made on first need; a pending tensor is not asked for it."""
    frame = t.__dict__
    storage = frame.get("_storage")
    if storage is None:
        storage = frame["_storage"] = new(Storage)
        storage.array = frame["_array"]
    return storage


def aliased(t: Tensor) -> bool:
    """Whether other tensors see a tensor's memory: it may not be written late then."""
    storage = t.__dict__.get("_storage")
    if storage is None:
        return False
    core = storage.core
    known, known_core = _KNOWN if core is storage else _KNOWN_APART
    return sys.getrefcount(storage) > known or sys.getrefcount(core) > known_core


def _references(apart: bool) -> tuple[int, int]:
    """How often the storage of a tensor that nobody shares memory with is known, and its core."""
    t = new(Tensor)
    t.__dict__["_storage"] = Storage(np.empty(0), Storage(np.empty(0)) if apart else None)
    storage = t.__dict__["_storage"]
    core = storage.core
    return sys.getrefcount(storage), sys.getrefcount(core)


_KNOWN, _KNOWN_APART = _references(False), _references(True)


def _references_in_a_list() -> tuple[int, int]:
    held = [object()]
    by_place = sys.getrefcount(held[0])
    for item in held:
        in_a_loop = sys.getrefcount(item)
    return by_place, in_a_loop


# What getrefcount says of an item that only a list or tuple holds: of `items[0]`, and of `item` in
# a loop over them. Versions of Python differ: some count what a call's arguments borrow.
HELD_BY_PLACE, HELD_IN_LOOP = _references_in_a_list()


Emit = Callable[[str, tuple, dict], Value]


class Memories:
    """The memory that a recording has met.

    It keeps no array alive: a recording costs no more memory than the eager run that it is.
    """

    def __init__(self, emit: Emit):
        self.emit = emit
        by_root: dict[int, tuple[Memory, Any]] = {}
        entries: dict[int, _Entry] = {}
        self.by_root, self.entries = by_root, entries
        # these know the tables only: what a recording holds goes with it, not with a collection
        self._root_dies = lambda reference: by_root.pop(reference.key, None)
        self._array_dies = lambda reference: entries.pop(reference.key, None)
        self.met: set[Memory] = set()  # what the present event has looked at, or written

    def add_input(self, array: np.ndarray, value: Value, source: int) -> None:
        """Memory that comes from outside."""
        root = root_of(array)
        memory = self._at(root)
        if memory is None:
            memory = self._enter(root, Memory(layout_of(array), value, source=source))
        else:
            if memory.generation:
                raise Unrecordable("a view, made before the segment, of memory written in it")
            memory.split = True
        self._note(array, memory, value)

    def add_result(self, array: np.ndarray, value: Value) -> None:
        """What a primitive has computed: new memory, or a view of known memory."""
        root = root_of(array)
        memory = self._at(root)
        if memory is None:
            memory = self._enter(root, Memory(layout_of(array), value))
        self._note(array, memory, value)

    def forget(self) -> None:
        """The recording is over."""
        self.by_root.clear()
        self.entries.clear()
        del self.emit

    def _enter(self, root: Any, memory: Memory) -> Memory:
        try:
            holder = KeyedRef(root, self._root_dies, id(root))
        except TypeError:  # bytes, for instance: held, so that their ids stay their own
            holder = root
        self.by_root[id(root)] = memory, holder
        return memory

    def _note(self, array: np.ndarray, memory: Memory, value: Value) -> None:
        """An array holds `value`, as long as its memory is not written."""
        reference = KeyedRef(array, self._array_dies, id(array))
        self.entries[id(array)] = _Entry(memory, value, memory.generation, reference)

    def _at(self, root: Any) -> Memory | None:
        found = self.by_root.get(id(root))
        return None if found is None else found[0]

    def find(self, array: np.ndarray) -> Memory | None:
        """The memory that an array lies in, if it is known."""
        entry = self.entries.get(id(array))
        return entry.memory if entry is not None else self._at(root_of(array))

    def spot(self, array: np.ndarray) -> Spot | None:
        """Where an array lies, if its memory is known."""
        memory = self.find(array)
        return None if memory is None else Spot(memory, layout_of(array))

    def value(self, array: np.ndarray) -> Value:
        """What an array holds now.

        Raises:
            Unrecordable: nobody has said where it comes from.
        """
        entry = self.entries.get(id(array))
        memory = self.find(array) if entry is None else entry.memory
        if memory is None:
            raise Unrecordable("an array of unknown origin, made outside primitives")
        self.met.add(memory)
        if entry is not None and entry.generation == memory.generation:
            return entry.value
        layout = layout_of(array)
        if layout == memory.layout:
            value = memory.value
        else:
            name, params = step_to(memory, layout)
            value = self.emit(name, (memory.value,), params)
        self._note(array, memory, value)
        return value

    def write(self, array: np.ndarray, value: Value) -> Memory:
        """Let an array hold `value` (of its shape and dtype) from now on."""
        memory = self.find(array)
        if memory is None:
            raise Unrecordable("a write to an array of unknown origin")
        if memory.split:
            raise Unrecordable("a write to memory that several inputs share")
        self.met.add(memory)
        whole, layout = memory.layout, layout_of(array)
        if layout == whole:
            memory.value = value
        elif array.size == prod(whole.shape) and layout.contiguous and whole.contiguous:
            memory.value = self.emit("view", (value,), {"shape": whole.shape})
        else:
            name, params = step_to(memory, layout)
            steps = ((name, params, None),)
            memory.value = self.emit(REGION_WRITE, (memory.value, value), {"steps": steps})
        memory.generation += 1
        self._note(array, memory, value)
        return memory


def step_to(memory: Memory, layout: Layout) -> tuple[str, dict[str, Any]]:
    """The view primitive that leads from all of a memory to an array over it."""
    whole = memory.layout
    if whole.dtype != layout.dtype or not whole.contiguous:
        raise Unrecordable("a view of another dtype or of memory in another order")
    offset = (layout.address - whole.address) // whole.dtype.itemsize
    if prod(layout.shape) and not 0 <= offset < prod(whole.shape):
        raise Unrecordable("a view that begins outside of what the segment knows")
    params = {
        "shape": layout.shape, "strides": element_strides(layout), "offset": offset,
        "layout": (whole.shape, element_strides(whole), 0),
    }  # fmt: skip
    return "as_strided", params
