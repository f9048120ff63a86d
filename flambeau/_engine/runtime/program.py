"""Programs: plans that run as one native call."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from queue import Empty, SimpleQueue
from struct import Struct
from typing import Any
from weakref import WeakSet

import numpy as np

from ..graph.ir import ProgramFault
from ..loops.plan import ARENA, INPUT, OBJECT, OUTPUT, STATIC, Callback, Plan, Step
from . import callbacks, frames, kernels, objects, statistics, threads
from .frames import FrameMemory, Tables, Workspace
from .hazards import at_risk
from .layout import Frame, Status
from .statistics import StepFacts

# Nanoseconds of work: shorter programs keep Python's lock while they run. Who gives it up may wait
# 5 ms to have it back from a thread that computes; and Python itself holds it as long.
_SHORT = 200_000
_programs: WeakSet[Program] = WeakSet()


class Program:
    """A plan as native code.

    Attributes:
        name: for people.
        plan: what it was made from.
        natives: code of each step; None for a callback.
        times: nanoseconds of each step, added up while `profile` is on.
    """

    def __init__(self, plan: Plan, name: str = ""):
        """Compile a plan, or find its kernels compiled.

        Raises:
            NotImplementedError: a kernel that no emitter knows.
        """
        self.name = name
        self.plan = plan
        loaded = iter(kernels.load(s.kernel for s in plan.steps if isinstance(s, Step)))
        self.natives = [next(loaded) if isinstance(s, Step) else None for s in plan.steps]
        self.times = np.zeros(len(plan.steps), np.int64)
        self._code = kernels.executor_code()
        self._pool = threads.pool(self._code)
        outputs = enumerate(plan.outputs)
        self._fresh = [(at, shape, dtype) for at, (shape, dtype, static) in outputs if not static]
        self._pack = Struct(f"={plan.inputs + len(plan.outputs)}Q{plan.numbers}d").pack_into
        self._statics = {
            buffer.position: np.zeros(*plan.outputs[buffer.position][:2])
            for buffer in plan.buffers
            if buffer.kind == STATIC
        }
        self._outputs = [self._statics.get(at) for at in range(len(plan.outputs))]
        self._tables = Tables(plan, self.natives, self._statics)
        self._buffers_at_risk, self._generators = at_risk(plan)
        self._risky = bool(self._buffers_at_risk or self._generators)
        work = sum(native.work for native in self.natives if native)
        self._keeps_lock = objects.known() and None not in self.natives and work < _SHORT
        self._keeps_lock = self._keeps_lock and not self._risky
        # memory that all runs share: without Python's lock, they take turns
        shared = bool(self._statics) or any(b.kind == OBJECT for b in plan.buffers)
        self._exclusive = shared and not self._keeps_lock
        self._pool.reserve(self._tables.scratch)
        if self._keeps_lock:
            self._pool.reserve_common(self._tables.workspace)
        self._frame = self._new_frame()
        self._make_frames()
        self.profile(False)
        _programs.add(self)

    def run(self, inputs: Sequence[np.ndarray], numbers: Sequence[float] = ()) -> list[np.ndarray]:
        """Compute the outputs; inputs that the graph updates are written in place.

        Args:
            inputs: arrays with the shapes, dtypes and strides of the graph's inputs: nothing of
                that is checked here. A list or tuple is read fastest.
            numbers: the numbers' vector, likewise.

        Returns:
            Fresh C-contiguous arrays; a static output is the same array each time.

        Raises:
            ProgramFault: a kernel, or an eager rule, met what eager refuses; nothing was updated.
        """
        outputs: list[Any] = self._outputs.copy()
        for place, shape, dtype in self._fresh:
            outputs[place] = _empty(shape, dtype)
        if self._keeps_lock:
            # under Python's lock from the reading of its objects to the end: no frame of its own
            status = self._run(inputs, outputs, numbers)
            if status:
                if status == Status.OTHER_OBJECTS:
                    self._run_apart(inputs, outputs, numbers)
                else:
                    self._settle(status)
        else:
            self._run_apart(inputs, outputs, numbers)
        return outputs

    def profile(self, on: bool) -> None:
        """Whether runs add to `times` from now on; see `statistics` for what to make of it."""
        run, execute = ("run_timed", "execute_timed") if on else ("run", "execute")
        item = ctypes.py_object
        reads = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, item, item, item)
        self._load = reads(self._code["load"])
        if self._keeps_lock:
            self._run = objects.python_function(self._code[run], self._frame.words)
        kind = ctypes.PYFUNCTYPE if self._keeps_lock else ctypes.CFUNCTYPE
        self._execute = kind(ctypes.c_int, ctypes.c_void_p)(self._code[execute])

    def describe(self) -> list[StepFacts]:
        """The facts of each step: kind, text, bytes, operations, event."""
        return statistics.describe(self)

    def time_steps(
        self, inputs: Sequence[np.ndarray], numbers: Sequence[float], repeats: int = 10
    ) -> list[int]:
        """The least nanoseconds of each step in some runs on copies of the inputs."""
        return statistics.time_steps(self, inputs, numbers, repeats)

    # --- the way beside the fast one ---------------------------------------------------------

    def _run_apart(
        self, inputs: Sequence[np.ndarray], outputs: list[np.ndarray], numbers: Sequence[float]
    ) -> None:
        """A run with a frame and scratch memory of its own, without Python's lock."""
        try:
            frame = self._frames.get_nowait()
        except Empty:
            frame = self._frames.get() if self._exclusive else self._new_frame()
        workspace = frames.take(self._tables.workspace)
        try:
            _BEGIN(frame.words, 8 * Frame.ARENA, workspace.address, 0)
            if not (objects.known() and self._load(frame.address, inputs, outputs, numbers)):
                addresses = map(objects.data, (*inputs, *outputs))
                self._pack(frame.words, 8 * Frame.OBJECTS, *addresses, *numbers)
            with self._restored(inputs) if self._risky else _NOTHING:
                status = self._execute(frame.address)
                while status == Status.CALLBACK:
                    step = self.plan.steps[int(frame.words[Frame.POSITION]) - 1]
                    assert isinstance(step, Callback)
                    base = self._base(workspace, inputs, outputs)
                    callbacks.run(step, self.plan, base, inputs, numbers)
                    status = self._execute(frame.address)
                if status:
                    self._settle(status)
        finally:
            frames.give_back(workspace)
            self._frames.put(frame)

    def _settle(self, status: int) -> None:
        """After a run that did not simply finish."""
        if status == Status.NO_THREADS:
            self._pool.start()  # the next run has them
        else:
            raise ProgramFault(f"step {status >> 8} of program {self.name!r}")

    def _base(
        self, workspace: Workspace, inputs: Sequence[np.ndarray], outputs: list[np.ndarray]
    ) -> Callable[[int], int]:
        """A function from a buffer's number to its address in this run."""

        def base(number: int) -> int:
            buffer = self.plan.buffers[number]
            if buffer.kind == ARENA:
                return workspace.address + buffer.offset
            array: Any
            if buffer.kind == INPUT:
                array = inputs[buffer.position]
            elif buffer.kind == OUTPUT:
                array = outputs[buffer.position]
            else:
                array = self._statics[buffer.position] if buffer.kind == STATIC else buffer.array
            return objects.data(array)

        return base

    @contextmanager
    def _restored(self, inputs: Sequence[np.ndarray]) -> Iterator[None]:
        """Put memory back that was written before a fault."""
        targets: list[Any] = [
            inputs[b.position] if b.kind == INPUT else b.array
            for b in (self.plan.buffers[number] for number in self._buffers_at_risk)
        ]
        copies = [target.copy() for target in targets]
        states = [(generator, generator.to_bytes()) for generator in self._generators]
        try:
            yield
        except BaseException:
            for target, copy in zip(targets, copies):
                target[...] = copy
            for generator, state in states:
                generator.from_bytes(state)
            raise

    def _make_frames(self) -> None:
        """Frames that no run uses: the only one here, or as many as threads ask for."""
        self._frames: SimpleQueue[FrameMemory] = SimpleQueue()
        if self._exclusive:
            self._frames.put(self._new_frame())

    def _new_frame(self) -> FrameMemory:
        return FrameMemory(self.plan, self._tables, self._pool, self.times)


_empty = np.empty
_BEGIN = Struct("=QQ").pack_into  # ARENA and POSITION
_NOTHING = nullcontext()


def _after_fork() -> None:
    """A frame that another thread was using when this process was forked never comes back."""
    frames.forget()
    for program in _programs:
        program._make_frames()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
