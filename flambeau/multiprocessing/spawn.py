"""Run one function in several processes, and fail as soon as one of them fails."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

__all__ = [
    "ProcessContext",
    "ProcessException",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "spawn",
    "start_processes",
]

_END_SECONDS = 30.0  # for the other processes to end when one has failed


class ProcessException(Exception):
    """A process has failed: `error_index` says which one, `error_pid` its process id."""

    def __init__(self, msg: str, error_index: int, error_pid: int | None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.pid = self.error_pid = error_pid

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """A process ended with an exception; the message has its traceback."""


class ProcessExitedException(ProcessException):
    """A process ended by a signal (`signal_name`), or with another exit code than 0."""

    def __init__(
        self,
        msg: str,
        error_index: int,
        error_pid: int | None,
        exit_code: int,
        signal_name: str | None = None,
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name

    def __reduce__(self) -> tuple[Any, ...]:
        known = self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name
        return type(self), known


def _run(function: Callable[..., Any], index: int, args: tuple[Any, ...], end: Connection) -> None:
    try:
        function(index, *args)
    except KeyboardInterrupt:
        pass  # the main process, interrupted too, says what happened
    except Exception:
        end.send(traceback.format_exc())
        sys.exit(1)


class ProcessContext:
    """Processes started together by `start_processes`."""

    def __init__(self, processes: list[Any], ends: list[Connection]) -> None:
        self.processes = processes
        self._ends = ends
        self.sentinels = {process.sentinel: i for i, process in enumerate(processes)}

    def pids(self) -> list[int]:
        """The process ids."""
        return [int(process.pid) for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for the end of one process at least; True when all have ended well.

        Args:
            timeout: seconds to wait; None waits for ever.
            grace_period: seconds that the others get to end by themselves after a failure.

        Raises:
            ProcessRaisedException, ProcessExitedException: one failed; the others are ended.
        """
        ended = wait(list(self.sentinels), timeout)
        failed = None
        for sentinel in ended:
            index = self.sentinels.pop(sentinel)  # type: ignore[arg-type]
            self.processes[index].join()
            if self.processes[index].exitcode != 0 and failed is None:
                failed = index
        if failed is None:
            return not self.sentinels
        self._end_all(grace_period)
        raise self._failure(failed)

    def _end_all(self, grace_period: float | None) -> None:
        if grace_period:
            deadline = time.monotonic() + grace_period
            for process in self.processes:
                process.join(max(0.0, deadline - time.monotonic()))
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + _END_SECONDS
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def _failure(self, index: int) -> ProcessException:
        process, end = self.processes[index], self._ends[index]
        try:
            text = end.recv() if end.poll() else None
        except EOFError:
            text = None
        if text is not None:
            return ProcessRaisedException(
                f"\n\n-- Process {index} terminated with the following error:\n{text}",
                index,
                process.pid,
            )
        code = process.exitcode
        if code < 0:
            name = {known.value: known.name for known in signal.Signals}.get(-code, str(-code))
            message = f"process {index} terminated with signal {name}"
            return ProcessExitedException(message, index, process.pid, code, name)
        message = f"process {index} terminated with exit code {code}"
        return ProcessExitedException(message, index, process.pid, code)


SpawnContext = ProcessContext


def start_processes(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Start `nprocs` processes that run ``fn(i, *args)`` for i = 0 ... nprocs - 1.

    Args:
        join: wait for all of them, and return None; otherwise return their ProcessContext.
        daemon: end them when this process ends.
        start_method: "spawn", "fork" or "forkserver".

    Raises:
        ProcessRaisedException, ProcessExitedException: one failed; the others are ended.
    """
    context = multiprocessing.get_context(start_method)
    processes, ends = [], []
    for index in range(nprocs):
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(  # type: ignore[attr-defined]
            target=_run, args=(fn, index, args, sending), daemon=daemon
        )
        process.start()
        sending.close()
        processes.append(process)
        ends.append(receiving)
    started = ProcessContext(processes, ends)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """`start_processes` by the "spawn" method; another `start_method` is only warned of."""
    if start_method != "spawn":
        warnings.warn(
            f"This method only supports start_method=spawn (got: {start_method}). To use another "
            "start method call start_processes(..., start_method=...)",
            FutureWarning,
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon, "spawn")
