"""A recorder for tests: the primitives of eager training steps as a graph, with their arrays.

It replaces the callables of `P` while a function runs, so what it sees is what the eager tier
calls. Memory that is written is an update of an input. Not for programs with in-place operations
other than an optimizer's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from flambeau._engine.autograd.calls import P
from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.eager import RULES
from flambeau._engine.graph.ir import Graph, Node, Number, Output, Value
from flambeau._engine.prims import PRIMITIVES
from flambeau.optim import _rule

# options that decide which operations an update consists of
CONSTANT_OPTIONS = ("eps", "weight_decay", "momentum", "dampening")


class Tracked(float):
    """A number that is an entry of the numbers' vector; what is computed with it is one too."""

    recorder: Recorder
    position: int

    def _made(self, value: float) -> Tracked:
        return self.recorder.tracked(value)

    def __add__(self, other):
        return (
            self._made(float(self) + other) if isinstance(other, (int, float)) else NotImplemented
        )

    def __radd__(self, other):
        return (
            self._made(other + float(self)) if isinstance(other, (int, float)) else NotImplemented
        )

    def __sub__(self, other):
        return (
            self._made(float(self) - other) if isinstance(other, (int, float)) else NotImplemented
        )

    def __rsub__(self, other):
        return (
            self._made(other - float(self)) if isinstance(other, (int, float)) else NotImplemented
        )

    def __mul__(self, other):
        return (
            self._made(float(self) * other) if isinstance(other, (int, float)) else NotImplemented
        )

    def __rmul__(self, other):
        return (
            self._made(other * float(self)) if isinstance(other, (int, float)) else NotImplemented
        )

    def __truediv__(self, other):
        return (
            self._made(float(self) / other) if isinstance(other, (int, float)) else NotImplemented
        )

    def __neg__(self):
        return self._made(-float(self))


class Symbol:
    """An array whose operators are noted primitives: what update rules compute with."""

    def __init__(self, array: np.ndarray):
        self.array = array


def _operator(name: str, swapped: bool = False) -> Callable[..., Symbol]:
    def run(*operands: Any) -> Symbol:
        arrays = [x.array if isinstance(x, Symbol) else x for x in operands]
        return Symbol(RULES[name](*(arrays[::-1] if swapped else arrays)))

    return run


for _method, _name in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}.items():
    setattr(Symbol, f"__{_method}__", _operator(_name))
    setattr(Symbol, f"__r{_method}__", _operator(_name, swapped=True))
Symbol.__neg__ = _operator("neg")  # type: ignore[attr-defined]
FUNCTIONS = SimpleNamespace(
    sqrt=_operator("sqrt"), maximum=_operator("maximum"), abs=_operator("abs"),
    sign=_operator("sign"),
)  # fmt: skip


class Recorder:
    """Notes primitive calls, in order."""

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []
        self.values: dict[int, Value] = {}
        self.inputs: list[Value] = []
        self.input_arrays: list[np.ndarray] = []
        self.numbers: list[float] = []
        self.nodes: list[Node] = []
        self.updates: list[tuple[Value, Value]] = []

    def tracked(self, value: float) -> Tracked:
        out = Tracked(value)
        out.recorder, out.position = self, len(self.numbers)
        self.numbers.append(float(value))
        return out

    def value(self, array: np.ndarray) -> Value:
        """The value that stands for an array: an input where nothing here made it."""
        found = self.values.get(id(array))
        if found is None:
            strides = None
            if not array.flags.c_contiguous:
                strides = tuple(s // array.itemsize for s in array.strides)
            found = self._new(array, strides)
            self.inputs.append(found)
            self.input_arrays.append(array.copy("K") if array.dtype.kind != "V" else array)
        return found

    def _new(self, array: np.ndarray, strides: Any = None) -> Value:
        self.kept.append(array)
        found = self.values[id(array)] = Value(array.shape, array.dtype, strides)
        return found

    def operand(self, x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return self.value(x)
        if isinstance(x, Tracked):
            return Number(x.position)
        return x

    def note(self, name: str, inputs: tuple, params: dict, result: Any) -> Any:
        """Add a node; returns the results as arrays that the node is known by."""
        operands = tuple(self.operand(x) for x in inputs)
        held = {k: self.operand(v) for k, v in params.items()}
        several = isinstance(result, tuple)
        outs = tuple(np.asarray(o) for o in (result if several else (result,)))
        self.nodes.append(Node(name, operands, held, tuple(self._new(o) for o in outs)))
        return outs if several else outs[0]

    def number(self, name: str, value: Any) -> Any:
        """An optimizer's number, as an input where it may vary."""
        if type(value) is not float or name in CONSTANT_OPTIONS:
            return value
        return self.tracked(value)

    def update(self, target: np.ndarray, content: np.ndarray) -> None:
        """A write to memory, to be done at the end."""
        self.updates.append((self.value(target), self.value(content)))

    def graph(self, outputs: list[Tensor]) -> Graph:
        """What was noted, with these results."""
        found = tuple(Output(self.value(t._array)) for t in outputs)
        return Graph(
            tuple(self.inputs), len(self.numbers), tuple(self.nodes), found, tuple(self.updates)
        )


@contextmanager
def recording(recorder: Recorder):
    """Note all primitives and optimizer updates of this process meanwhile."""
    rules = dict(RULES)
    update = _rule._update_arrays
    cells = list(_rule_cells())

    def noted(name: str) -> Callable[..., Any]:
        def run(*inputs: Any, **params: Any) -> Any:
            plain = [float(x) if isinstance(x, Tracked) else x for x in inputs]
            return recorder.note(name, inputs, params, rules[name](*plain, **params))

        return run

    def update_noted(rule, targets, grad, numbers):
        tracked = {k: recorder.number(k, v) for k, v in numbers.items()}
        values = [None if t is None else Symbol(t._array) for t in targets]
        results = rule.update(FUNCTIONS, values[0], Symbol(grad._array), *values[1:], **tracked)
        for target, result in zip(targets, results, strict=False):
            if target is not None:
                recorder.update(target._array, result.array)
        return tuple(result.array for result in results)

    RULES.update({name: noted(name) for name in rules})
    for name, cell in cells:
        cell.cell_contents = RULES[name]
    _rule._update_arrays = update_noted
    try:
        yield
    finally:
        RULES.update(rules)
        for name, cell in cells:
            cell.cell_contents = rules[name]
        _rule._update_arrays = update


def _rule_cells():
    """Where the short ways of elementwise primitives keep their rules."""
    for name in PRIMITIVES:
        call = P.__dict__[name]
        for variable, cell in zip(call.__code__.co_freevars, call.__closure__, strict=True):
            if variable == "array_rule":
                yield name, cell
