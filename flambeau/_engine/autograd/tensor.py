"""The Tensor's bare frame: an array, its storage, and its place on the tape.

Only what the engine itself needs is here; the face attaches the public methods. Attributes have
class-level defaults, so that wrapping an array costs one assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import state
from ..base.devices import CPU, device

if TYPE_CHECKING:
    from .node import Node
    from .views import ViewInfo


new = object.__new__


class Storage:
    """The memory that aliases share: its owner array and its version counter."""

    array: np.ndarray
    version: int = 0
    # the same memory under another version counter, as `.data` gives it
    of: Storage | None = None
    # whether something outside may write to the memory unseen (NumPy, DLPack ...), and for as long
    # as which objects are there: see `exposure`
    exposed: bool = False
    windows: tuple[Callable[[], Any], ...] = ()
    # whether a guard remembers a tensor over it
    bound: bool = False
    # the address of the storage's first byte; views count their offset from here
    offset_zero: int | None = None

    def __init__(self, array: np.ndarray, of: Storage | None = None):
        self.array = array
        if of is not None:
            self.of = of

    @property
    def core(self) -> Storage:
        """The one object that stands for this memory, whichever counter it is seen through."""
        return self if self.of is None else self.of

    @property
    def address(self) -> int:
        """The address of the first byte."""
        if self.offset_zero is None:
            array = self.array
            if array.flags.c_contiguous:
                self.offset_zero = array.__array_interface__["data"][0]
            else:
                self.offset_zero = np.lib.array_utils.byte_bounds(array)[0]
        return self.offset_zero

    @property
    def nbytes(self) -> int:
        """Bytes from the first element's first to the last element's last."""
        if self.array.size == 0:
            return 0
        low, high = np.lib.array_utils.byte_bounds(self.array)
        return high - low


class WriteCount:
    """How often a program has run that writes to some storages; `closed` when it stays so."""

    __slots__ = ("closed", "runs")

    def __init__(self) -> None:
        self.runs = 0
        self.closed = False


class CountedStorage(Storage):
    """A storage that programs write to: for all storages of a program, a run is counted once.

    Attributes:
        other: writes that no program counts.
        counts: each with the number of writes that a run stands for.
    """

    other: int = 0
    counts: tuple[tuple[WriteCount, int], ...] = ()

    @property
    def version(self) -> int:  # type: ignore[override]
        """How many in-place writes the memory has seen."""
        return self.other + sum(count.runs * writes for count, writes in self.counts)

    @version.setter
    def version(self, value: int) -> None:
        self.other += value - self.version

    def is_counted_by(self, count: WriteCount) -> bool:
        """Whether a count is one of `counts`."""
        return any(each is count for each, _ in self.counts)

    def count_by(self, count: WriteCount, writes: int) -> None:
        """From now on each run that `count` counts is so many writes."""
        self.other += sum(each.runs * n for each, n in self.counts if each.closed)
        self.counts = (*(pair for pair in self.counts if not pair[0].closed), (count, writes))


def counted(storage: Storage) -> CountedStorage:
    """The storage itself, from now on one whose writes programs may count."""
    if not isinstance(storage, CountedStorage):
        before = storage.__dict__.pop("version", 0)
        storage.__class__ = CountedStorage
        storage.other = before  # type: ignore[attr-defined]
    return storage  # type: ignore[return-value]


class Tensor:
    """An n-dimensional array that can remember how it was computed."""

    _array: np.ndarray
    # True while nothing but the array matters: no history, no view, no other device
    _plain: bool = True
    _requires_grad: bool = False
    _grad: Tensor | None = None
    _grad_fn: Node | None = None
    _output_index: int = 0
    _storage: Storage | None = None
    _view: ViewInfo | None = None
    # a base that became a view of itself (`t_()`): stands for what it was, for its other views
    _root: Tensor | None = None
    _hooks: dict | None = None
    _post_accumulate_hooks: dict | None = None
    _retains_grad: bool = False
    _inference: bool = False
    _device: device = CPU
    # a gradient that only the backward engine has seen, whose memory a leaf may keep
    _fresh: bool = False

    if TYPE_CHECKING:
        # The face attaches operators and methods when it is imported: any type, to the checker.
        _attached: Any = None
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _attached
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _attached
        __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _attached
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _attached
        __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _attached
        __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __pos__ = __invert__ = __abs__ = _attached
        __getitem__ = __setitem__ = __len__ = __iter__ = __contains__ = _attached
        __bool__ = __int__ = __float__ = __index__ = __complex__ = __array__ = _attached
        __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = _attached
        __iand__ = __ior__ = __ixor__ = _attached

        def __getattr__(self, name: str) -> Any: ...


def wrap(array: np.ndarray) -> Tensor:
    """A tensor over `array`, sharing its memory."""
    t = new(Tensor)
    t._array = array
    return t


def storage_of(t: Tensor) -> Storage:
    """The storage behind a tensor, made on first need."""
    storage = t._storage
    if storage is None:
        storage = t._storage = new(Storage)
        storage.array = t._array
    return storage


def version_of(t: Tensor) -> int:
    """How many in-place writes the tensor's memory has seen."""
    return 0 if t._storage is None else t._storage.version


def share(t: Tensor, array: np.ndarray) -> Tensor:
    """A tensor over `array`, a view into t's memory, without history."""
    out = wrap(array)
    out._storage = storage_of(t)
    if t._device is not CPU:
        out._device = t._device
        out._plain = False
    return out


def share_uncounted(t: Tensor) -> Tensor:
    """A tensor over t's memory whose writes autograd does not notice: what `.data` gives."""
    out = share(t, t._array)
    storage = storage_of(t)
    out._storage = Storage(storage.array, storage.core)
    return out


def mark_requires_grad(t: Tensor, wanted: bool = True) -> None:
    """Set the flag that makes a tensor a leaf of the tape."""
    state.changed()
    if state.tracer is not None and wanted is not t._requires_grad:
        state.tracer.flag_changes(t)
    t._requires_grad = wanted
    t._plain = not wanted and t._view is None and t._device is CPU and not t._inference


def own(t: Tensor) -> None:
    """Make a view the base of its memory: nobody else has the tensor it was a view of."""
    t._view = None
    t._plain = not t._requires_grad and t._device is CPU and not t._inference
