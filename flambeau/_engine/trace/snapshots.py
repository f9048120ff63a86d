"""Inputs whose memory others may write to, as they were when a segment first read them.

Such memory is never read late. It is copied where an event binds it; the program computes from the
copy, and each later event that reads it compares first: what another has written in between is no
longer what has been promised, so the guard fails. Results that are views lie in the memory itself.

A side exit computes from the copies too, where the memory has changed. What it makes then, and what
the tape keeps, is put back onto the memory: a backward later on reads what is there by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from ..autograd.exposure import visible
from ..autograd.node import Node, PrimitiveNode, Saved
from ..autograd.tensor import Tensor
from ..eager.views import strided
from ..prims import PRIMITIVES
from .memory import Unrecordable, address, root_of
from .pattern import Input, keep
from .pending import is_masked

SMALL = 1 << 16  # bytes that may always be copied
RESULTS = 8  # more may be if it is not more than so many times what the segment computes


def unchanged(run: Any, numbers: frozenset[int]) -> bool:
    """Whether the memory of these inputs is what it was, where it has been copied."""
    inputs = run.inputs
    return all(
        number not in numbers or inputs[number].__dict__["_array"].tobytes() == data
        for number, data in run.snapshots.items()
    )


def array_of(run: Any, number: int) -> np.ndarray:
    """An input as it was, laid out as it is."""
    array = run.inputs[number].__dict__["_array"]
    copy = np.ndarray(array.shape, array.dtype, run.snapshots[number])
    if array.flags.c_contiguous:
        return copy
    low, high = np.lib.array_utils.byte_bounds(array)
    memory = np.empty(high - low, np.uint8)
    alike = np.ndarray(array.shape, array.dtype, memory, address(array) - low, array.strides)
    alike[...] = copy
    return alike


def put(run: Any, ending: Any, arrays: list[Any]) -> None:
    """Let a program read the copies, and write to the memory itself."""
    for number in run.snapshots:
        place = ending.place_of_input.get(number)
        if place is not None:
            written = number in ending.written
            frame = run.inputs[number].__dict__
            arrays[place] = frame["_array"] if written else array_of(run, number)


def looked_at(recording: Any, count: int) -> frozenset[int]:
    """Which of the first inputs lie in memory that the present event has read or written."""
    memories = recording.recorder.memories
    found = (memories.find(t.__dict__["_array"]) for t in recording.inputs[:count])
    return frozenset(number for number, memory in enumerate(found) if memory in memories.met)


def may_be_seen(tracer: Any, array: np.ndarray) -> bool:
    """Whether what is pending stays right if somebody outside writes to an array from now on."""
    run, recording = tracer.run, tracer.recording
    if recording is not None:
        memory = recording.recorder.memories.find(array)
        return memory is None or (memory.source is not None and not memory.generation)
    return run is None or not run.knows(array) or _keep_before(run, array)


def _keep_before(run: Any, array: np.ndarray) -> bool:
    """Copy inputs that share memory with an array, as long as nobody else has it."""
    root = root_of(array)
    if any(root_of(held) is root for held, _ in run.settled.values()):
        return False
    copies = {n: spec.copies for node in run.cursor.path() for n, spec in node.specs.items()}
    for number, t in enumerate(run.inputs):
        held = t.__dict__.get("_array")
        if number in run.snapshots or held is None or root_of(held) is not root:
            continue
        if is_masked(t) or not copies.get(number, False):
            return False
        keep(run, number, held)
    return True


def admit(recording: Any) -> None:
    """A recording is over: which inputs may be copied at each run.

    Raises:
        Unrecordable: visible memory is too large for that, or is written late.
    """
    made = (
        prod(value.shape) * value.dtype.itemsize
        for node in recording.recorder.nodes
        if node.name not in PRIMITIVES or not PRIMITIVES[node.name].view
        for value in node.outputs
    )
    most = max(SMALL, RESULTS * sum(made))
    for node in recording.events:
        for number, spec in node.specs.items():
            t = recording.inputs[number]
            spec.copies = t.__dict__["_array"].nbytes <= most
            if not spec.copies and visible(t):
                raise Unrecordable("memory that is visible outside, and too large to be copied")
        late = node is not recording.events[-1]
        written = (recording.inputs[p.number] for p in node.dirty if isinstance(p, Input))
        if late and any(map(visible, written)):
            raise Unrecordable("memory that is visible outside is written before the end")


# --- side exits -----------------------------------------------------------------------------------


@contextmanager
def past(run: Any, results: list[Tensor]) -> Iterator[None]:
    """Let inputs be what they were when they were read; `results` are made in the meantime."""
    changed = [n for n in run.snapshots if not unchanged(run, frozenset((n,)))]
    real = {number: run.inputs[number].__dict__["_array"] for number in changed}
    places = {}
    for number in changed:
        copy = array_of(run, number)
        run.inputs[number].__dict__["_array"] = copy
        places[id(root_of(copy))] = copy, real[number]
    run.copied = places
    try:
        yield
    finally:
        for number in changed:
            run.inputs[number].__dict__["_array"] = real[number]
        if places:
            _put_back(results, places)


def _put_back(results: list[Tensor], places: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
    """Results that are views of a copy, and what the tape keeps of it, are views of the memory."""

    def move(t: Tensor | None) -> None:
        if t is not None:
            frame = t.__dict__
            frame["_array"] = _moved(frame["_array"], places)

    def move_saved(saved: Saved) -> Saved:
        t, array, storage, version = saved
        move(t)
        return t, None if array is None else _moved(array, places), storage, version

    for t in results:
        move(t)
    for node in _nodes_behind(results):
        if isinstance(node, PrimitiveNode):
            node.saved = {position: move_saved(saved) for position, saved in node.saved.items()}
            if node.saved_out is not None:
                node.saved_out = tuple(map(move_saved, node.saved_out))


def _nodes_behind(results: Iterable[Tensor]) -> set[Node]:
    """The tape of these tensors."""
    found: set[Node] = set()
    stack = [t.__dict__.get("_grad_fn") for t in results]
    while stack:
        node = stack.pop()
        if isinstance(node, Node) and node not in found:
            found.add(node)
            stack += [edge[0] for edge in node.edges if edge is not None]
    return found


def _moved(array: np.ndarray, places: dict[int, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """An array over a copy, as the same view of the memory; others as they are."""
    found = places.get(id(root_of(array)))
    if found is None:
        return array
    copy, real = found
    offset = address(array) - address(copy)
    if array.dtype == real.dtype:
        return strided(real, array.shape, array.strides, offset)
    return np.ndarray(array.shape, array.dtype, real, offset, array.strides)  # type: ignore
