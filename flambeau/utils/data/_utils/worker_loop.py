"""What a worker process runs."""

from __future__ import annotations

import os
import queue
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import flambeau

from ...._engine.trace.hub import HUB
from . import worker
from .channel import Channel
from .exceptions import ExceptionWrapper
from .fetch import _BaseDatasetFetcher, _DatasetKind

_CHECK_SECONDS = 5.0  # between looks at whether the main process still lives
_GRACE_SECONDS = 10.0  # for the sample being read when the main process has gone


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know."""

    dataset_kind: int
    dataset: Any
    auto_collation: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    base_seed: int
    init_fn: Callable[[int], None] | None
    num_workers: int


@dataclass(frozen=True)
class Resume:
    """Main process to worker: start the next epoch."""

    epoch: int


@dataclass(frozen=True)
class Task:
    """Main process to worker: fetch this index as batch `position` of the epoch."""

    epoch: int
    position: int
    index: Any


@dataclass(frozen=True)
class Result:
    """Worker to main process: the batch, an ExceptionWrapper, or StreamEnd()."""

    epoch: int
    position: int
    data: Any


@dataclass(frozen=True)
class StreamEnd:
    """In place of a batch: the worker's iterable dataset is exhausted."""


def worker_loop(channel: Channel, worker_id: int, job: Job) -> None:
    """Answer tasks from `channel` until the main process closes it, or dies."""
    # Ctrl-C reaches the whole process group: the main process decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    HUB.rest()  # the main process compiles; samples are small, and each differs from the last
    inbox = _Inbox(channel)
    _seed(job.base_seed, worker_id)
    seed = job.base_seed + worker_id
    worker._worker_info = worker.WorkerInfo(worker_id, job.num_workers, seed, job.dataset)
    try:
        _answer(channel, inbox, worker_id, job)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the main process has closed the channel: nobody waits for this batch


def _answer(channel: Channel, inbox: _Inbox, worker_id: int, job: Job) -> None:
    where = f"in DataLoader worker process {worker_id}"
    fetcher, failure = _start(job, where, worker_id)
    ended = False
    while (task := inbox.next()) is not None:
        if isinstance(task, Resume):
            fetcher, failure = _start(job, where)
            ended = False
            continue
        if ended or task.epoch != inbox.epoch:
            continue
        data = failure if fetcher is None else _fetch(fetcher, task.index, job, where)
        ended = isinstance(data, StreamEnd)
        _send(channel, Result(task.epoch, task.position, data), where)


def _start(
    job: Job, where: str, new_worker_id: int | None = None
) -> tuple[_BaseDatasetFetcher | None, ExceptionWrapper | None]:
    """A fetcher for an epoch, or the exception that prevented it."""
    try:
        if new_worker_id is not None and job.init_fn is not None:
            job.init_fn(new_worker_id)
        fetcher = _DatasetKind.create_fetcher(
            job.dataset_kind, job.dataset, job.auto_collation, job.collate_fn, job.drop_last
        )
        return fetcher, None
    except Exception:
        return None, ExceptionWrapper(where)


def _fetch(fetcher: _BaseDatasetFetcher, index: Any, job: Job, where: str) -> Any:
    try:
        return fetcher.fetch(index)
    except StopIteration:
        if job.dataset_kind == _DatasetKind.Iterable:
            return StreamEnd()
        return ExceptionWrapper(where)
    except Exception:
        return ExceptionWrapper(where)


def _send(channel: Channel, result: Result, where: str) -> None:
    try:
        channel.send(result)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception:  # the batch cannot be pickled
        channel.send(Result(result.epoch, result.position, ExceptionWrapper(where)))


def _seed(base_seed: int, worker_id: int) -> None:
    """Seed Python, flambeau and NumPy, each worker and epoch differently, as PyTorch does."""
    random.seed(base_seed + worker_id)
    flambeau.manual_seed(base_seed + worker_id)
    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))


class _Inbox:
    """Tasks in order of arrival, read from the channel by a thread of their own.

    So the main process never waits in sending a task to a worker that is busy, or that itself waits
    in sending a batch; and the end of the main process is seen even in the middle of a batch.
    """

    def __init__(self, channel: Channel) -> None:
        self.epoch: int | None = 0  # the newest epoch heard of: tasks of others are stale
        self._channel = channel
        self._queue: queue.SimpleQueue[Resume | Task | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> Resume | Task | None:
        """The next task; None when the main process has closed the channel, or died."""
        return self._queue.get()

    def _read(self) -> None:
        parent = os.getppid()
        try:
            # Without a message, look whether the main process still lives: another process may
            # hold its end of the channel open.
            while (readable := self._channel.wait(_CHECK_SECONDS)) or os.getppid() == parent:
                if not readable:
                    continue
                message = self._channel.receive()
                if isinstance(message, Resume):
                    self.epoch = message.epoch
                self._queue.put(message)
        except (EOFError, OSError):
            pass
        self.epoch = None
        self._queue.put(None)
        # Nobody wants the sample any more that the other thread may be reading.
        time.sleep(_GRACE_SECONDS)
        os._exit(1)
