"""Programs: plans that run as one native call."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from struct import Struct
from typing import Any
from weakref import WeakSet

import numpy as np

from ..graph.ir import ProgramFault
from ..loops.plan import ARENA, INPUT, OBJECT, OUTPUT, STATIC, Callback, Plan, Step
from . import callbacks, frames, kernels, threads
from .frames import FrameMemory, Tables, Workspace, object_word
from .hazards import at_risk
from .layout import CALLBACK, FINISHED, START_POOL, Frame

_SHORT = 50_000  # nanoseconds of work: shorter programs keep Python's lock while they run
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
        self._fresh = [(shape, dtype) for shape, dtype, static in plan.outputs if not static]
        self._pack = Struct(f"=QQ{plan.inputs + len(self._fresh)}Q{plan.numbers}d").pack_into
        self._word = object_word()
        self._statics = {
            buffer.position: np.zeros(*plan.outputs[buffer.position][:2])
            for buffer in plan.buffers
            if buffer.kind == STATIC
        }
        self._tables = Tables(plan, self.natives, self._statics, self._pool.threads)
        self._need = self._tables.workspace
        self._pool.reserve(self._tables.scratch)
        self._risky, self._risky_generators = at_risk(plan)
        self._careful = bool(self._risky or self._risky_generators)
        # memory that all runs share: they take turns
        self._exclusive = bool(self._statics) or any(b.kind == OBJECT for b in plan.buffers)
        self.profile(False)
        self._make_frames()
        _programs.add(self)

    def run(self, inputs: Sequence[np.ndarray], numbers: Sequence[float] = ()) -> list[np.ndarray]:
        """Compute the outputs; inputs that the graph updates are written in place.

        Args:
            inputs: arrays with the shapes, dtypes and strides of the graph's inputs: nothing of
                that is checked here.
            numbers: the numbers' vector.

        Returns:
            Fresh C-contiguous arrays; a static output is the same array each time.

        Raises:
            ProgramFault: a kernel met what eager refuses; nothing was updated.
            Exception: what an eager rule raised; nothing was updated.
        """
        try:
            frame = self._frames.get_nowait()
        except Empty:
            frame = self._frames.get() if self._exclusive else self._new_frame()
        workspace = frames.take(self._need)
        try:
            empty, word = np.empty, self._word
            made = [empty(shape, dtype) for shape, dtype in self._fresh]
            objects = (*map(word, inputs), *map(word, made))
            self._pack(frame.words, _RUN, 0, workspace.address, *objects, *numbers)
            if self._careful:
                with self._restored(inputs):
                    status = self._call(frame.address)
                    self._go_on(status, frame, workspace, inputs, made, numbers)
            else:
                status = self._call(frame.address)
                if status:
                    self._go_on(status, frame, workspace, inputs, made, numbers)
        finally:
            frames.give_back(workspace)
            self._frames.put(frame)
        return self._outputs(made) if self._statics else made

    def profile(self, on: bool) -> None:
        """Whether runs add to `times` from now on."""
        work = sum(native.work for native in self.natives if native)
        kind = ctypes.PYFUNCTYPE if work < _SHORT else ctypes.CFUNCTYPE
        address = self._code["execute_timed" if on else "execute"]
        self._call = kind(ctypes.c_int, ctypes.c_void_p)(address)

    # --- the way beside the fast one ---------------------------------------------------------

    def _go_on(
        self,
        status: int,
        frame: FrameMemory,
        workspace: Workspace,
        inputs: Sequence[np.ndarray],
        made: list[np.ndarray],
        numbers: Sequence[float],
    ) -> None:
        """Do what native code asks for, and have it go on until it has finished."""
        while status != FINISHED:
            if status == START_POOL:
                self._pool.start()
            elif status == CALLBACK:
                step = self.plan.steps[int(frame.words[Frame.POSITION]) - 1]
                assert isinstance(step, Callback)
                base = self._base(workspace, inputs, made)
                callbacks.run(step, self.plan, base, inputs, numbers)
            else:
                position = int(frame.words[Frame.POSITION])
                code = int(frame.words[Frame.FAULT])
                raise ProgramFault(f"step {position} of program {self.name!r}: fault {code}")
            status = self._call(frame.address)

    def _base(
        self, workspace: Workspace, inputs: Sequence[np.ndarray], made: list[np.ndarray]
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
                array = made[self._tables.fresh[buffer.position]]
            else:
                array = self._statics[buffer.position] if buffer.kind == STATIC else buffer.array
            return array.__array_interface__["data"][0]

        return base

    @contextmanager
    def _restored(self, inputs: Sequence[np.ndarray]) -> Iterator[None]:
        """Put memory back that was written before a fault."""
        targets: list[Any] = [
            inputs[b.position] if b.kind == INPUT else b.array
            for b in (self.plan.buffers[number] for number in self._risky)
        ]
        copies = [target.copy() for target in targets]
        states = [(generator, generator.to_bytes()) for generator in self._risky_generators]
        try:
            yield
        except BaseException:
            for target, copy in zip(targets, copies):
                target[...] = copy
            for generator, state in states:
                generator.from_bytes(state)
            raise

    def _outputs(self, made: list[np.ndarray]) -> list[np.ndarray]:
        fresh = iter(made)
        return [
            self._statics[place] if static else next(fresh)
            for place, (_, _, static) in enumerate(self.plan.outputs)
        ]

    def _new_frame(self) -> FrameMemory:
        return FrameMemory(self._tables, self._pool, self.times, self._objects, self.plan.numbers)

    @property
    def _objects(self) -> int:
        return self.plan.inputs + len(self._fresh)

    def _make_frames(self) -> None:
        """Frames that no run uses; the first one here, more as threads ask for them."""
        self._frames: SimpleQueue[FrameMemory] = SimpleQueue()
        self._frames.put(self._new_frame())


_RUN = 8 * Frame.POSITION  # where Python's words begin


def _after_fork() -> None:
    """A frame that another thread was using when this process was forked never comes back."""
    frames.forget()
    for program in _programs:
        program._make_frames()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
