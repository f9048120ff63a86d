"""Take out what nobody reads. Nodes that draw random numbers stay, for they advance a generator;
so do those that may refuse their operands, for then the program has to stop as eager does."""

from __future__ import annotations

from dataclasses import replace

from ..graph.ir import Graph, Node, Value, values_of

# They look at their operands' elements, and raise.
CHECKING = frozenset(
    "check_index gather scatter scatter_add scatter_reduce index index_put embedding nll_loss "
    "binary_cross_entropy cholesky solve svd eigh eig multinomial".split()
)


def dce(graph: Graph) -> Graph:
    """The graph without nodes whose results are not needed."""
    live: set[Value] = set(graph.results())
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if stays(node) or any(value in live for value in node.outputs):
            kept.append(node)
            live.update(values_of(node.inputs))
    if len(kept) == len(graph.nodes):
        return graph
    return replace(graph, nodes=tuple(reversed(kept)))


def stays(node: Node) -> bool:
    """Whether a node does something even if nobody reads its results."""
    return node.params.get("generator") is not None or node.name in CHECKING
