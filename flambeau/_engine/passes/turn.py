"""A weight that many products of few rows share is transposed once.

A linear layer's weight has the products' inner dimension contiguous, and each kernel would put it
in order for itself first: with few rows, that is a good part of its time.
"""

from __future__ import annotations

from collections import Counter
from math import prod

from ..graph.ir import Graph, Node, Value
from .building import Builder, renamed, with_nodes

FEWEST = 4  # products that share the weight
MOST_ROWS = 128  # of a product; those of more need not mind
LEAST_COLUMNS = 16  # narrower ones are dot products


def turn(graph: Graph) -> Graph:
    """The graph with such weights as views of transposed copies."""
    count = Counter(node.inputs[1] for node in graph.nodes if _counts(node))
    builder = Builder()
    turned: dict[Value, Value] = {}
    for node in graph.nodes:
        weight = node.inputs[1] if _counts(node) else None
        if weight is not None and count[weight] >= FEWEST:
            builder.event = node.event
            if weight not in turned:
                other = builder.call("copy", builder.permute(weight, (1, 0)), order="C")
                turned[weight] = builder.permute(other, (1, 0))
            node = renamed(node, {weight: turned[weight]})
        builder.nodes.append(node)
    return with_nodes(graph, builder.nodes, {}) if turned else graph


def _counts(node: Node) -> bool:
    if node.name != "linear" or min(node.inputs[1].shape) < LEAST_COLUMNS:
        return False
    return 1 < prod(node.inputs[0].shape[:-1]) < MOST_ROWS
