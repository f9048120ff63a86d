"""Copies that a graph needs before it is lowered, as nodes of it."""

from __future__ import annotations

from dataclasses import replace

from ..graph.ir import REGION_WRITE, Graph, Node, Output, Value
from .capabilities import Capabilities
from .classify import CALL, JOIN, VIEW, classify


def normalised(graph: Graph, capabilities: Capabilities) -> Graph:
    """The graph with every output and update a value of its own that a kernel can store.

    A result that is an input or a view, or that is asked for twice, is copied; so is an update
    that a call computes, or that several kernels write to: it may not overwrite what they read.
    """
    maker = {value: node for node in graph.nodes for value in node.outputs}
    taken: set[Value] = set()
    nodes = list(graph.nodes)

    def own(value: Value, target: Value | None) -> Value:
        node = maker.get(value)
        if node is not None and value not in taken:
            kind = classify(node, capabilities)
            in_place = node.name == REGION_WRITE and node.inputs[0] is target
            if kind != VIEW and (target is None or in_place or kind not in (JOIN, CALL)):
                taken.add(value)
                return value
        made, out = copy_of(value)
        nodes.append(made)
        return out

    outputs = tuple(Output(own(o.value, None), o.static) for o in graph.outputs)
    changed = [(target, value) for target, value in graph.updates if value is not target]
    updates = tuple((target, own(value, target)) for target, value in changed)
    return replace(graph, nodes=tuple(nodes), outputs=outputs, updates=updates)


def copy_of(value: Value, event: int = 0) -> tuple[Node, Value]:
    """A node that copies a value, and its result."""
    out = Value(value.shape, value.dtype)
    return Node("copy", (value,), {"order": "C"}, (out,), event), out


def with_copies(graph: Graph, operands: list[tuple[Node, int]]) -> tuple[Graph, list[Value]]:
    """The graph with some operands of some nodes copied first, and the copies."""
    before: dict[Node, list[int]] = {}
    for node, number in operands:
        before.setdefault(node, []).append(number)
    made: list[Value] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        if node in before:
            inputs = list(node.inputs)
            for number in before[node]:
                copy, inputs[number] = copy_of(inputs[number], node.event)
                nodes.append(copy)
                made.append(inputs[number])
            node = Node(node.name, tuple(inputs), node.params, node.outputs, node.event)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes)), made
