"""Which graph value an array holds: arrays that share memory, and what writes do to them.

While a segment is recorded everything runs eagerly, on real arrays; the recorder asks here which
value an array is. Memory is known by its root (the array that owns it); each has one current
value. A write gives the memory a new value, and every array over it that was known before is then
looked up again, as a strided view of the new one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd.tensor import Storage, Tensor, new
from ..graph.ir import REGION_WRITE, Value


class Unrecordable(Exception):
    """The segment does something that cannot be compiled; it stays eager. Says why."""


@dataclass(eq=False, slots=True)
class Memory:
    """The memory behind some arrays.

    Attributes:
        owner: the array that `value` describes.
        value: what it holds now.
        generation: how many writes it has seen in this recording.
        source: which input it is, or None for memory that the segment made.
        split: several inputs are views of it: it may be read but not written.
    """

    owner: np.ndarray
    value: Value
    generation: int = 0
    source: int | None = None
    split: bool = False


@dataclass(eq=False, slots=True)
class _Entry:
    array: np.ndarray  # held, so that its id stays its own
    memory: Memory
    value: Value
    generation: int


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


def element_strides(array: np.ndarray) -> tuple[int, ...]:
    """An array's strides in elements."""
    return tuple(step // array.itemsize for step in array.strides)


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
    # those who know it: the tensor, `storage` and `core` here, and getrefcount's argument
    return core is not storage or sys.getrefcount(core) > _KNOWN


def _references() -> int:
    t = new(Tensor)
    t.__dict__["_storage"] = new(Storage)
    storage = t.__dict__["_storage"]
    core = storage.core
    return sys.getrefcount(core)


_KNOWN = _references()


Emit = Callable[[str, tuple, dict], Value]


class Memories:
    """The memory that a recording has met."""

    def __init__(self, emit: Emit):
        self.emit = emit
        self.by_root: dict[int, Memory] = {}
        self.entries: dict[int, _Entry] = {}
        self.held: list[Any] = []  # roots, so that their ids stay their own

    def knows(self, array: np.ndarray) -> bool:
        """Whether an array's value can be told."""
        return id(array) in self.entries or id(root_of(array)) in self.by_root

    def add_input(self, array: np.ndarray, value: Value, source: int) -> None:
        """Memory that comes from outside."""
        root = root_of(array)
        memory = self.by_root.get(id(root))
        if memory is None:
            memory = Memory(array, value, source=source)
            self._enter(root, memory)
        else:
            if memory.generation:
                raise Unrecordable("a view, made before the segment, of memory written in it")
            memory.split = True
        self.entries[id(array)] = _Entry(array, memory, value, memory.generation)

    def add_result(self, array: np.ndarray, value: Value) -> None:
        """What a primitive has computed: new memory, or a view of known memory."""
        root = root_of(array)
        memory = self.by_root.get(id(root))
        if memory is None:
            memory = Memory(array, value)
            self._enter(root, memory)
        self.entries[id(array)] = _Entry(array, memory, value, memory.generation)

    def forget(self) -> None:
        """Hold no array any more: the recording is over."""
        self.by_root.clear()
        self.entries.clear()
        self.held.clear()

    def _enter(self, root: Any, memory: Memory) -> None:
        self.by_root[id(root)] = memory
        self.held.append(root)

    def find(self, array: np.ndarray) -> Memory | None:
        """The memory that an array lies in, if it is known."""
        entry = self.entries.get(id(array))
        return entry.memory if entry is not None else self.by_root.get(id(root_of(array)))

    def value(self, array: np.ndarray) -> Value:
        """What an array holds now.

        Raises:
            Unrecordable: nobody has said where it comes from.
        """
        entry = self.entries.get(id(array))
        if entry is not None and entry.generation == entry.memory.generation:
            return entry.value
        memory = self.find(array)
        if memory is None:
            raise Unrecordable("an array of unknown origin, made outside primitives")
        if same_place(array, memory.owner):
            value = memory.value
        else:
            name, params = self.step_from_owner(memory, array)
            value = self.emit(name, (memory.value,), params)
        self.entries[id(array)] = _Entry(array, memory, value, memory.generation)
        return value

    def step_from_owner(self, memory: Memory, array: np.ndarray) -> tuple[str, dict[str, Any]]:
        """The view primitive that leads from a memory's owner to another array over it."""
        owner = memory.owner
        if owner.dtype != array.dtype or not owner.flags.c_contiguous:
            raise Unrecordable("a view of another dtype or of memory in another order")
        offset = (address(array) - address(owner)) // owner.itemsize
        if array.size and not 0 <= offset < owner.size:
            raise Unrecordable("a view that begins outside of what the segment knows")
        params = {
            "shape": array.shape, "strides": element_strides(array), "offset": offset,
            "layout": (owner.shape, element_strides(owner), 0),
        }  # fmt: skip
        return "as_strided", params

    def write(self, array: np.ndarray, value: Value) -> Memory:
        """Let an array hold `value` (of its shape and dtype) from now on."""
        memory = self.find(array)
        if memory is None:
            raise Unrecordable("a write to an array of unknown origin")
        if memory.split:
            raise Unrecordable("a write to memory that several inputs share")
        owner = memory.owner
        if same_place(array, owner):
            memory.value = value
        elif array.size == owner.size and array.flags.c_contiguous and owner.flags.c_contiguous:
            memory.value = self.emit("view", (value,), {"shape": owner.shape})
        else:
            name, params = self.step_from_owner(memory, array)
            steps = ((name, params, None),)
            memory.value = self.emit(REGION_WRITE, (memory.value, value), {"steps": steps})
        memory.generation += 1
        self.entries[id(array)] = _Entry(array, memory, value, memory.generation)
        return memory


def same_place(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are the same elements in the same order."""
    return a is b or (
        a.shape == b.shape and a.strides == b.strides and a.dtype == b.dtype
        and address(a) == address(b)
    )  # fmt: skip
