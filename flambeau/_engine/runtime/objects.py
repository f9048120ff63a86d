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
    python = ctypes.pythonapi
    words[Pool.AS_DOUBLE] = _address(python.PyFloat_AsDouble)
    words[Pool.FROM_LONG] = _address(python.PyLong_FromLong)
    words[Pool.ERROR] = _address(python.PyErr_Occurred)


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


class _Definition(ctypes.Structure):
    """Python's PyMethodDef, which its stable ABI fixes."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("code", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("text", ctypes.c_char_p),
    )


_FASTCALL = 0x80  # METH_FASTCALL: code(self, address of the arguments, their number)


@cache
def _definition(code: int) -> _Definition:
    made = _Definition(b"native", code, _FASTCALL, None)
    # functions look at it when they die, and at exit that may be after this module's names
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))
    return made


def python_function(code: int, bound: object) -> Any:
    """Native code as a function of Python's own; a call of it takes a fifth of ctypes' time.

    Args:
        code: the address of a METH_FASTCALL function. It is not to be unloaded.
        bound: what it is given as `self`.
    """
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.argtypes = (ctypes.POINTER(_Definition), ctypes.py_object, ctypes.c_void_p)
    make.restype = ctypes.py_object
    return make(_definition(code), bound, None)


def data(array: Any) -> int:
    """The address of an array's first element."""
    return array.__array_interface__["data"][0]


def _word(item: object, place: int) -> int:
    return _at(id(item) + 8 * place)


def _at(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value
