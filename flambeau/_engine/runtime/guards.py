"""Guards in native code: whether an event fits the record, and what it promises, in one call.

`on_op(descriptor, args, kwargs)` is a built-in function of Python's, made here with LLVM. It works
on Python's objects through Python's own C interface, and reads only the few words of lists, tuples
and arrays that `objects.known` has looked at. Each event of a segment is a *table*: words that say
what to compare and what to promise, one instruction after the other (`tables.Code`);
`trace.quick` writes them. Whatever is not the usual case it leaves as it found it, and calls
Python's dispatcher, which can do everything. It runs no code of Python's and collects no garbage,
so under Python's lock nothing happens in between.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cache
from sys import intern
from typing import Any

import numpy as np

from . import kernels, objects
from .guard_code import build
from .native import Code
from .tables import BYTES, FUNCTIONS, NAMES, OBJECTS, SLOTS, Array


@cache
def known() -> bool:
    """Whether objects lie as they are read here; looked up, not assumed."""
    if not objects.known() or np.ndarray.__basicsize__ < 72:
        return False
    sample = b"flambeau"
    if ctypes.string_at(id(sample) + BYTES, len(sample)) != sample:
        return False
    for array in (np.zeros((2, 3), np.float32)[:, ::2], np.zeros(4, np.int64), np.array(1.0)):
        words = (ctypes.c_uint64 * 9).from_address(id(array))
        shape = (ctypes.c_int64 * array.ndim).from_address(words[Array.SHAPE] or id(array))
        steps = (ctypes.c_int64 * array.ndim).from_address(words[Array.STRIDES] or id(array))
        if (
            words[Array.DIMENSIONS] & 0xFFFFFFFF != array.ndim
            or (tuple(shape), tuple(steps)) != (array.shape, array.strides)
            or words[Array.DTYPE] != id(array.dtype)
            or words[Array.FLAGS] & 0xFFFFFFFF != array.flags.num
        ):
            return False
    return all(hasattr(ctypes.pythonapi, name) for name in FUNCTIONS)


def _word_of(owner: type, name: str) -> int:
    """The word of an object at which an attribute in `__slots__` lies.

    Raises:
        ValueError: none.
    """
    sample: Any = object.__new__(owner)
    value = object()
    setattr(sample, name, value)
    words = (ctypes.c_uint64 * (owner.__basicsize__ // 8)).from_address(id(sample))
    return list(words).index(id(value))


def dispatcher(classes: Iterable[type], **given: Any) -> Any:
    """`on_op` as a built-in function.

    Args:
        classes: those in `SLOTS`.
        given: the objects of `OBJECTS` that only the caller knows.
    """
    constants = {
        "none": None, "false": False, "true": True, "zero": 0, "int": int, "str": str,
        "float": float, "bytes": bytes, "array": np.ndarray, "tuple": tuple,
    }  # fmt: skip
    held = {**constants, **given}
    words = [ctypes.cast(getattr(ctypes.pythonapi, n), ctypes.c_void_p).value for n in FUNCTIONS]
    interned = [intern(name) for name in NAMES]
    words += [id(x) for x in (*interned, *(held[name] for name in OBJECTS))]
    by_name = {cls.__name__: cls for cls in classes}
    words += [_word_of(by_name[owner], name) for owner, names in SLOTS.items() for name in names]
    table = np.array(words, np.uint64).tobytes()
    _kept.append((held, interned))
    return objects.python_function(_code()["on_op"], table)


_kept: list[Any] = []  # what native code points to, for as long as the process lives


@cache
def _code() -> Code:
    return kernels.shared_code("guards", build, ("on_op",))
