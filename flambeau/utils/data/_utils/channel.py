"""Messages between the DataLoader and a worker: a socket, and shared memory for big arrays.

A message is one pickle. The memory of tensors and arrays stays out of it, in *buffers*: small ones
follow the pickle through the socket; big ones lie in an anonymous memory file (memfd), whose
descriptor travels with the message and which the receiver maps without copying. Such a file has no
name and no place in /dev/shm: the kernel frees it with its last mapping, however the processes end.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import resource
import socket
import struct
import weakref
from collections.abc import Sequence
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from ...._engine.autograd.tensor import Tensor, mark_requires_grad, wrap
from ...._engine.base import dtypes
from ...._engine.base.devices import CPU

_HEADER = struct.Struct("<QQ?")  # bytes of the pickle, number of buffers, whether shared
_ALIGNMENT = 64
_SMALLEST_BUFFER = 512  # smaller memory goes inside the pickle
_SMALLEST_FILE = 1 << 16  # bytes of buffers from which a memory file is cheaper than the socket
_mappings: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_kept_ends: weakref.WeakSet[Channel] = weakref.WeakSet()


def _close_kept_ends() -> None:
    for channel in list(_kept_ends):
        channel.close()


# A forked child that held them too would hide the main process's end from the workers.
os.register_at_fork(after_in_child=_close_kept_ends)


class Channel:
    """One end of a two-way stream of messages. Not for two threads in the same direction."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """The end that stays in this process, and the one for a worker."""
        ours, theirs = (cls(end) for end in socket.socketpair())
        _kept_ends.add(ours)
        return ours, theirs

    def fileno(self) -> int:
        return self.socket.fileno()

    def wait(self, timeout: float) -> bool:
        """Whether a message, or the end, can be received within so many seconds."""
        return bool(connection.wait([self.socket], timeout))

    def close(self) -> None:
        self.socket.close()

    def send(self, message: Any) -> None:
        """Send one message; nothing at all is sent if it cannot be pickled.

        Raises:
            OSError: the other end is closed.
        """
        data, buffers = _pickle(message)
        views = [buffer.raw() for buffer in buffers]
        sizes = struct.pack(f"<{len(views)}Q", *(view.nbytes for view in views))
        file = _memory_file(views) if sum(view.nbytes for view in views) >= _SMALLEST_FILE else -1
        header = _HEADER.pack(len(data), len(views), file >= 0)
        if file < 0:
            self.socket.sendall(header + sizes + data)
            for view in views:
                self.socket.sendall(view)
            return
        try:
            socket.send_fds(self.socket, [header], [file])
        finally:
            os.close(file)
        self.socket.sendall(sizes + data)

    def receive(self) -> Any:
        """The next message; waits for it.

        Raises:
            EOFError: the other end is closed.
        """
        header, file = self._receive_header()
        try:
            pickle_size, count, shared = _HEADER.unpack(header)
            sizes = struct.unpack(f"<{count}Q", self._receive_exactly(8 * count))
            data = self._receive_exactly(pickle_size)
            if shared:
                buffers = _split(_map(file, _layout(sizes)[-1]), sizes)
            else:
                buffers = [memoryview(self._receive_exactly(size)) for size in sizes]
        finally:
            if file >= 0:
                os.close(file)
        return pickle.loads(data, buffers=buffers)

    def _receive_header(self) -> tuple[bytes, int]:
        try:
            start, files, _, _ = socket.recv_fds(
                self.socket, _HEADER.size, 1, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
            )
        except ConnectionError as error:
            raise EOFError("the other end of the channel is closed") from error
        file = files[0] if files else -1
        return start + self._receive_exactly(_HEADER.size - len(start)), file

    def _receive_exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            count = self.socket.recv_into(rest)
            if count == 0:
                raise EOFError("the other end of the channel is closed")
            rest = rest[count:]
        return data


class _Pickler(ForkingPickler):
    def reducer_override(self, value: Any) -> Any:
        if type(value) is Tensor and value._device is CPU:
            return _reduce_tensor(value)
        return NotImplemented


def _pickle(message: Any) -> tuple[bytes, list[pickle.PickleBuffer]]:
    buffers: list[pickle.PickleBuffer] = []

    def keep_inside(buffer: pickle.PickleBuffer) -> bool:
        if buffer.raw().nbytes < _SMALLEST_BUFFER:
            return True
        buffers.append(buffer)
        return False

    stream = io.BytesIO()
    _Pickler(stream, 5, True, keep_inside).dump(message)
    return stream.getvalue(), buffers


def _reduce_tensor(tensor: Tensor) -> tuple[Any, ...]:
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd "
            "does not support crossing process boundaries.  If you just want to transfer the "
            "data, call detach() on the tensor before serializing (e.g., putting it on the queue)."
        )
    array = tensor._array
    # The dimensions from slow to fast: dense memory of any layout (channels last) is kept.
    order = sorted(range(array.ndim), key=lambda dim: -abs(array.strides[dim]))
    dense = np.asarray(array.transpose(order), order="C")
    memory = pickle.PickleBuffer(dense.reshape(-1).view(np.uint8))
    return _rebuild_tensor, (memory, dense.dtype, dense.shape, order, tensor.requires_grad)


def _rebuild_tensor(
    memory: Any, dtype: np.dtype, shape: tuple[int, ...], order: list[int], requires_grad: bool
) -> Tensor:
    canonical = dtypes.from_numpy(dtype).numpy  # an unpickled dtype is another object
    dense = np.frombuffer(memory, np.uint8).view(canonical).reshape(shape)
    if not dense.flags.writeable:
        dense = dense.copy()
    tensor = wrap(dense.transpose(np.argsort(order)) if order != sorted(order) else dense)
    if requires_grad:
        mark_requires_grad(tensor)
    return tensor


def _layout(sizes: Sequence[int]) -> list[int]:
    """Where each buffer starts in the file, and the file's size."""
    starts = [0]
    for size in sizes:
        starts.append(-(-(starts[-1] + size) // _ALIGNMENT) * _ALIGNMENT)
    return starts


def _split(memory: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    return [memory[start : start + size] for start, size in zip(_layout(sizes), sizes)]


def _memory_file(views: Sequence[memoryview]) -> int:
    """A descriptor of a memory file with these contents; -1 where the system gives none."""
    if not hasattr(os, "memfd_create"):
        return -1
    try:
        file = os.memfd_create("flambeau-batch")
    except OSError:
        return -1
    try:
        starts = _layout([view.nbytes for view in views])
        os.ftruncate(file, starts[-1])
        for start, view in zip(starts, views):
            written = 0
            while written < view.nbytes:
                written += os.pwrite(file, view[written:], start + written)
    except OSError:  # no memory left for it: the socket needs none
        os.close(file)
        return -1
    return file


def _map(file: int, size: int) -> memoryview:
    """The file's contents, writable: a mapping, or a copy while very many mappings are alive.

    Each mapping holds a descriptor, so a program that keeps all its batches would run out.
    """
    if len(_mappings) < resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4:
        try:
            mapping = mmap.mmap(file, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        except OSError:
            pass
        else:
            _mappings.add(mapping)
            return memoryview(mapping)
    copy = memoryview(bytearray(size))
    done = 0
    while done < size:
        done += os.preadv(file, [copy[done:]], done)
    return copy
