"""An event's guard as a table for native code; see `runtime.guards`.

The Python function that `play` writes for an event says the same, and does what the table cannot
say: an event that has no table, or does not fit its table, goes that way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..runtime.guards import known
from ..runtime.tables import SIZE, Code, Spec, Table
from .floats import is_float, is_number
from .pattern import Constant, Input, InputSpec, Mapping, Result, Sequence, Varies


class _NoTable(Exception):
    """Something that only Python does."""


class _Writer:
    def __init__(self, node: Any):
        self.node = node
        self.words: list[int] = []
        self.held: list[Any] = []  # what the words point to

    def address(self, x: Any) -> int:
        """The word for an object, which is held from now on."""
        self.held.append(x)
        return id(x)

    def say(self, code: Code, *operands: int) -> None:
        """Add an instruction."""
        words = (code, *operands)
        self.words += [int(word) for word in (*words, *[0] * (SIZE - len(words)))]

    # --- comparing --------------------------------------------------------------------------------

    def check(self, pattern: Any) -> None:
        """Instructions that compare the operand at hand."""
        kind = type(pattern)
        if kind is Result:
            self.say(Code.SLOT, pattern.slot)
        elif kind is Input and not pattern.new:
            self.say(Code.INPUT, pattern.number)
        elif kind is Input:
            self.say(Code.BIND, self.spec(self.node.specs[pattern.number]))
        elif kind is Varies and pattern.fits in (is_number, is_float):
            self.say(Code.VARIES)
        elif kind is Constant:
            value = pattern.value
            # others than these are compared by identity, or by Python
            by_value = type(value) in (int, str) or (type(value) is float and value != 0)
            self.say(Code.SAME, self.address(value), by_value)
        elif kind is Sequence and pattern.kind in (list, tuple):
            self.say(Code.SEQUENCE, id(pattern.kind), len(pattern.items))
            for place, item in enumerate(pattern.items):
                if isinstance(item, (Sequence, Mapping)):
                    raise _NoTable
                self.say(Code.ITEM, place, pattern.kind is list)
                self.check(item)
        else:
            raise _NoTable

    def spec(self, spec: InputSpec) -> int:
        """The address of what an input must be like."""
        words = [0] * Spec.SIZES
        words[Spec.SPEC] = self.address(spec)
        words[Spec.CLASS] = self.address(spec.cls)
        words[Spec.DTYPE] = self.address(spec.dtype)
        words[Spec.REQUIRES_GRAD] = id(spec.requires_grad)
        words[Spec.INFERENCE] = id(spec.inference)
        words[Spec.REMEMBER] = int(spec.remember or not spec.leaf or any(spec.hooked))
        words[Spec.DIMENSIONS] = len(spec.shape)
        table = np.array([*words, *spec.shape, *spec.steps], np.int64)
        self.held.append(table)
        return table.__array_interface__["data"][0]

    def arguments(self) -> None:
        """Instructions for all arguments."""
        node = self.node
        first = 0
        if node.module is not None:
            if not node.module.direct:
                raise _NoTable
            self.say(Code.MODULE, self.address(node.module))
            first = 1
        for place, item in enumerate(node.args.items, first):
            self.say(Code.ARGUMENT, place)
            self.check(item)
        for key, item in node.kwargs.items:
            self.say(Code.KEYWORD, self.address(key))
            self.check(item)

    def gradients(self) -> None:
        """Instructions that look at leaves' gradients."""
        for change in self.node.gradients:
            self.say(Code.GRADIENT, *_leaf(change.leaf))
            self.check(Constant(None, type(None)) if change.held is None else change.held)

    # --- promising --------------------------------------------------------------------------------

    def promises(self) -> None:
        """Instructions for what the event brings about."""
        node = self.node
        for slot in node.metas:
            self.say(Code.MAKE, self.address(node.metas[slot]))
        self.say(Code.COMMIT, id(node))  # the table is the node's own
        if node.module is not None:
            self.say(Code.CALLED)
        for change in node.gradients:
            if change.slot is not None:
                self.say(Code.SET_GRADIENT, *_leaf(change.leaf), change.slot)
        for slot, meta in node.changes.items():
            self.say(Code.META, slot, self.address(meta))
        if node.descriptor.name == "grad=":
            self.say(Code.CLEAR)
        result = node.result
        if type(result) is Result:
            self.say(Code.RETURN_SLOT, result.slot)
        elif type(result) is Input:
            self.say(Code.RETURN_INPUT, result.number)
        elif type(result) is Constant:
            self.say(Code.RETURN, self.address(result.value))
        else:
            raise _NoTable

    def table(self) -> bytes:
        """The table."""
        node = self.node
        if node.step is not None or node.dirty:
            raise _NoTable
        self.arguments()
        self.gradients()
        self.promises()
        words = [0] * Table.FIRST
        words[Table.ARGS] = len(node.args.items) + (node.module is not None)
        words[Table.KWARGS] = len(node.kwargs.items)
        words[Table.GRAD] = id(node.grad)
        words[Table.SPECIAL] = self.address(node.special)
        words[Table.COUNT] = len(self.words) // SIZE
        return np.array([*words, *self.words], np.int64).tobytes()


def _leaf(pattern: Any) -> tuple[int, int]:
    return (pattern.slot, 0) if type(pattern) is Result else (pattern.number, 1)


def table_of(node: Any) -> tuple[bytes | None, list[Any]]:
    """An event's table (None: Python's business), and what must live as long as it does."""
    if not known():
        return None, []
    writer = _Writer(node)
    try:
        return writer.table(), writer.held
    except _NoTable:
        return None, []
