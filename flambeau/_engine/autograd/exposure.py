"""Memory that somebody outside of flambeau may see and write to: NumPy, DLPack, a buffer's owner.

What is computed late may not read such memory late. So it must be known when somebody has come to
see memory, and also that nobody has it any more: most arrays are looked at once and dropped.
Nobody tells us of that; reference counts do.
"""

from __future__ import annotations

import weakref
from sys import getrefcount
from typing import Any

import numpy as np

from ..base import state
from .tensor import Storage, Tensor, new, storage_of, wrap


def give_out(t: Tensor, dtype: Any = None) -> np.ndarray:
    """An array over a tensor's memory, for somebody outside; its elements read as `dtype`."""
    array = t._array if dtype is None else t._array.view(dtype)
    core = storage_of(t).core
    if core.bound and array.size:
        # over a memoryview: arrays that are made of this one keep it alive, so it can be watched
        array = np.asarray(memoryview(array))
        watch(core, array)
    else:
        array = array.view()
        core.exposed = True
    if state.tracer is not None:
        state.tracer.was_exposed(t)
    return array


def watch(core: Storage, window: Any) -> None:
    """Memory can be seen from outside for as long as `window` is there."""
    core.windows = (*(seen for seen in core.windows if seen() is not None), weakref.ref(window))
    state.changed()


def take_in(array: np.ndarray) -> Tensor:
    """A tensor over memory that others may have."""
    t = wrap(array)
    storage_of(t).exposed = True
    return t


def visible(t: Tensor) -> bool:
    """Whether somebody outside may see a tensor's memory and write to it, or we may not."""
    frame = t.__dict__
    storage = frame.get("_storage")
    if storage is not None:
        core = storage.core
        if core.windows:
            core.windows = tuple(seen for seen in core.windows if seen() is not None)
        if core.windows or core.exposed and _held_by_others(frame, storage):
            return True
        core.exposed = False
    return not frame["_array"].flags.writeable


def _held_by_others(frame: dict[str, Any], storage: Storage) -> bool:
    """Whether there are more references to the memory than we know; if in doubt there are."""
    core = storage.core
    one: Any = frame["_array"]
    while True:
        known = _LONE + (storage.array is one) + (core is not storage and core.array is one)
        if type(one) is not np.ndarray or getrefcount(one) > known:
            return True
        if one.base is None:
            return not one.flags.owndata
        one = one.base


def _lone_references() -> int:
    """What is counted of an array that only a tensor, or another array, has."""
    t = new(Tensor)
    frame = t.__dict__
    frame["_array"] = np.empty(0)
    one: Any = frame["_array"]
    return getrefcount(one)


_LONE = _lone_references()
