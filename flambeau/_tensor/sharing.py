"""Memory that several processes share: an anonymous file, mapped by each of them.

The file (memfd) has no name: the kernel frees it with the last descriptor or mapping, however the
processes end.
"""

from __future__ import annotations

import mmap
import os
import sys
import weakref
from typing import Any

import numpy as np

from .._engine.autograd.tensor import Tensor, storage_of
from .._engine.base import state
from .._engine.base.devices import CPU
from .._ops.declare import method


class SharedMapping(mmap.mmap):
    """A mapping of a nameless file; other processes map it too through its descriptor."""

    descriptor: int

    @classmethod
    def of_file(cls, descriptor: int, size: int) -> SharedMapping:
        """Map a file; the descriptor is closed with the mapping."""
        mapping = cls(descriptor, size)
        mapping.descriptor = descriptor
        weakref.finalize(mapping, os.close, descriptor)
        return mapping

    @classmethod
    def with_contents(cls, memory: np.ndarray) -> SharedMapping:
        """New shared memory with a copy of these bytes.

        Raises:
            OSError: no memory left for it.
        """
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("flambeau-shared")
        else:
            import tempfile  # slow to import, and Linux has no need of it

            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        try:
            os.ftruncate(descriptor, memory.nbytes)
            mapping = cls.of_file(descriptor, memory.nbytes)
        except OSError:
            os.close(descriptor)
            raise
        np.frombuffer(mapping, np.uint8)[:] = memory
        return mapping


def mapping_of(array: np.ndarray) -> SharedMapping | None:
    """The shared mapping that an array lies in, if any."""
    owner: Any = array
    while owner is not None and not isinstance(owner, SharedMapping):
        # as_strided puts an object of its own between two arrays; it has a base too
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner


@method()
def is_shared(self: Tensor) -> bool:
    """Whether the tensor lies in memory that other processes can share."""
    return mapping_of(self._array) is not None


@method()
def share_memory_(self: Tensor) -> Tensor:
    """Move the tensor into memory that it shares with processes forked, or sent it, from now on.

    Raises:
        RuntimeError: another tensor is a view of the same memory, which cannot move along.

    >>> flambeau.zeros(3).share_memory_().is_shared()
    True
    """
    state.settle()
    state.changed()
    array = self._array
    if array.size == 0 or self._device is not CPU or mapping_of(array) is not None:
        return self
    core = storage_of(self)
    # Those who know the storage: this tensor, this variable, and getrefcount's argument.
    if sys.getrefcount(core) > 3 or array.nbytes != core.nbytes:
        raise RuntimeError(
            "share_memory_: the tensor is a view of another tensor's memory, or has views, and "
            "they cannot move along. Call it before making views, or on a clone()"
        )
    order = sorted(range(array.ndim), key=lambda dim: -array.strides[dim])
    dense = np.asarray(array.transpose(order), order="C")
    mapping = SharedMapping.with_contents(dense.reshape(-1).view(np.uint8))
    moved = np.frombuffer(mapping, np.uint8).view(array.dtype).reshape(dense.shape)
    self._array = core.array = moved.transpose(np.argsort(order)) if array.ndim else moved
    core.offset_zero = None
    return self
