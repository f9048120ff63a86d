"""The worker processes of one DataLoader iterator, as the main process sees them."""

from __future__ import annotations

import os
import selectors
import signal
import time
import weakref
from multiprocessing.process import BaseProcess
from typing import Any

from .channel import Channel
from .worker_loop import Job, worker_loop

_JOIN_SECONDS = 5.0  # for the workers to finish the sample that they are reading


class WorkerPool:
    """Processes that answer tasks until the pool is closed, collected, or the program ends.

    Args:
        context: a multiprocessing context, or the module: how to start processes.
        job: what they do.
    """

    def __init__(self, context: Any, job: Job) -> None:
        self.processes: list[BaseProcess] = []
        self.channels: list[Channel] = []
        self._selector = selectors.DefaultSelector()
        self._ready: list[int] = []
        self.close = weakref.finalize(
            self, _shut_down, os.getpid(), self.processes, self.channels, self._selector
        )
        try:
            for worker_id in range(job.num_workers):
                self._start(context, worker_id, job)
        except BaseException:
            self.close()
            raise

    def _start(self, context: Any, worker_id: int, job: Job) -> None:
        ours, theirs = Channel.pair()
        self.channels.append(ours)
        process = context.Process(
            target=worker_loop,
            args=(theirs, worker_id, job),
            name=f"DataLoader worker {worker_id}",
            daemon=True,
        )
        try:
            # A forked worker must not meet Ctrl-C before it has learnt to leave it to us.
            held = {signal.SIGINT} if context.get_start_method() == "fork" else set()
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, held)
            try:
                process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        finally:
            theirs.close()
        self.processes.append(process)
        self._selector.register(ours, selectors.EVENT_READ, worker_id)
        self._selector.register(process.sentinel, selectors.EVENT_READ, worker_id)

    @property
    def closed(self) -> bool:
        return not self.close.alive

    def send(self, worker_id: int, message: Any) -> None:
        """Send a message to a worker.

        Raises:
            RuntimeError: that worker is dead.
        """
        try:
            self.channels[worker_id].send(message)
        except (BrokenPipeError, ConnectionResetError):
            self._report_death(worker_id)
        except BaseException:
            # Ctrl-C in the middle of a message, or an index that cannot be pickled.
            self.close()
            raise

    def receive(self, timeout: float | None) -> Any:
        """The next message of any worker; None if none comes within `timeout` seconds.

        Raises:
            RuntimeError: a worker died.
        """
        if not self._ready:
            events = self._selector.select(timeout)
            # Once each: a dead worker shows by its channel and its sentinel.
            self._ready = list({key.data: None for key, _ in events})
            if not self._ready:
                return None
        worker_id = self._ready.pop()
        channel = self.channels[worker_id]
        try:
            if channel.wait(0):
                return channel.receive()
            # Only the sentinel: dead, though a child of its own still holds its end open.
            self._report_death(worker_id)
        except EOFError:
            self._report_death(worker_id)
        except BaseException:
            # Ctrl-C in the middle of a message, or one that cannot be unpickled.
            self.close()
            raise

    def retire(self, worker_id: int) -> None:
        """Let a worker end that is not needed any more."""
        self._selector.unregister(self.channels[worker_id])
        self._selector.unregister(self.processes[worker_id].sentinel)
        self._ready = [ready for ready in self._ready if ready != worker_id]
        self.channels[worker_id].close()

    def _report_death(self, worker_id: int) -> None:
        process = self.processes[worker_id]
        process.join(_JOIN_SECONDS)
        fate = _fate(process.exitcode)
        pid = process.pid
        self.close()
        raise RuntimeError(
            f"DataLoader worker (pid(s) {pid}) exited unexpectedly: worker {worker_id} {fate}"
        ) from None


def _fate(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code}"
    names = {known.value: known.name for known in signal.Signals}
    name = names.get(-exit_code, -exit_code)
    hint = " (is the machine out of memory?)" if name == "SIGKILL" else ""
    return f"was killed by signal {name}{hint}"


def _shut_down(
    owner: int,
    processes: list[BaseProcess],
    channels: list[Channel],
    selector: selectors.BaseSelector,
) -> None:
    """Close the channels, which the workers see, and wait for the processes' end."""
    selector.close()
    for channel in channels:
        channel.close()
    if os.getpid() != owner:  # collected in a forked child: they are not its processes
        return
    deadline = time.monotonic() + _JOIN_SECONDS
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for stop in (BaseProcess.terminate, BaseProcess.kill):
        running = [process for process in processes if process.is_alive()]
        for process in running:
            stop(process)
        for process in running:
            process.join(_JOIN_SECONDS)
