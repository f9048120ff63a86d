"""A graph seen by the lowering: who makes each value, through which views it is read, and what has
to lie in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ..base.shapes import contiguous_strides
from ..graph.ir import Graph, Node, Number, Value, values_of
from .capabilities import Capabilities
from .classify import CALL, ELEMENT, JOIN, PRODUCT, REDUCE, VIEW, classify
from .indexing import (
    Flat,
    Index,
    Map,
    NeedSplit,
    Unmappable,
    flat_through,
    split_dim,
    through,
    unravelled,
)  # fmt: skip

CONSTANT_ELEMENTS = 1 << 14  # longer ranges are computed at each run

Path = tuple[tuple[Node, int], ...]


class Flow:
    """A graph with what the lowering asks about it.

    Attributes:
        kind: each node's class (see `classify`).
        maker: (node, number of the result) of each computed value.
        roots: values that have to lie in memory: results, and the operands of products and calls.
        users: the nodes, views left out, that read each value through whatever views.
        contents: what inputs are updated with.
        constants: values that are known now: uniform ones, short ranges, arrays.
    """

    def __init__(self, graph: Graph, capabilities: Capabilities, called: set[Value]):
        self.graph = graph
        self.capabilities = capabilities
        self.maker: dict[Value, tuple[Node, int]] = {}
        self.kind: dict[Node, str] = {}
        self.roots: set[Value] = set()
        self.users: dict[Value, list[Node]] = {}
        self.constants: set[Value] = set()
        self._paths: dict[Value, tuple[Value, Path]] = {}
        for node in graph.nodes:
            forced = bool(node.outputs) and node.outputs[0] in called
            self.kind[node] = CALL if forced else classify(node, capabilities)
            for number, value in enumerate(node.outputs):
                self.maker[value] = (node, number)
        for node in graph.nodes:
            kind = self.kind[node]
            for value in values_of(node.inputs):
                base, _ = self.path(value)
                if kind != VIEW:
                    self.users.setdefault(base, []).append(node)
                if kind in (CALL, JOIN) or (kind == PRODUCT and value in node.inputs[:2]):
                    self.roots.add(base)
        self.contents = {value for _, value in graph.updates}
        results = {self.path(value)[0] for value in graph.results()}
        self.roots |= results
        self.constants = {v for v in self.maker if v not in results and self._is_constant(v)}

    def path(self, value: Value) -> tuple[Value, Path]:
        """The value that lies in memory, and the views that lead from it to `value`, last first."""
        found = self._paths.get(value)
        if found is None:
            made = self.maker.get(value)
            if made is None or self.kind[made[0]] != VIEW:
                found = (value, ())
            else:
                base, steps = self.path(made[0].inputs[0])
                found = (base, (made, *steps))
            self._paths[value] = found
        return found

    def _is_constant(self, value: Value) -> bool:
        node, _ = self.maker[value]
        if node.name == "full":
            return not isinstance(node.params["value"], Number)
        if node.name == "constant":
            return True
        small = node.name == "arange" and count(value.shape) <= CONSTANT_ELEMENTS
        return small and self.kind[node] == ELEMENT

    def is_formula(self, value: Value) -> bool:
        """Whether the value is a constant that kernels compute, and not an array that they read."""
        return value in self.constants and self.maker[value][0].name != "constant"

    def is_element(self, value: Value) -> bool:
        """Whether elementwise arithmetic makes the value."""
        made = self.maker.get(value)
        return made is not None and self.kind[made[0]] == ELEMENT

    def is_reduction(self, value: Value) -> bool:
        """Whether a reduction makes the value."""
        made = self.maker.get(value)
        return made is not None and self.kind[made[0]] == REDUCE


class Misfit(Exception):
    """A node that has to be treated in another way.

    Attributes:
        node: it.
        operand: which of its operands has to be copied to memory of its own first; None: the node
            itself may not share a kernel.
    """

    def __init__(self, node: Node, operand: int | None):
        super().__init__(node.name, operand)
        self.node, self.operand = node, operand


def along(path: Path, indices: Map, space: Sequence[int]) -> Map:
    """Where the value at a path's root is read when its end is read at `indices`.

    Raises:
        NeedSplit: in a finer space it can be said.
        Misfit: it cannot, not even as a position in memory; the view's operand has to be copied.
    """
    for place, (node, number) in enumerate(path):
        try:
            if isinstance(indices, Flat):
                raise Unmappable(node.name)
            indices = through(node, number, indices, space)
        except Unmappable:
            flat = flat_through(node, indices, space)
            if flat is None or any(n.name not in ("view", "alias") for n, _ in path[place + 1 :]):
                raise Misfit(node, 0) from None
            return Flat(flat, node)
    return indices


def with_splits(
    sizes: Sequence[int], attempt: Callable[[tuple[int, ...], list[int]], Any]
) -> tuple[tuple[int, ...], list[int], Any]:
    """Try in a space of these sizes, made finer as often as it takes.

    Args:
        attempt: takes the space, and which of `sizes` each of its dimensions is a part of.

    Returns:
        the space, which of `sizes` each of its dimensions is a part of, and the result.

    Raises:
        Unmappable: no finer space helps.
    """
    space, origin = tuple(sizes), list(range(len(sizes)))
    while True:
        try:
            return space, origin, attempt(space, origin)
        except NeedSplit as need:
            space = split_dim(space, need.dim, need.inner)
            origin.insert(need.dim, origin[need.dim])


def domain_map(shape: Sequence[int], space: Sequence[int]) -> Map:
    """A value's indices, where the space's dimensions in order are its elements in order."""
    if tuple(shape) == tuple(space):
        rank = len(space)
        return tuple(Index(0, tuple(int(d == e) for e in range(rank))) for d in range(rank))
    return unravelled(Index(0, contiguous_strides(space)), shape, space)


def count(shape: Sequence[int]) -> int:
    """The number of elements."""
    return prod(shape)
