"""One pass (or, with persistent workers, many) through a DataLoader that has worker processes."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .exceptions import ExceptionWrapper
from .iterators import _BaseDataLoaderIter
from .pool import WorkerPool
from .worker_loop import Job, Result, Resume, StreamEnd, Task

if TYPE_CHECKING:
    from ..dataloader import DataLoader

_NOTHING = object()


@dataclass
class _Pending:
    """A task that was sent out: to whom, and its batch once that has arrived too early."""

    worker_id: int
    data: Any = _NOTHING


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Keeps ``prefetch_factor * num_workers`` tasks with the workers, which take turns.

    Tasks are numbered in the sampler's order; batches that arrive before their turn wait in
    `_tasks`. A worker whose iterable dataset has ended gets no more turns, and its tasks are void.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        if not loader.prefetch_factor:
            raise AssertionError(
                "prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter"
            )
        self._prefetch_factor = loader.prefetch_factor
        self._timeout = loader.timeout
        self._in_order = loader.in_order
        self._persistent_workers = loader.persistent_workers
        job = Job(
            dataset_kind=self._dataset_kind,
            dataset=self._dataset,
            auto_collation=self._auto_collation,
            collate_fn=self._collate_fn,
            drop_last=self._drop_last,
            base_seed=self._base_seed,
            init_fn=loader.worker_init_fn,
            num_workers=self._num_workers,
        )
        self._pool = WorkerPool(loader.multiprocessing_context or multiprocessing, job)
        self._epoch = 0
        self._begin()

    @property
    def _workers(self) -> list[Any]:
        return self._pool.processes

    def _reset(self, loader: DataLoader[Any]) -> None:
        """Start the next epoch with the same workers; what the last one left over is dropped."""
        self._promised_len = loader._IterableDataset_len_called
        self._epoch += 1
        for worker_id in range(self._num_workers):
            self._pool.send(worker_id, Resume(self._epoch))
        self._begin()

    def _begin(self) -> None:
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._sent = 0  # the next task's number
        self._wanted = 0  # the next batch's number
        self._tasks: dict[int, _Pending] = {}
        self._active = [True] * self._num_workers
        self._turns = itertools.cycle(range(self._num_workers))
        for _ in range(self._prefetch_factor * self._num_workers):
            self._send_task()

    def _send_task(self) -> None:
        try:
            index = self._next_index()
        except StopIteration:
            return
        worker_id = self._next_worker()
        if worker_id is not None:
            self._pool.send(worker_id, Task(self._epoch, self._sent, index))
            self._tasks[self._sent] = _Pending(worker_id)
            self._sent += 1

    def _next_worker(self) -> int | None:
        """Whose turn it is; without `in_order` only a worker with a fair share of tasks or less."""
        active = sum(self._active)
        for worker_id in itertools.islice(self._turns, self._num_workers):
            if not self._active[worker_id]:
                continue
            if self._in_order:
                return worker_id
            load = sum(
                pending.worker_id == worker_id and pending.data is _NOTHING
                for pending in self._tasks.values()
            )
            if load < self._prefetch_factor * self._num_workers // active:
                return worker_id
        return None

    def _next_data(self) -> Any:
        while True:
            self._skip_void_tasks()
            if self._wanted == self._sent:
                if not self._persistent_workers:
                    self._pool.close()
                raise StopIteration
            position: int | None = self._wanted
            if self._tasks[self._wanted].data is _NOTHING:
                position = self._wait_for_batch()
            if position is not None:
                return self._take(position)

    def _skip_void_tasks(self) -> None:
        """Move `_wanted` to a task whose batch is here, or still to come."""
        while self._wanted < self._sent:
            pending = self._tasks.get(self._wanted)
            if pending is not None:
                if pending.data is not _NOTHING or self._active[pending.worker_id]:
                    return
                del self._tasks[self._wanted]
            self._wanted += 1

    def _wait_for_batch(self) -> int | None:
        """Receive one batch; its number if it is to be returned now."""
        result = self._receive()
        pending = self._tasks[result.position]
        if isinstance(result.data, StreamEnd):
            self._active[pending.worker_id] = False
            if not self._persistent_workers:
                self._pool.retire(pending.worker_id)
            self._send_task()
            return None
        pending.data = result.data
        if self._in_order and result.position != self._wanted:
            return None
        return result.position

    def _receive(self) -> Result:
        """The next result of this epoch.

        Raises:
            RuntimeError: none came within the loader's timeout, or a worker is dead.
        """
        if self._pool.closed:
            raise RuntimeError("DataLoader worker processes were shut down after an error")
        deadline = time.monotonic() + self._timeout if self._timeout else None
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            result = self._pool.receive(left)
            if result is None:
                raise RuntimeError(
                    f"DataLoader timed out after {self._timeout} seconds: batch {self._wanted} "
                    f"is with worker {self._tasks[self._wanted].worker_id}"
                )
            if result.epoch == self._epoch:
                return result

    def _take(self, position: int) -> Any:
        data = self._tasks.pop(position).data
        if position == self._wanted:
            self._wanted += 1
        self._send_task()
        if isinstance(data, ExceptionWrapper):
            data.reraise()
        return data
