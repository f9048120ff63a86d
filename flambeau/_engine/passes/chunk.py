"""Large reductions to few numbers in two steps: to a number a chunk, which makes many rows of work,
and from those to the result. Chunks depend on shapes alone, so the sums are the same on any number
of threads."""

from __future__ import annotations

from math import prod

from ..graph.ir import Graph, Node, Value
from .building import Builder, renamed, with_nodes

REDUCTIONS = frozenset({"sum", "prod", "amax", "amin", "any", "all"})
LARGE = 1 << 15  # elements
FEW = 16  # rows that are too few to share among threads
LEAST = 256  # elements in a chunk
COLUMNS = 512  # results of a reduction over leading dimensions that are few


def chunk(graph: Graph) -> Graph:
    """The graph with such reductions made of two."""
    builder = Builder()
    by: dict[Value, Value] = {}
    for node in graph.nodes:
        node = renamed(node, by)
        made = None
        if node.name in REDUCTIONS and prod(node.inputs[0].shape) >= LARGE:
            builder.event = node.event
            made = _in_two(builder, node)
        if made is None:
            builder.nodes.append(node)
        else:
            by[node.outputs[0]] = made
    return with_nodes(graph, builder.nodes, by)


def _in_two(builder: Builder, node: Node) -> Value | None:
    a, dims = node.inputs[0], tuple(sorted(node.params["dims"]))
    rank = len(a.shape)
    kept = prod(a.shape) // max(1, prod(a.shape[d] for d in dims))
    if kept == 1:
        lead = _prefix(a.shape, rank)
    elif dims == tuple(range(len(dims))) and kept <= COLUMNS:
        lead = 0
    else:
        return None
    name = node.name
    wide = builder.widened(a)
    if lead:
        first = builder.call(name, wide, dims=tuple(range(lead, rank)), keepdim=False)
        rest = tuple(range(lead))
    else:
        count = prod(a.shape[d] for d in dims)
        parts = _divisor(count, prod(a.shape))
        if parts is None:
            return None
        shape = (parts, count // parts, *a.shape[len(dims) :])
        first = builder.call(name, builder.view(wide, shape), dims=(1,), keepdim=False)
        rest = (0,)
    second = builder.call(name, first, dims=rest, keepdim=False)
    out = node.outputs[0]
    return builder.convert(builder.view(second, out.shape), out.dtype)


def _prefix(shape: tuple[int, ...], rank: int) -> int:
    """How many leading dimensions number enough chunks, and leave them large enough; 0: none do."""
    for lead in range(1, rank):
        if prod(shape[:lead]) >= FEW:
            return lead if prod(shape[lead:]) >= LEAST else 0
    return 0


def _divisor(count: int, size: int) -> int | None:
    """The number of chunks that divides `count`, as near as can be to one for 16384 elements."""
    wanted = max(FEW, size // 16384)
    for parts in range(wanted, min(4 * wanted, count // 2) + 1):
        if count % parts == 0:
            return parts
    return None
