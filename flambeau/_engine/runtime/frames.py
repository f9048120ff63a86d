"""What a run works on: the frame of words that native code reads, and scratch memory."""

from __future__ import annotations

from collections.abc import Sequence
from queue import Empty, SimpleQueue

import numpy as np

from ..loops.plan import ARENA, INPUT, OUTPUT, STATIC, Plan, Step
from .kernels import Native
from .layout import Frame, Record
from .threads import ThreadPool, aligned, get_num_threads, processors

_LINE = 64  # bytes to which scratch memory after the arena is aligned
# Enough that a thread that comes late does not hold up the others; each costs a product the
# packing of its panels once more: 9% with four, 3% with two (128x256 over 784 on two threads).
_CHUNKS_A_THREAD = 2
_LEAST_WORK = 20_000  # nanoseconds from which on a step is divided
_LEAST_CHUNK = 5_000  # nanoseconds of a chunk


class Workspace:
    """Scratch memory of a running program; the next program to run uses it again."""

    __slots__ = ("_memory", "address", "size")

    def __init__(self, size: int):
        self._memory = aligned(size)
        self.address = self._memory.ctypes.data
        self.size = size


class _Idle:
    """Workspaces that no run uses."""

    queue: SimpleQueue[Workspace] = SimpleQueue()


def take(size: int) -> Workspace:
    """Scratch memory of at least `size` bytes, to be given back after the run."""
    try:
        workspace = _Idle.queue.get_nowait()
    except Empty:
        return Workspace(size)
    return workspace if workspace.size >= size else Workspace(size)


def give_back(workspace: Workspace) -> None:
    """Leave scratch memory for the next run."""
    _Idle.queue.put(workspace)


def forget() -> None:
    """After a fork: begin without workspaces."""
    _Idle.queue = SimpleQueue()


class Tables:
    """A plan's steps as native code reads them; frames copy what a run changes.

    Attributes:
        records: one row a step, see `layout.Record`; POINTERS is left to the frame.
        first: the place of each step's first pointer.
        pointers: all steps' pointers, with the addresses that never change filled in.
        bindings, arena_bindings: where the others go.
        workspace: bytes of scratch memory that a run needs.
        scratch: bytes of them that each worker needs for itself, too.
    """

    def __init__(
        self,
        plan: Plan,
        natives: Sequence[Native | None],
        statics: dict[int, np.ndarray],
    ):
        self._plan, self._statics = plan, statics
        self.scratch = max((native.scratch for native in natives if native), default=0)
        self._arena = -(-plan.arena_bytes // _LINE) * _LINE
        self.workspace = self._arena + self.scratch
        self.pointers: list[int] = []
        self._bindings: list[tuple[int, int, int]] = []
        self._arena_bindings: list[tuple[int, int]] = []
        first, records = [], []
        for step, native in zip(plan.steps, natives, strict=True):
            first.append(len(self.pointers))
            record = [0] * Record.SIZE
            if native is not None and isinstance(step, Step):
                self._add_pointers(step, native)
                record[Record.KERNEL] = native.address
                record[Record.TASKS] = native.tasks
                record[Record.CHUNK] = _chunk(native)
                record[Record.COUNT] = len(step.arguments)
                record[Record.SCRATCH] = int(native.scratch > 0)
            records.append(record)
        self.first = np.array(first, np.int64)
        self.records = np.array(records, np.int64).reshape(-1, Record.SIZE)
        self.bindings = np.array(self._bindings, np.int64).reshape(-1, 3)
        self.arena_bindings = np.array(self._arena_bindings, np.int64).reshape(-1, 2)

    def _add_pointers(self, step: Step, native: Native) -> None:
        for number, offset in step.arguments:
            buffer, place = self._plan.buffers[number], len(self.pointers)
            fixed = 0
            if buffer.kind == INPUT:
                self._bindings.append((place, buffer.position, offset))
            elif buffer.kind == OUTPUT:
                self._bindings.append((place, self._plan.inputs + buffer.position, offset))
            elif buffer.kind == ARENA:
                self._arena_bindings.append((place, buffer.offset + offset))
            else:
                static = buffer.kind == STATIC
                array = self._statics[buffer.position] if static else buffer.array
                assert array is not None
                fixed = array.ctypes.data + offset
            self.pointers.append(fixed)
        if native.scratch:
            self._arena_bindings.append((len(self.pointers), self._arena))
            self.pointers.append(0)


def _chunk(native: Native) -> int:
    """How many tasks a thread takes at a time; all of them where dividing does not pay."""
    if native.work < _LEAST_WORK or native.tasks < 2:
        return max(native.tasks, 1)
    threads = max(get_num_threads(), processors())  # their number may be raised later
    chunks = min(native.tasks, _CHUNKS_A_THREAD * threads, native.work // _LEAST_CHUNK)
    return -(-native.tasks // chunks)


class FrameMemory:
    """The words of one run at a time, and the tables that they lead to.

    Attributes:
        words: see `layout.Frame`.
        address: of the words.
    """

    __slots__ = ("_tables", "address", "words")

    def __init__(self, plan: Plan, tables: Tables, pool: ThreadPool, times: np.ndarray):
        pointers = aligned(8 * len(tables.pointers))
        pointers[: len(tables.pointers)] = tables.pointers
        records = tables.records.copy()
        records[:, Record.POINTERS] = pointers.ctypes.data + 8 * tables.first
        self._tables = (pointers, records, tables, pool, times)
        objects = plan.inputs + len(plan.outputs)
        self.words = words = aligned(8 * (Frame.OBJECTS + objects + plan.numbers))
        self.address = words.ctypes.data
        words[Frame.STEPS], words[Frame.STEP_COUNT] = records.ctypes.data, len(records)
        words[Frame.BINDINGS] = tables.bindings.ctypes.data
        words[Frame.BINDING_COUNT] = len(tables.bindings)
        words[Frame.ARENA_BINDINGS] = tables.arena_bindings.ctypes.data
        words[Frame.ARENA_BINDING_COUNT] = len(tables.arena_bindings)
        words[Frame.POINTERS] = pointers.ctypes.data
        words[Frame.INPUT_COUNT] = plan.inputs
        words[Frame.OUTPUT_COUNT] = len(plan.outputs)
        words[Frame.NUMBER_COUNT] = plan.numbers
        words[Frame.NUMBERS] = self.address + 8 * (Frame.OBJECTS + objects)
        words[Frame.POOL] = pool.address
        words[Frame.TIMES] = times.ctypes.data
