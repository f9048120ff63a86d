"""The thread pool: native workers that divide a program's steps.

The threads are made with the C library's `pthread_create`, run code from `workers`, and never
touch Python. They start when a program first needs them, stop when their number changes and at
exit, and are made anew after a fork. Linux only (futex); elsewhere programs run on one thread.
"""

from __future__ import annotations

import atexit
import ctypes
import math
import os
import signal
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import config
from . import objects
from .layout import CLOSED, Pool, Worker

if TYPE_CHECKING:
    from .native import Code

_FUTEX = {"x86_64": 202, "aarch64": 98}
_SCHEDULING = {
    Pool.YIELD: "sched_yield",
    Pool.GET_CPU: "sched_getcpu",
    Pool.GET_AFFINITY: "sched_getaffinity",
    Pool.SET_AFFINITY: "sched_setaffinity",
}
_PATIENCE = 200_000  # nanoseconds that a worker without work looks for some before it sleeps
_ALIGNMENT = 128
_EXIT_PATIENCE = 1.0  # seconds that a process about to exit waits for other threads' programs
_BUSY_WAIT = 0.0002  # seconds between looks at a pool that another thread's program uses


def aligned(nbytes: int) -> np.ndarray:
    """Zeroed words of at least `nbytes`, at a multiple of 128 bytes."""
    words = np.zeros((nbytes + _ALIGNMENT) // 8 + 1, np.int64)
    shift = -words.ctypes.data % _ALIGNMENT
    return words[shift // 8 :]


@cache
def processors() -> int:
    """How many processors this process may use: its affinity, and its control group's share."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    share = _share(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return max(1, allowed if share is None else min(allowed, int(share)))


def _share(groups: Path, root: Path) -> float | None:
    """The least number of processors that this process's control groups grant (both versions)."""
    shares = []
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder = (root / "cpu" if controllers else root) / path.lstrip("/")
        while True:
            shares.append(_quota(folder))
            if folder in (root, root / "cpu") or root not in folder.parents:
                break
            folder = folder.parent
    return min((share for share in shares if share is not None), default=None)


def _quota(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text()
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError):
        return None


class ThreadPool:
    """Workers, and the words that they share with the programs that use them.

    Attributes:
        address: of the words described in `layout.Pool`.
    """

    def __init__(self, code: Code, threads: int):
        self._code = code
        self._words = aligned(8 * Pool.SIZE).view(np.uint64)
        self.address = self._words.ctypes.data
        self._handles: list[ctypes.c_ulong] = []
        self._records: list[np.ndarray] = []
        self._scratch: list[np.ndarray] = []
        self._scratch_bytes = 0
        self._lock = threading.RLock()
        self._take = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(code["take"])
        self._words[Pool.THREADS] = threads
        self._words[Pool.CLOCK] = libc_address("clock_gettime")
        self._common = aligned(0)
        self._words[Pool.ARENA] = self._common.ctypes.data
        if objects.known():
            objects.describe(self._words)
        if not _possible():
            self._words[Pool.THREADS] = 1
            return
        self._words[Pool.SYSCALL] = libc_address("syscall")
        for word, name in _SCHEDULING.items():
            self._words[word] = libc_address(name)
        self._words[Pool.FUTEX] = _FUTEX[os.uname().machine]

    @property
    def threads(self) -> int:
        """How many threads a divided step uses, the caller's included."""
        return int(self._words[Pool.THREADS])

    def start(self) -> None:
        """Make the workers, unless there are some. They do not see signals."""
        with self._lock:
            if self._words[Pool.STARTED]:
                return
            self._words[Pool.STOP] = 0
            self._words[Pool.SPINS] = self._spins()
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                started = 1
                while started < self.threads and self._add_worker():
                    started += 1
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._words[Pool.THREADS] = self._words[Pool.STARTED] = started

    def stop(self, patience: float = math.inf) -> None:
        """End the workers when no program uses them; after so many seconds, leave them be."""
        with self._lock:
            if not self._words[Pool.STARTED] or not self._seize(patience):
                return
            self._words[Pool.STOP] = 1
            # another generation: who is about to sleep does not
            generation = (int(self._words[Pool.TICKET]) >> 32) + 1 & CLOSED
            self._words[Pool.TICKET] = generation << 32 | CLOSED
            self._wake()
            for handle in self._handles:
                _libc().pthread_join(handle, None)
            self._forget()

    def resize(self, threads: int) -> None:
        """Use another number of threads from now on."""
        with self._lock:
            if threads != self.threads and _possible():
                self.stop()
                self._words[Pool.THREADS] = threads

    def reserve(self, nbytes: int) -> None:
        """Have at least so many bytes of scratch memory for each worker."""
        with self._lock:
            if nbytes <= self._scratch_bytes:
                return
            if self._words[Pool.STARTED]:
                self._seize()
            self._scratch_bytes = nbytes
            self._scratch = [self._give_scratch(record) for record in self._records]
            self._words[Pool.BUSY] = 0

    def reserve_common(self, nbytes: int) -> None:
        """Have so many bytes of scratch memory for programs that keep Python's lock."""
        with self._lock:
            if nbytes > self._common.nbytes:
                self._common = aligned(nbytes)
                self._words[Pool.ARENA] = self._common.ctypes.data

    def after_fork(self) -> None:
        """The child has none of the threads: start again when needed."""
        self._lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._handles, self._records, self._scratch = [], [], []
        for word in (Pool.TICKET, Pool.SLEEPERS, Pool.STARTED, Pool.CHUNKS, Pool.BUSY):
            self._words[word] = 0

    def _add_worker(self) -> bool:
        record = aligned(8 * Worker.SIZE)
        record[Worker.POOL] = self.address
        scratch = self._give_scratch(record)
        handle = ctypes.c_ulong()
        failed = _libc().pthread_create(
            ctypes.byref(handle),
            None,
            ctypes.c_void_p(self._code["worker"]),
            ctypes.c_void_p(record.ctypes.data),
        )
        if failed:  # no more threads allowed: go on with those there are
            return False
        self._handles.append(handle)
        self._records.append(record)
        self._scratch.append(scratch)
        return True

    def _give_scratch(self, record: np.ndarray) -> np.ndarray:
        scratch = aligned(self._scratch_bytes)
        record[Worker.SCRATCH] = scratch.ctypes.data
        return scratch

    def _seize(self, patience: float = math.inf) -> bool:
        """Have the workers to oneself; whether that came about in so many seconds."""
        until = time.monotonic() + patience
        while not self._take(self.address):
            if time.monotonic() > until:
                return False
            time.sleep(_BUSY_WAIT)
        return True

    def _wake(self) -> None:
        at = ctypes.c_void_p(self.address + 4)
        futex = ctypes.c_long(int(self._words[Pool.FUTEX]))
        _libc().syscall(futex, at, ctypes.c_long(129), ctypes.c_long(1 << 30), None, None, None)

    def _spins(self) -> int:
        """How many looks fill the workers' patience: from the speed of a waiting loop."""
        spin = ctypes.PYFUNCTYPE(None, ctypes.c_int64)(self._code["spin"])
        times, fastest = 1000, float("inf")
        for _ in range(3):
            begin = time.perf_counter_ns()
            spin(times)
            fastest = min(fastest, time.perf_counter_ns() - begin)
        return int(_PATIENCE * times / max(fastest, 1))


class _State:
    """The process's pool, and the number of threads wanted."""

    pool: ThreadPool | None = None
    threads: int | None = config.THREADS
    lock = threading.Lock()


def get_num_threads() -> int:
    """How many threads compiled programs use."""
    return _State.threads or processors()


def set_num_threads(threads: int) -> None:
    """Have compiled programs use so many threads from now on; their results stay the same."""
    _State.threads = threads
    if _State.pool is not None:
        _State.pool.resize(threads)


def pool(code: Code) -> ThreadPool:
    """The process's pool; its threads start when first needed."""
    with _State.lock:
        if _State.pool is None:
            _State.pool = ThreadPool(code, get_num_threads())
            atexit.register(_State.pool.stop, _EXIT_PATIENCE)
        return _State.pool


def _after_fork() -> None:
    _State.lock = threading.Lock()
    if _State.pool is not None:
        _State.pool.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@cache
def _libc() -> Any:
    return ctypes.CDLL(None)


def libc_address(name: str) -> int:
    """The address of a function of the C library; 0 where it has none of that name."""
    function = getattr(_libc(), name, None)
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def _possible() -> bool:
    if sys.platform != "linux" or os.uname().machine not in _FUTEX:
        return False
    return all(libc_address(name) for name in _SCHEDULING.values())
