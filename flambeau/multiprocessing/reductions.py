"""How tensors travel through multiprocessing's queues and pipes: by shared memory."""

from __future__ import annotations

from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any

import numpy as np

from .._tensor.sharing import SharedMapping, mapping_of
from ..storage import UntypedStorage


def rebuild_storage(handle: Any, size: int) -> UntypedStorage:
    """The receiving end: map the sender's memory."""
    mapping = SharedMapping.of_file(handle.detach(), size)
    return UntypedStorage._of_memory(np.frombuffer(mapping, np.uint8))


def reduce_storage(storage: UntypedStorage) -> tuple[Any, ...]:
    """The sending end: a descriptor of the memory.

    Memory that is not shared yet is copied once: then sender and receiver do not see each other's
    writes. ``share_memory_()`` beforehand makes them share.
    """
    if not storage.nbytes():
        return UntypedStorage, (0,)
    memory = storage._memory
    mapping = mapping_of(memory)
    if mapping is None:
        mapping = SharedMapping.with_contents(memory)
        starting = get_spawning_popen()
        if starting is not None:  # it takes the descriptor along later, when it starts
            vars(starting).setdefault("shared_mappings", []).append(mapping)
    return rebuild_storage, (DupFd(mapping.descriptor), len(mapping))


def init_reductions() -> None:
    """Teach multiprocessing's pickler about storages; tensors are views of them."""
    ForkingPickler.register(UntypedStorage, reduce_storage)
