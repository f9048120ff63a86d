"""What a worker process knows about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerInfo:
    """What a dataset can know about the worker process that it is in."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a DataLoader's worker process its WorkerInfo, elsewhere None.

    Its fields: `id` (0 ... num_workers - 1), `num_workers`, `seed` (of Python's and flambeau's
    default generators in this worker), `dataset` (this worker's copy).

    >>> get_worker_info() is None
    True
    """
    return _worker_info
