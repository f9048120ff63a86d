"""The state machine: eager, recording, replay; one tracer a thread.

Every public op, backward and step of a thread comes here as an event. Between segments events run
eagerly and are counted; when the beginning of a segment is hot, the next one is recorded; when the
beginning of a recorded segment fits, events are only checked and promised, until its end, where
one program computes everything. What does not fit leaves by the side exit: what was promised is
done eagerly, and recorded if that way is taken often.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..autograd.mode import mode
from ..autograd.tensor import Tensor
from ..base import state
from . import log
from .blame import why_not
from .deciding import (
    beginning,
    goes_on,
    insert,
    name_of,
    read_all,
    reads,
    ready,
    small,
    updates_data,
)
from .memory import Unrecordable
from .mistakes import reason_of
from .modes import Modes
from .parts import link
from .pending import is_masked, unmask
from .play import MISS
from .recording import Recording, read_node
from .rounds import HOT, LOOP, follow, note, repeats, returns
from .run import Run
from .segment import MOST_CHILDREN, PATIENCE, READ, STEP, TraceNode, root_node
from .stream import Stream

LONGEST = 4000  # events of a segment
MOST_SHAPES = 16  # of the first op's first operand, for which segments are recorded
MOST_BEGINNINGS = 16  # ways in which segments with the same first op may begin
MOST_READS = 32  # in a segment, while a backward is still to come
FREE_RECORDINGS = 8  # then one more for so many events:
EVENTS_PER_RECORDING = 60
MISSES = {"auto": 1, "force": 0}  # side exits at a place before the new way is recorded
# What prepares a batch is done at once where it can be: positions vary from step to step.
IMMEDIATE = frozenset({"getitem", "detach", "data", "to", "view", "reshape", "clone", "contiguous"})


class Tracer:
    """One thread's tracer.

    Attributes:
        busy: an event is running eagerly: what happens inside is its own business.
        visitors: 1 while another thread settles something of this one's.
        run: the replay that is going on, with pending tensors.
        recording: the recording that is going on.
        fresh_start: whether the next event may begin a new segment.
        resting: a segment has been left in its middle: none begins before the next boundary.
        taken: since the last event a leaf's `.data` has been asked for, outside of segments.
        stepless: beginnings of loops that read, but in which no optimizer steps.
    """

    __slots__ = (
        "__weakref__", "admissions", "busy", "eager_events", "failures", "fresh_start", "heat",
        "hub", "last", "lock", "off", "recording", "recordings", "resting", "roots", "run",
        "since_start", "start_key", "stepless", "stream", "taken", "thread", "visitors",
    )  # fmt: skip

    def __init__(self, hub: Any):
        self.hub = hub
        self.lock = threading.RLock()
        self.thread = threading.get_ident()
        self.busy = False
        self.visitors = 0
        self.run: Run | None = None
        self.recording: Recording | None = None
        self.fresh_start, self.resting = True, False
        self.taken = False
        self.roots: dict[tuple, TraceNode] = {}
        self.eager_events = self.recordings = 0
        self.admissions = 0  # times that a remembered input was another tensor than before
        self.last: TraceNode | None = None  # the root of the segment before this one
        self.heat: dict[tuple, int] = {}
        self.failures: dict[tuple, int] = {}  # recordings that came to nothing
        self.stepless: set[tuple] = set()
        self.stream = Stream()
        self.start_key: tuple | None = None
        self.since_start = 0
        self.off = 0  # regions of `jit.disabled()`

    def let_go(self) -> None:
        """Between events: hold no tensors of segments, so that models can die."""
        if self.lock._is_owned() or not self.lock.acquire(blocking=False):  # type: ignore[attr-defined]
            return  # an event is going on
        try:
            if not self.busy and self.run is None and self.recording is None:
                for root in self.roots.values():
                    root.let_go(True)
        finally:
            self.lock.release()

    def forget(self) -> None:
        """Know no segments any more."""
        self.roots, self.last = {}, None

    # --- events ---------------------------------------------------------------------------------

    def event(self, descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """An event that did not fit what the replay, if there is one, expects."""
        run = self.run
        if run is None and not self.resting and self.recording is None and self.last is not None:
            # most often what comes now is what came the last time
            result = self.start(self.last, descriptor, args, kwargs)
            if result is not MISS:
                return result
        if run is None:
            follow(self, descriptor, args)
        if descriptor.name in IMMEDIATE and ready(descriptor, args, self.recording is not None):
            return self.eager(descriptor, args, kwargs)
        if reads(descriptor, args):
            read_all((*args, *kwargs.values()))
            return self.eager(descriptor, args, kwargs)
        if run is not None:
            self.leave(run, why_not(run, descriptor, args, kwargs))
            follow(self, descriptor, args)
        if self.recording is not None and not repeats(self, descriptor, args):
            return self.record(descriptor, args, kwargs)
        return self.begin(descriptor, args, kwargs)

    def boundary(self) -> None:
        """A step is over, or something has been read: segments end and begin here."""
        self.stream.clear()
        self.fresh_start, self.resting = True, False

    def begin(self, descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """An event between segments."""
        key = beginning(descriptor, args)
        root = self.roots.get(key)
        self.eager_events += 1
        around = self.since_start > LOOP and key == self.start_key
        if around or self.resting and returns(root, descriptor, args):
            self.boundary()
        if root is not None and not self.resting:
            if root.pause:  # it has missed too often, and is left alone for a while
                root.pause -= 1
                self.fresh_start, self.resting = False, True
                return self.eager(descriptor, args, kwargs)
            if root is not self.last:
                result = self.start(root, descriptor, args, kwargs)
                if result is not MISS:
                    return result
        self.since_start += 1
        taken, self.taken = self.taken, False
        if self.fresh_start and not (taken or goes_on(args) or updates_data(descriptor, args)):
            heat = self.heat[key] = self.heat.get(key, 0) + 1
            if heat < 0:  # nothing good has begun here: perhaps with the next event
                return self.eager(descriptor, args, kwargs)
            self.fresh_start, self.since_start, self.start_key = False, 0, key
            full = self._is_full(root, key)
            if heat > self._sights(root, key) and not full and self.may_record():
                self.recording = Recording(self, self._root(key), key)
                return self.record(descriptor, args, kwargs)
        return self.eager(descriptor, args, kwargs)

    def start(self, root: TraceNode, descriptor: Any, args: tuple, kwargs: dict) -> Any:
        """Begin a replay, if an event fits the first one of a segment."""
        for child in root.children:
            if child.descriptor is descriptor:
                run = Run(self, root)
                result = child.play(args, kwargs, run)
                if result is not MISS:
                    self.run = run
                    if child.final:
                        self.finish(run)
                    return result
        return MISS

    def _sights(self, root: TraceNode | None, key: tuple) -> int:
        """How often a beginning is to be seen before it is recorded: with another shape, once."""
        sights = HOT[self.hub.mode]
        if root is None and any(known[:2] == key[:2] for known in self.roots):
            return min(sights, 1)
        return sights

    def _is_full(self, root: TraceNode | None, key: tuple) -> bool:
        """Whether enough segments that begin with this op are known."""
        if root is not None:
            return len(root.children) >= MOST_BEGINNINGS
        return sum(known[:2] == key[:2] for known in self.roots) >= MOST_SHAPES

    def _root(self, key: tuple) -> TraceNode:
        root = self.roots.get(key)
        if root is None:
            root = self.roots[key] = root_node()
            root.key = key
        return root

    def may_record(self) -> bool:
        """Whether one more recording is within what the program's length so far allows."""
        if mode.anomaly or not self.hub.may_record:
            return False
        allowed = FREE_RECORDINGS + self.eager_events // EVENTS_PER_RECORDING
        return self.recordings < allowed or self.hub.mode == "force"

    def eager(self, descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Do an event now."""
        self.busy = True
        try:
            return self._inside(descriptor.execute, args, kwargs)
        finally:
            self.busy = False

    def _inside(self, work: Callable[..., Any], *args: Any) -> Any:
        """Do an event's work: ops in there are its own business."""
        before = state.on_op
        state.on_op = self.hub.inner(before)
        try:
            return work(*args)
        finally:
            state.on_op = self.hub.restored(before)

    # --- recording --------------------------------------------------------------------------------

    def record(self, descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """An event of a recording."""
        recording = self.recording
        assert recording is not None
        if len(recording.events) >= LONGEST:
            recording.recorder.fail("the segment is too long")
        try:
            result = self._inside(recording.perform, descriptor, args, kwargs)
        finally:
            if recording.recorder.failure is not None and self.recording is recording:
                self.abandon()
        if self.recording is not None and descriptor is STEP:
            self.boundary()
            if not recording.open_tape():
                self.conclude()
        return result

    def conclude(self) -> None:
        """The recorded segment ends after its last event: add it to the tree."""
        recording = self.recording
        assert recording is not None
        pays = self.hub.mode == "force" or not small(recording)
        try:
            recording.end_part(True, name_of(recording))
            link(recording)
            if pays:
                insert(recording)
        except Exception as error:
            recording.recorder.fail(reason_of(error))
            self.abandon()
            return
        self.stop(recording)
        if pays:
            recording.close_histories()
            log.recorded(recording)
        else:
            self.heat[recording.key] = -100_000
            log.left_eager(recording)

    def stop(self, recording: Recording) -> None:
        """The recording is over."""
        self.recording = self.last = None
        self.recordings += 1
        recording.stop()
        for root in self.roots.values():  # the model before this one is perhaps no more
            root.let_go(False)

    def abandon(self) -> None:
        """The recording has failed: everything has been eager, and stays so."""
        recording = self.recording
        assert recording is not None
        self.stop(recording)
        log.abandoned(recording)
        # each failure makes the next try four times later; and once more, lest of two loops that
        # begin alike always the same one be tried
        key = recording.key
        failures = self.failures[key] = self.failures.get(key, 0) + 1
        self.heat[key] = -(HOT[self.hub.mode] + 1) * 4**failures - 1
        self.fresh_start = False

    # --- replay -----------------------------------------------------------------------------------

    def finish(self, run: Run) -> None:
        """The segment ends at the run's cursor: compute it."""
        if self.compute(run, run.cursor):
            self._over(run)
        else:
            self.leave(run, "its end could not be computed")

    def _over(self, run: Run) -> None:
        self.run = None
        self.boundary()
        self.last = run.root
        run.root.in_vain = 0

    def compute(self, run: Run, node: TraceNode) -> bool:
        """Run the part that ends at `node`; False where it must be left by the side exit."""
        ending = node.ending
        if ending.finish is not None and ending.finish(run):
            return True
        # something is other than it was the last time, or this is the first one
        try:
            ready = ending.prepare(run, self.hub.compile_graph)
        except Exception as error:
            ending.broken = True
            log.mistaken(ending.name, error)
            return False
        return ready and ending.finish(run)

    def leave(self, run: Run, reason: str) -> None:
        """The side exit: do eagerly what was promised, and perhaps record it on the way."""
        cursor, root = run.cursor, run.root
        what = reason.split()[0]  # the op that came: each way out is counted by itself
        misses = cursor.misses[what] = cursor.misses.get(what, 0) + 1
        root.pause_misses()
        self.run = self.last = None
        self.fresh_start, self.resting = False, True
        self.stream.clear()
        log.left(run, reason)
        recording = None
        if (
            MISSES[self.hub.mode] < misses <= PATIENCE
            and len(cursor.children) < MOST_CHILDREN
            and self.may_record()
        ):
            recording = self.recording = Recording(self, root, root.key)
        modes = Modes()
        self.busy = True
        for generator, words in reversed(run.generators):
            generator.from_bytes(words)
        self.busy = False
        try:
            run.rerun(self._performer(recording, modes))
        finally:
            modes.restore()
            run.slots = []
            failed = recording is not None and recording.recorder.failure is not None
            if failed and self.recording is recording:
                self.abandon()

    def _performer(self, recording: Recording | None, modes: Modes) -> Callable[..., Any]:
        def perform(node: TraceNode, args: tuple, kwargs: dict[str, Any]) -> Any:
            live = recording is not None and self.recording is recording
            if node.descriptor is READ:
                if live:
                    self._read_recorded()
                return None
            modes.take(node)
            note(self, node.descriptor, args)
            if live:
                return self.record(node.descriptor, args, kwargs)
            return self.eager(node.descriptor, args, kwargs)

        return perform

    # --- reads ------------------------------------------------------------------------------------

    def touched(self, run: Run, t: Tensor, name: str) -> bool:
        """An attribute of a masked tensor is read; see `Run.touched`."""
        frame = t.__dict__
        if self.busy and threading.get_ident() == self.thread and "_array" in frame:
            return True
        with self.lock:
            visitor = int(threading.get_ident() != self.thread)
            self.visitors += visitor
            try:
                if not is_masked(t):
                    return False
                run = t.__dict__["_run"]  # another one, perhaps, if this thread has had to wait
                if run.closed is not None:
                    run.deliver(t)
                    return is_masked(t)
                if isinstance(run, Recording):
                    return self._touched_in_recording(run, t)
                return self._touched_in_replay(run, t, name)
            finally:
                self.visitors -= visitor

    def _touched_in_recording(self, recording: Recording, t: Tensor) -> bool:
        if self.recording is not recording:
            recording.unmask_all()
        elif any(t is one for one in recording.masked) and recording.open_tape():
            recording.recorder.fail("memory that was written is read before the backward")
            self.abandon()
        else:
            self._read_recorded()
        return is_masked(t)

    def _read_recorded(self) -> None:
        """Somebody reads a result: a part ends, and with no history open the whole segment."""
        recording = self.recording
        assert recording is not None
        recording._append(read_node())
        final = not recording.open_tape()
        if final:
            self.conclude()
            self.boundary()
            return
        try:
            if len(recording.endings) >= MOST_READS:
                raise Unrecordable("results are read, and their history is never used")
            recording.end_part(False, name_of(recording))
        except Exception as error:
            recording.recorder.fail(reason_of(error))
            self.abandon()
            return
        for reference in recording.slots:
            t = reference()
            if t is not None and not any(t is one for one in recording.masked):
                unmask(t)

    def _touched_in_replay(self, run: Run, t: Tensor, name: str) -> bool:
        if self.run is not run:
            raise RuntimeError(
                "this tensor was never computed, because an operation before it failed with "
                f"{run.lost or 'an error of the compiler itself'}"
            )
        read_already = run.is_there(t)
        if read_already and name == "_array":
            return True
        if not read_already and self.read(run):
            if run.closed is not None and is_masked(t):
                run.deliver(t)
            if not is_masked(t):
                return False
        if self.run is run:
            if is_masked(t) and name == "_array" and run.is_there(t):
                return True
            what = "elements were" if name == "_array" else f"{name.lstrip('_')} was"
            self.leave(run, f"{what} read where the record has no read, or could not be given")
            if self.recording is not None and is_masked(t):
                self._read_recorded()
        return is_masked(t)

    def read(self, run: Run) -> bool:
        """A result is read in a replay; False where the record has no read here."""
        for child in run.cursor.children:
            if child.descriptor is READ:
                if not self.compute(run, child):
                    return False
                run.cursor = child
                if child.final:
                    self._over(run)
                return True
        return False

    def settle(self, reason: str = "something outside of ops") -> None:
        """Leave what is open: the world must be as eager would have it."""
        if self.busy:
            return
        if self.run is not None:
            self.leave(self.run, reason)
        if self.recording is not None:
            self.recording.recorder.fail(reason)
            self.abandon()
