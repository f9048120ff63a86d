"""What passes make new nodes with: a builder that asks the primitives' shape rules."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ..eager.precision import is_half
from ..graph.ir import Graph, Node, Operand, Value
from ..prims import PRIMITIVES
from ..prims.primitive import Aval

FLOAT32 = np.dtype(np.float32)
INT64 = np.dtype(np.int64)


class Builder:
    """Nodes in the order they are made.

    Attributes:
        event: what new nodes belong to.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.event = 0
        self._made: dict[Hashable, tuple[Value, ...]] = {}

    def call(self, name: str, *inputs: Operand, **params: Any) -> Value:
        """A new node of a primitive with one result; returns that."""
        rule = PRIMITIVES[name].shape
        avals = [Aval(x.shape, x.dtype) if isinstance(x, Value) else x for x in inputs]
        made: Aval = rule(*avals, **params)  # type: ignore[misc]
        return self.add(name, inputs, params, made.shape, made.dtype)

    def add(
        self, name: str, inputs: Sequence[Operand], params: dict[str, Any], shape: Any, dtype: Any
    ) -> Value:
        """A new node with one result of this shape and dtype; returns that."""
        out = Value(tuple(shape), dtype)
        self.nodes.append(Node(name, tuple(inputs), params, (out,), self.event))
        return out

    def view(self, a: Value, shape: Sequence[int]) -> Value:
        """`a` in another shape; itself where it has it."""
        shape = tuple(shape)
        return a if shape == a.shape else self.add("view", (a,), {"shape": shape}, shape, a.dtype)

    def permute(self, a: Value, dims: Sequence[int]) -> Value:
        """`a` with its dimensions in another order."""
        dims = tuple(dims)
        return self.add("permute", (a,), {"dims": dims}, (a.shape[d] for d in dims), a.dtype)

    def slice(self, a: Value, index: tuple) -> Value:
        """A basic index of `a`: ints, None, and (start, stop, step) with positive steps."""
        shape, left = [], iter(a.shape)
        for entry in index:
            if entry is None:
                shape.append(1)
                continue
            next(left)
            if type(entry) is tuple:
                start, stop, step = entry
                shape.append(max(0, -(-(stop - start) // step)))
        return self.add("slice", (a,), {"index": index}, (*shape, *left), a.dtype)

    def convert(self, a: Value, dtype: np.dtype) -> Value:
        """`a` in another dtype; itself where it has it."""
        return a if a.dtype == dtype else self.call("convert", a, dtype=dtype)

    def once(self, key: Hashable, make: Callable[[], tuple[Value, ...]]) -> tuple[Value, ...]:
        """What `make` gives, and the same again for the same key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def widened(self, a: Operand) -> Operand:
        """Half precision made float32; all else as it is."""
        return self.convert(a, FLOAT32) if isinstance(a, Value) and is_half(a.dtype) else a

    def full(self, shape: Sequence[int], value: Any, dtype: np.dtype) -> Value:
        """A uniform value."""
        return self.call("full", shape=tuple(shape), value=value, dtype=dtype)

    def total(self, a: Value, dims: Sequence[int], keepdim: bool = True) -> Value:
        """A sum over dimensions."""
        return self.call("sum", a, dims=tuple(dims), keepdim=keepdim)

    def mean(self, a: Value, dims: Sequence[int]) -> Value:
        """A mean over dimensions, which are kept."""
        count = prod(a.shape[d] for d in dims)
        return self.call("div", self.total(a, dims), float(count))


def replaced(operands: Sequence[Operand], by: dict[Value, Value]) -> tuple[Operand, ...]:
    """Operands with values exchanged."""
    return tuple([by.get(x, x) if isinstance(x, Value) else x for x in operands])


def with_nodes(graph: Graph, nodes: Sequence[Node], by: dict[Value, Value]) -> Graph:
    """The graph with other nodes, its results exchanged as `by` says."""
    outputs = tuple(replace(o, value=by[o.value]) if o.value in by else o for o in graph.outputs)
    updates = tuple((target, by.get(value, value)) for target, value in graph.updates)
    return replace(graph, nodes=tuple(nodes), outputs=outputs, updates=updates)


def renamed(node: Node, by: dict[Value, Value]) -> Node:
    """The node with its operands exchanged; itself where none is."""
    if not by or not any(isinstance(x, Value) and x in by for x in node.inputs):
        return node
    return Node(node.name, replaced(node.inputs, by), node.params, node.outputs, node.event)
