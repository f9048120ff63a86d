"""Compute each thing once: equal nodes of one event are made one. Random nodes are never equal.

What one event computes and a later one computes again stays twice: that is what checkpointing asks
for, which gives back the memory in between.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ..graph.ir import Graph, Node, Number, Value
from .building import renamed, with_nodes


def cse(graph: Graph) -> Graph:
    """The graph with one node for each distinct primitive call of an event."""
    by: dict[Value, Value] = {}
    known: dict[Hashable, Node] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        node = renamed(node, by)
        key = _key(node)
        if key is not None:
            first = known.setdefault(key, node)
            if first is not node:
                by.update(zip(node.outputs, first.outputs, strict=True))
                continue
        nodes.append(node)
    return with_nodes(graph, nodes, by) if len(nodes) < len(graph.nodes) else graph


def _key(node: Node) -> Hashable | None:
    """What equal nodes have in common; None for those that have no equals."""
    if node.params.get("generator") is not None:
        return None
    inputs = tuple([x if isinstance(x, Value) else _exact(x) for x in node.inputs])
    params = tuple([(key, _exact(x)) for key, x in sorted(node.params.items())])
    try:
        hash(params)
    except TypeError:
        return None
    return node.event, node.name, inputs, params


def _exact(x: Any) -> Hashable:
    """Equal only for what is the same: 1, 1.0 and True differ, 0.0 and -0.0 too."""
    if isinstance(x, Number):
        return Number, x.position, x.kind
    if isinstance(x, (float, complex)):
        return type(x), repr(x)
    if isinstance(x, (tuple, list)):
        return tuple(map(_exact, x))
    return type(x), x
