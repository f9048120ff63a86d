"""Do at compile time what is known, and leave out what changes nothing.

Every rule is exact: for NaN, infinities, negative zeros and each dtype the result is what the
primitive gives. So x * 1 is x; but x + 0 is not, which is 0 for x = -0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ..eager.precision import is_half
from ..eager.quiet import SETTING, enter, leave
from ..graph.interpreter import run_rule
from ..graph.ir import Graph, Node, Number, Value, values_of
from ..prims import PRIMITIVES
from .building import Builder, renamed, with_nodes


class _Known:
    """What rules ask: who made a value.

    Attributes:
        uses: how often each value is read, by results too.
    """

    def __init__(self, builder: Builder, graph: Graph):
        self.builder = builder
        self.makers: dict[Value, Node] = {}
        self.uses = Counter(v for node in graph.nodes for v in values_of(node.inputs))
        self.uses.update(graph.results())

    def made_by(self, x: Any, name: str) -> Node | None:
        """The node of this name that made a value."""
        node = self.makers.get(x) if isinstance(x, Value) else None
        return node if node is not None and node.name == name else None

    def permuted(self, x: Value, dims: tuple[int, ...]) -> Value:
        """`x` with its dimensions in another order, two orders made one."""
        before = self.made_by(x, "permute")
        if before is None:
            return self.builder.permute(x, dims)
        both = tuple(before.params["dims"][d] for d in dims)
        origin = before.inputs[0]
        if all(d == place for place, d in enumerate(both)):
            return origin
        return self.builder.permute(origin, both)

    def uniform(self, x: Any) -> Any:
        """The Python number that a value is full of; None for others."""
        node = self.made_by(x, "full")
        if node is None or isinstance(node.params["value"], Number):
            return None
        return x.dtype.type(node.params["value"]).item()


Rule = Callable[[_Known, Node], Value | None]


def fold(graph: Graph) -> Graph:
    """The graph after every rule of this file, operands first."""
    builder = Builder()
    known = _Known(builder, graph)
    by: dict[Value, Value] = {}
    for node in graph.nodes:
        node = renamed(node, by)
        builder.event = node.event
        start = len(builder.nodes)
        found = _folded(known, node)
        if found is None:
            builder.nodes.append(node)
        else:
            by[node.outputs[0]] = found
        for made in builder.nodes[start:]:
            for value in made.outputs:
                known.makers[value] = made
    return with_nodes(graph, builder.nodes, by)


def _folded(known: _Known, node: Node) -> Value | None:
    """What the node's result is, made anew or known already; None: leave the node."""
    if len(node.outputs) != 1:
        return None
    out = node.outputs[0]
    primitive = PRIMITIVES.get(node.name)
    if primitive is not None and primitive.elementwise:
        constant = _constant(known, node)
        if constant is not None:
            return constant
    rule = _RULES.get(node.name)
    found = rule(known, node) if rule is not None else None
    if found is not None:
        assert found.shape == out.shape and found.dtype == out.dtype, node.name
    return found


# --- constants -----------------------------------------------------------------------------------


def _constant(known: _Known, node: Node) -> Value | None:
    """Arithmetic on uniform values alone, done now."""
    numbers = [known.uniform(x) if isinstance(x, Value) else x for x in node.inputs]
    if any(x is None or isinstance(x, (Number, complex)) for x in numbers):
        return None
    arrays = [
        np.full(1, x, v.dtype) if isinstance(v, Value) else x
        for x, v in zip(numbers, node.inputs, strict=True)
    ]
    out = node.outputs[0]
    token = enter(SETTING)
    try:
        found = np.asarray(run_rule(node.name, arrays, node.params))
    finally:
        leave(token)
    if found.dtype != out.dtype or found.size != 1:
        return None
    return known.builder.full(out.shape, found.reshape(()).item(), out.dtype)


def _uniform_view(known: _Known, node: Node) -> Value | None:
    """A view of a uniform value is uniform."""
    out, a = node.outputs[0], node.inputs[0]
    value = known.uniform(a)
    return None if value is None else known.builder.full(out.shape, value, out.dtype)


# --- views ---------------------------------------------------------------------------------------


def _same_shape(known: _Known, node: Node) -> Value | None:
    a = node.inputs[0]
    return a if a.shape == node.outputs[0].shape else _uniform_view(known, node)


def _alias(known: _Known, node: Node) -> Value | None:
    return node.inputs[0]


def _view(known: _Known, node: Node) -> Value | None:
    found = _same_shape(known, node)
    before = known.made_by(node.inputs[0], "view")
    if found is not None or before is None:
        return found
    origin = before.inputs[0]
    return known.builder.view(origin, node.outputs[0].shape)


def _permute(known: _Known, node: Node) -> Value | None:
    a, dims = node.inputs[0], node.params["dims"]
    if all(d == place for place, d in enumerate(dims)):
        return a
    found = _uniform_view(known, node) or _turned_product(known, a, dims)
    before = known.made_by(a, "permute")
    if found is not None or before is None:
        return found
    return known.permuted(a, dims)


def _turned_product(known: _Known, a: Value, dims: tuple[int, ...]) -> Value | None:
    """The transpose of a product that nobody else reads is the other transposes' product."""
    product = known.made_by(a, "matmul")
    rank = len(dims)
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    if product is None or dims != swapped or known.uses[a] != 1:
        return None
    if any(len(x.shape) != rank for x in product.inputs):
        return None
    first, second = (known.permuted(x, swapped) for x in product.inputs)
    return known.builder.call("matmul", second, first)


def _expand(known: _Known, node: Node) -> Value | None:
    found = _same_shape(known, node)
    before = known.made_by(node.inputs[0], "expand")
    if found is not None or before is None:
        return found
    out = node.outputs[0]
    return known.builder.add("expand", before.inputs, node.params, out.shape, out.dtype)


def _slice(known: _Known, node: Node) -> Value | None:
    a, index = node.inputs[0], node.params["index"]
    whole = all(type(i) is tuple and i[0] == 0 and i[2] == 1 for i in index)
    if whole and a.shape == node.outputs[0].shape:
        return a
    return _uniform_view(known, node)


def _copy(known: _Known, node: Node) -> Value | None:
    """A copy of what lies in memory of its own, row by row, is the same value."""
    a = node.inputs[0]
    maker = known.makers.get(a)
    if maker is None:
        return a if a.strides is None else None
    primitive = PRIMITIVES.get(maker.name)
    return None if primitive is not None and primitive.view else a


# --- elementwise ---------------------------------------------------------------------------------


def _convert(known: _Known, node: Node) -> Value | None:
    a, dtype = node.inputs[0], node.params["dtype"]
    if a.dtype == dtype:
        return a
    before = known.made_by(a, "convert")
    if before is not None:  # there and back again
        origin = before.inputs[0]
        wider = a.dtype.kind == "f" and a.dtype.itemsize > origin.dtype.itemsize
        if origin.dtype == dtype and wider and (is_half(dtype) or dtype.kind == "f"):
            return origin
    return None


def _double(known: _Known, node: Node) -> Value | None:
    before = known.made_by(node.inputs[0], node.name)
    return None if before is None else before.inputs[0]


def _where(known: _Known, node: Node) -> Value | None:
    condition, a, b = node.inputs
    out = node.outputs[0]
    if a is b and isinstance(a, Value) and a.shape == out.shape:
        return a
    truth = known.uniform(condition)
    if truth is not None:
        chosen = a if truth else b
        if isinstance(chosen, Value) and chosen.shape == out.shape:
            return chosen
    return _with_numbers(known, node, first=1)


def _with_numbers(known: _Known, node: Node, first: int = 0) -> Value | None:
    """A uniform operand as a Python number, where another operand has the result's shape."""
    out = node.outputs[0]
    operands = node.inputs[first:]
    if len(operands) != 2 or not all(isinstance(x, Value) for x in operands):
        return None
    for place, (x, other) in enumerate(zip(operands, operands[::-1])):
        value = known.uniform(x)
        fits = other.shape == out.shape and x.dtype == other.dtype
        if value is None or not fits or isinstance(value, (bool, complex)):
            continue
        inputs = list(node.inputs)
        inputs[first + place] = value
        return known.builder.add(node.name, inputs, node.params, out.shape, out.dtype)
    return None


def _neutral(value: float, places: tuple[int, ...], sign: float | None = None) -> Rule:
    """x op value is x, where the value stands in one of these places (with this sign, if 0)."""

    def rule(known: _Known, node: Node) -> Value | None:
        out = node.outputs[0]
        for place in places:
            x, other = node.inputs[place], node.inputs[1 - place]
            number = x if isinstance(x, (int, float)) else known.uniform(x)
            if number is None or isinstance(number, bool) or number != value:
                continue
            floating = out.dtype.kind in "fV"
            if floating and sign is not None and math.copysign(1.0, number) != sign:
                continue
            if isinstance(other, Value) and (other.shape, other.dtype) == (out.shape, out.dtype):
                return other
        return _with_numbers(known, node)

    return rule


def _pow(known: _Known, node: Node) -> Value | None:
    a, b = node.inputs
    number = b if isinstance(b, (int, float)) else known.uniform(b)
    if isinstance(a, Value) and a.dtype.kind == "f" and a.shape == node.outputs[0].shape:
        if number == 2:
            return known.builder.call("square", a)
        if number == 1:
            return a
    return None


# --- reductions ----------------------------------------------------------------------------------


def _reduction(known: _Known, node: Node) -> Value | None:
    """Over dimensions of size 1 there is nothing to reduce."""
    a, out = node.inputs[0], node.outputs[0]
    if any(a.shape[d] != 1 for d in node.params["dims"]):
        return None
    if node.name in ("any", "all"):
        return (
            known.builder.view(known.builder.call("ne", a, 0), out.shape)
            if a.dtype != (np.dtype(bool))
            else known.builder.view(a, out.shape)
        )
    return known.builder.view(a, out.shape)


_RULES: dict[str, Rule] = {
    "alias": _alias, "view": _view, "permute": _permute, "expand": _expand, "slice": _slice,
    "copy": _copy, "convert": _convert, "neg": _double, "where": _where,
    "mul": _neutral(1, (0, 1)), "div": _neutral(1, (1,)),
    "sub": _neutral(0, (1,), sign=1.0), "add": _neutral(0, (0, 1), sign=-1.0), "pow": _pow,
    **dict.fromkeys(("sum", "prod", "amax", "amin", "any", "all"), _reduction),
    **dict.fromkeys(("maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge"), _with_numbers),
}  # fmt: skip
