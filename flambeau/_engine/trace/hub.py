"""Where the rest of flambeau meets the tracers: the mode, and a tracer for each thread."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd.data import GET_DATA, SET_DATA
from ..autograd.events import Event
from ..autograd.mode import mode
from ..autograd.tensor import Tensor, mark_requires_grad, new
from ..autograd.views import ViewInfo
from ..base import config, state
from ..base.devices import CPU
from . import recorder as recorders
from .log import LOG, mistaken
from .modules import ModuleGuard, ModulePlan, plan_of
from .pattern import InputSpec
from .pending import is_masked, masked_class
from .play import MISS
from .run import Run
from .segment import STEP, TraceNode
from .snapshots import may_be_seen
from .tracer import Tracer

MODES = ("off", "auto", "force")


def _compile_graph(graph: Any, name: str) -> Any:
    from ..runtime import available, compile_graph

    if not available():  # llvmlite is there, but not one that serves
        HUB.set_mode("off")
    return compile_graph(graph, name)


def _native_code() -> bool:
    from importlib.util import find_spec

    return find_spec("llvmlite") is not None


class _Local(threading.local):
    tracer: Tracer | None = None


class Hub:
    """The one object behind `state.on_op` and `state.tracer`.

    Attributes:
        mode: "off", "auto" (compile what repeats) or "force" (compile at first sight).
        compile_graph: makes a program of a graph.
        strict: raise the compiler's own errors, for tests; otherwise such segments stay eager.
        may_record: whether side exits record the new way.
    """

    def __init__(self) -> None:
        self.mode = "off"
        self.compile_graph: Callable[[Any, str], Any] = _compile_graph
        self.strict = False
        self.may_record = True
        self.local = _Local()
        self.tracers: weakref.WeakSet[Tracer] = weakref.WeakSet()
        self.on_op = self._python = _dispatcher(self)
        self.table_of: Callable[[Any], tuple[bytes | None, list[Any]]] | None = None

    # --- the mode -----------------------------------------------------------------------------

    def set_mode(self, mode: str) -> None:
        """Switch between "off", "auto" and "force".

        Raises:
            ValueError: another word.
        """
        if mode not in MODES:
            raise ValueError(f"the JIT's mode is one of {', '.join(MODES)}, not {mode!r}")
        self.settle()
        if mode != "off" and self.compile_graph is _compile_graph and not _native_code():
            mode = "off"
        if (mode == "off") != (self.mode == "off"):
            self._interpose(mode != "off")
        self.mode = mode

    def _interpose(self, on: bool) -> None:
        if on:
            state.tracer = self
            if state.on_op is None:
                state.on_op = self.on_op
        else:
            state.tracer = None
            if state.on_op in (self.on_op, self._python):
                state.on_op = None

    def tracer(self) -> Tracer:
        """This thread's tracer."""
        tracer = self.local.tracer
        if tracer is None:
            tracer = self.local.tracer = Tracer(self)
            self.tracers.add(tracer)
        return tracer

    def rest(self) -> None:
        """In a process that was forked to load data: begin nothing new."""
        self.mode = "off"
        self._interpose(False)

    def clear(self) -> None:
        """Forget everything recorded by this thread."""
        self.settle()
        self.local.tracer = None
        LOG.clear()

    def forget(self) -> None:
        """What has been recorded, by any thread, may do other things from now on."""
        self.settle("a default was changed")
        for tracer in list(self.tracers):
            tracer.forget()

    def inner(self, outer: Any) -> Any:
        """Who has the dispatch point inside an op: autocast, or nobody."""
        if mode.casting is not None:
            return mode.casting.hook
        return None if outer is None or outer in (self.on_op, self._python) else outer

    def restored(self, before: Any) -> Any:
        """Who has it again afterwards (another thread may have hidden this one's hook)."""
        if before is None or before is self._python:
            return self.on_op if self.mode != "off" else None
        return before

    def quicken(self) -> Callable[[Any], tuple[bytes | None, list[Any]]] | None:
        """There is something to replay: from now on native code looks at events first.

        Returns:
            What makes an event's table; None without native code.
        """
        if self.on_op is self._python and self.table_of is None:
            from ..runtime import available

            if not available():
                return None
            from ..runtime import guards
            from .quick import table_of

            self.table_of = table_of
            if guards.known():
                native = guards.dispatcher(
                    (InputSpec, ModuleGuard, ModulePlan, TraceNode, Tracer, ViewInfo),
                    local=self.local, mode=mode, state=vars(state), slow=self._python,
                    run_class=Run, masked=masked_class(Tensor), new=new, cpu=CPU,
                )  # fmt: skip
                if state.on_op is self._python:
                    state.on_op = native
                self.on_op = native
        return self.table_of

    # --- events ---------------------------------------------------------------------------------

    def step(self, rule: Any, groups: Any, states: Any) -> bool:
        """An optimizer steps; False where it is to be done in the usual way."""
        tracer = self.tracer()
        if tracer.off:
            tracer.boundary()  # by a hook of an eager backward, perhaps: the next event begins anew
        if tracer.busy or tracer.off:
            return False
        self._python(STEP, (rule, groups, states), {})  # native guards leave the end to Python
        tracer.boundary()
        return True

    def call_module(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """A module of a built-in class is called."""
        if state.on_op is self.on_op:  # not inside another event
            plan = module.__dict__.get("_plan")
            if plan is None or plan.epoch != state.modules:
                plan = self._plan(module)
            if plan is not None and plan.whole:
                return self.on_op(plan.descriptor, (module, *args), kwargs)
        return module._call_forward(*args, **kwargs)

    def _plan(self, module: Any) -> Any:
        members = module.__dict__
        if "_plan" not in members and not (members["_parameters"] or members["_modules"]):
            members["_plan"] = None  # a criterion may be made anew for each step: wait for a call
            return None
        try:
            return plan_of(module)
        except Exception as error:
            mistaken(type(module).__name__, error)
            return None

    def watching(self) -> bool:
        """Whether this thread has a segment open, in which assignments are events."""
        tracer = self.local.tracer
        return tracer is not None and (tracer.run is not None or tracer.recording is not None)

    def set_grad(self, leaf: Tensor, grad: Tensor | None) -> bool:
        """A tensor's `.grad` is assigned; False where it is to be done in the usual way."""
        if not self.watching():
            return False
        tracer = self.tracer()
        if tracer.busy or tracer.off:
            return False
        if grad is not None or leaf.__dict__.get("_grad") is None:
            if grad is not None:
                tracer.settle("a gradient was assigned")
            return grad is None
        self.on_op(SET_GRAD, (leaf,), {})
        return True

    def get_data(self, t: Tensor) -> Tensor:
        """A tensor's `.data`."""
        if self.watching():
            return self.on_op(GET_DATA, (t,), {})
        tracer = self.local.tracer
        if tracer is not None and t._requires_grad and t._grad_fn is None:
            tracer.taken = True
        return GET_DATA.execute((t,), {})

    def set_data(self, t: Tensor, source: Tensor) -> bool:
        """A tensor's `.data` is assigned; False where it is to be done in the usual way."""
        if not self.watching():
            return False
        tracer = self.tracer()
        if tracer.busy or tracer.off:
            return False
        self.on_op(SET_DATA, (t, source), {})
        return True

    def set_flag(self, t: Tensor, wanted: bool) -> bool:
        """A tensor's `requires_grad` is set; False where it is to be done in the usual way."""
        if not self.watching() or not is_masked(t):
            return False
        tracer = self.tracer()
        if tracer.busy or tracer.off:
            return False
        if any(t is one for run in (tracer.run, tracer.recording) if run for one in run.masked):
            return False  # settled: its memory alone is pending
        self.on_op(SET_FLAG, (t, wanted), {})
        return True

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Python of the user's runs between two stretches of a backward.

        If the backward is eager, so is what it asks for: no segment begins in its middle.
        """
        tracer = self.tracer()
        aside = not self.watching()
        tracer.off += aside
        try:
            yield
        except BaseException:
            tracer.settle("a hook or a custom function raised an exception")
            raise
        finally:
            tracer.off -= aside

    # --- what happens outside of events -----------------------------------------------------------

    def before_write(self, target: Tensor, source: np.ndarray) -> None:
        """`source` is about to be copied into a tensor's memory."""
        recorder = recorders.current()
        if recorder is not None:
            recorder.write(target, source)
        else:
            tracer = self.local.tracer
            if tracer is not None and not tracer.busy:
                tracer.settle("memory was written outside of ops")

    def accumulate(self, leaf: Tensor, held: Tensor | None, grad: Tensor) -> None:
        """A leaf's gradient is about to be set, or grown in place."""
        recorder = recorders.current()
        if recorder is not None:
            recorder.accumulate(leaf, held, grad)

    def failed(self, reason: str) -> None:
        """Something happens inside an event that no program can do."""
        recorder = recorders.current()
        if recorder is not None:
            recorder.fail(reason)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """A region whose ops run at once; what they touch of what is pending is settled."""
        tracer = self.tracer()
        tracer.off += 1
        try:
            yield
        finally:
            tracer.off -= 1

    def settle(self, reason: str = "something outside of ops") -> None:
        """The world must be as it seems."""
        tracer = self.local.tracer
        if tracer is not None:
            tracer.settle(reason)

    def was_read(self) -> None:
        """Somebody has read a number: segments end and begin there, and ops that do may vary."""
        self.failed("its work depends on elements")
        tracer = self.local.tracer
        if tracer is not None and not tracer.busy:
            tracer.boundary()

    def was_exposed(self, t: Tensor) -> None:
        """Somebody outside sees a tensor's memory, and may write to it from now on."""
        self.was_read()
        tracer = self.local.tracer
        if tracer is None or tracer.busy:
            return
        if not may_be_seen(tracer, t._array):
            tracer.settle("memory became visible outside")

    def flag_changes(self, t: Tensor) -> None:
        """A tensor is about to want gradients, or not to want them any more."""
        tracer = self.local.tracer
        if tracer is None or tracer.busy:
            return
        for one in (tracer.run, tracer.recording):
            if one is not None and (any(known is t for known in one.inputs) or one.has_made(t)):
                tracer.settle("requires_grad was changed")
                return

    def before_draw(self) -> None:
        """A generator is about to be used, or looked at, outside of programs."""
        tracer = self.local.tracer
        if tracer is None or tracer.run is None or tracer.busy:
            return
        if any(node.random for node in tracer.run.cursor.path()):
            tracer.settle("a random generator was used outside of ops")


def _dispatcher(hub: Hub) -> Callable[..., Any]:
    """What `state.on_op` is: this is on the path of every op of every step."""
    local = hub.local

    def on_op(descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        tracer = local.tracer
        if tracer is None:
            tracer = hub.tracer()
        if tracer.busy or tracer.off:
            return descriptor.execute(args, kwargs)
        with tracer.lock:
            run = tracer.run
            if run is not None:
                for child in run.cursor.children:
                    if child.descriptor is descriptor:
                        result = child.play(args, kwargs, run)
                        if result is not MISS:
                            if child.final:
                                tracer.finish(run)
                            return result
                        run.forget(child)
            return tracer.event(descriptor, args, kwargs)

    return on_op


def _drop_grad(leaf: Tensor) -> None:
    leaf._grad = None


SET_GRAD = Event("grad=", _drop_grad)
SET_FLAG = Event("requires_grad_", mark_requires_grad)
HUB = Hub()


def _before_collection(phase: str, info: dict[str, int]) -> None:
    """Python looks for what nobody has any more: it is not to be kept here."""
    tracer = HUB.local.tracer
    if tracer is not None and phase == "start" and info["generation"] == 2:
        tracer.let_go()


gc.callbacks.append(_before_collection)
if hasattr(os, "register_at_fork"):
    # a child starts with nothing pending, and keeps no recording's inputs
    os.register_at_fork(before=lambda: HUB.settle("a fork"))


def start() -> None:
    """Take the mode that FLAMBEAU_JIT asks for."""
    if config.JIT not in MODES:
        raise ValueError(f"FLAMBEAU_JIT must be one of {', '.join(MODES)}, got {config.JIT!r}")
    HUB.set_mode(config.JIT)
