"""How Python's objects lie in memory: what native code may read of them by itself."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

import numpy as np

from .layout import Item, Pool


@cache
def known() -> bool:
    """Whether lists, tuples, floats and arrays lie as `layout` says; looked up, not assumed."""
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    if object.__basicsize__ != 16 or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    base = np.zeros((4, 6), np.float32)
    arrays = [base, base[1:, 2:], np.zeros(3), np.empty(0), np.array(5), base.T]
    if np.ndarray.__basicsize__ < 24 or any(_word(a, Item.VALUE) != data(a) for a in arrays):
        return False
    listed, fixed, number = arrays[:4], tuple(arrays), -1234.5
    items = [_at(_word(listed, Item.ITEMS) + 8 * i) for i in range(4)]
    return (
        items == [id(a) for a in listed]
        and _word(listed, Item.SIZE) == 4
        and _word(fixed, Item.SIZE) == 6
        and [_word(fixed, Item.ITEMS + i) for i in range(6)] == [id(a) for a in fixed]
        and ctypes.c_double.from_address(id(number) + 8 * Item.VALUE).value == number
        and all(_word(x, Item.TYPE) == id(type(x)) for x in (base, listed, fixed, number, 7))
    )


def describe(words: np.ndarray) -> None:
    """Tell a pool's words what Python's types are."""
    types = ((Pool.LIST, list), (Pool.TUPLE, tuple), (Pool.FLOAT, float), (Pool.INT, int))
    for word, kind in (*types, (Pool.ARRAY, np.ndarray)):
        words[word] = id(kind)
    function = ctypes.pythonapi.PyFloat_AsDouble
    words[Pool.AS_DOUBLE] = ctypes.cast(function, ctypes.c_void_p).value


def data(array: Any) -> int:
    """The address of an array's first element."""
    return array.__array_interface__["data"][0]


def _word(item: object, place: int) -> int:
    return _at(id(item) + 8 * place)


def _at(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value
