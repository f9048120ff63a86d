"""(c a) b = c (a b): factors of a product's operands are taken out of it.

Attention scales its queries and keys, which are views; scaled, they would have to be written to
memory of their own before each product. The result's factor is part of the product's epilogue.
It is rounded once instead of each operand; factors far from 1 are left, for overflow's sake.
"""

from __future__ import annotations

from typing import Any

from ..eager.precision import is_half
from ..graph.ir import Graph, Node, Value
from .building import Builder, renamed, with_nodes

SMALLEST, LARGEST = 2.0**-16, 2.0**16


def scale(graph: Graph) -> Graph:
    """The graph with `mul(matmul(a, b), c)` for `matmul(mul(a, c), b)`."""
    builder = Builder()
    makers: dict[Value, Node] = {}
    by: dict[Value, Value] = {}
    for node in graph.nodes:
        node = renamed(node, by)
        start = len(builder.nodes)
        builder.event = node.event
        if node.name == "matmul" and not is_half(node.outputs[0].dtype):
            factors = [_factor(x, makers) for x in node.inputs]
            if any(number != 1.0 for number, _ in factors):
                a, b = (
                    _rebuilt(builder, x, depth, makers)
                    for x, (_, depth) in zip(node.inputs, factors, strict=True)
                )
                product = builder.call("matmul", a, b)
                number = factors[0][0] * factors[1][0]
                by[node.outputs[0]] = builder.call("mul", product, number)
                _note(builder.nodes[start:], makers)
                continue
        builder.nodes.append(node)
        _note([node], makers)
    return with_nodes(graph, builder.nodes, by)


def _note(nodes: list[Node], makers: dict[Value, Node]) -> None:
    for node in nodes:
        for value in node.outputs:
            makers[value] = node


def _factor(value: Value, makers: dict[Value, Node]) -> tuple[float, int]:
    """The number an operand is multiplied by (1 if there is none), under how many permutations."""
    depth = 0
    node = makers.get(value)
    while node is not None and node.name == "permute":
        depth += 1
        node = makers.get(node.inputs[0])
    if node is None or node.name != "mul":
        return 1.0, 0
    number = _number(node)
    if not isinstance(number, float) or not SMALLEST < abs(number) < LARGEST:
        return 1.0, 0
    return number, depth


def _number(node: Node) -> Any:
    """The Python number of a multiplication, where the other operand has the result's shape."""
    for x, other in (node.inputs, node.inputs[::-1]):
        if isinstance(x, (int, float)) and isinstance(other, Value):
            return float(x) if other.shape == node.outputs[0].shape else None
    return None


def _rebuilt(builder: Builder, value: Value, depth: int, makers: dict[Value, Node]) -> Value:
    """The operand without its factor, under the same permutations."""
    node = makers.get(value)
    if node is None or _factor(value, makers)[0] == 1.0:
        return value
    if node.name == "permute":
        inner = _rebuilt(builder, node.inputs[0], depth - 1, makers)
        return builder.permute(inner, node.params["dims"])
    return next(x for x in node.inputs if isinstance(x, Value))
