"""What native guards are told, and by which words: instructions, specs, and Python's interface."""

from __future__ import annotations

from enum import IntEnum, auto

import llvmlite.ir as ir

from .writer import I32, I64, POINTER, VOID

# C interface: name -> (result, arguments)
FUNCTIONS: dict[str, tuple[ir.Type, list[ir.Type]]] = {
    "PyObject_GetAttr": (POINTER, [POINTER, POINTER]),
    "PyObject_SetAttr": (I32, [POINTER, POINTER, POINTER]),
    "PyObject_GenericGetDict": (POINTER, [POINTER, POINTER]),
    "PyObject_CallNoArgs": (POINTER, [POINTER]),
    "PyObject_CallOneArg": (POINTER, [POINTER, POINTER]),
    "PyObject_Vectorcall": (POINTER, [POINTER, POINTER, I64, POINTER]),
    "PyObject_RichCompareBool": (I32, [POINTER, POINTER, I32]),
    "PyDict_GetItem": (POINTER, [POINTER, POINTER]),
    "PyDict_SetItem": (I32, [POINTER, POINTER, POINTER]),
    "PyDict_Size": (I64, [POINTER]),
    "PyDict_Next": (I32, [POINTER, POINTER, POINTER, POINTER]),
    "PyList_Append": (I32, [POINTER, POINTER]),
    "PyList_SetSlice": (I32, [POINTER, I64, I64, POINTER]),
    "PySequence_Concat": (POINTER, [POINTER, POINTER]),
    "PyTuple_New": (POINTER, [I64]),
    "PyTuple_SetItem": (I32, [POINTER, I64, POINTER]),
    "PyErr_Clear": (VOID, []),
    "PyGC_Disable": (I32, []),
    "PyGC_Enable": (I32, []),
    "Py_IncRef": (VOID, [POINTER]),
    "Py_DecRef": (VOID, [POINTER]),
}
# attributes that are read or written
NAMES = (
    "_array", "_device", "_grad", "_grad_fn", "_inference", "_meta", "_plain", "_plan",
    "_requires_grad", "_root", "_run", "_storage", "_view", "cursor", "epoch", "exposed", "forward",
    "grad", "inputs", "modules", "numbers", "of", "run", "slots", "snapshots", "special", "tracer",
    "windows",
)  # fmt: skip
# attributes that lie at a place of their own in the object: those in `__slots__`
SLOTS = {
    "InputSpec": ("epoch", "last"),
    "ModuleGuard": ("_epoch", "_last"),
    "ModulePlan": ("attributes", "classes", "hooks", "members", "tensors"),
    "TraceNode": ("children", "descriptor", "quick"),
    "Tracer": ("busy", "last", "off", "recording", "resting", "run", "visitors"),
    "ViewInfo": ("made_from",),
}
# objects that are compared with, or called
OBJECTS = ("local", "mode", "state", "slow", "run_class", "masked", "new", "cpu", "none", "false",
            "true", "zero", "int", "str", "float", "bytes", "array", "tuple")  # fmt: skip
_SLOTS = [f"{owner}.{name}" for owner, names in SLOTS.items() for name in names]
PLACES = {name: place for place, name in enumerate((*FUNCTIONS, *NAMES, *OBJECTS, *_SLOTS))}
BYTES = 32  # where a bytes object's own begin


class Code(IntEnum):
    """What an instruction (code, a, b, c) does; `x` is the operand at hand."""

    ARGUMENT = 0  # x = args[a]
    KEYWORD = auto()  # x = kwargs[a]
    SEQUENCE = auto()  # x is a list or tuple, of type a, with b items
    ITEM = auto()  # x = item a of that list (b = 1) or tuple (b = 0)
    SLOT = auto()  # x is result a
    INPUT = auto()  # x is input a
    BIND = auto()  # x fits the spec at a, and is the next input
    SAME = auto()  # x is a, or (b = 1) equal to it and of its type
    VARIES = auto()  # x is a float: the next number
    MODULE = auto()  # args[0] fits the module's guard a; its tensors are the next inputs
    GRADIENT = auto()  # x = the gradient of result a (b = 0) or input a (b = 1)
    MAKE = auto()  # the next result, with meta a
    COMMIT = auto()  # all has fitted, and nothing can go wrong any more: the run's cursor is a
    CALLED = auto()  # args[0] is a module that was called
    SET_GRADIENT = auto()  # the gradient of result a (b = 0) or input a (b = 1) = result c
    META = auto()  # result a has meta b
    CLEAR = auto()  # args[0] has no gradient
    RETURN_SLOT = auto()  # the event's result is result a
    RETURN_INPUT = auto()  # ... input a
    RETURN = auto()  # ... the object a


SIZE = 4  # words of an instruction


class Table(IntEnum):
    """Words of an event's table; the instructions follow."""

    ARGS = 0
    KWARGS = 1
    GRAD = 2  # the object that `mode.grad` must be
    SPECIAL = 3  # likewise
    COUNT = 4  # of instructions
    FIRST = 5


class Spec(IntEnum):
    """Words of what an input must be like."""

    SPEC = 0  # the object, for who it was the last time
    CLASS = 1
    DTYPE = 2
    REQUIRES_GRAD = 3
    INFERENCE = 4
    REMEMBER = 5  # 1: another tensor than the last time is Python's business
    DIMENSIONS = 6
    SIZES = 7  # sizes, then strides


class Array(IntEnum):
    """Words of NumPy's arrays."""

    DIMENSIONS = 3  # low half
    SHAPE = 4
    STRIDES = 5
    DTYPE = 7
    FLAGS = 8  # low half
