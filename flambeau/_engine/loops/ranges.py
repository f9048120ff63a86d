"""Which nodes may meet an index out of range: interval arithmetic on integer values.

An index that max_pool, sort, argmax or arange made lies in known bounds, and so does one that an
earlier node has looked up with success. What may fault has to run before inputs are overwritten;
what cannot may run at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

from ..graph.ir import Graph, Node, Value
from ..prims import PRIMITIVES

Range = tuple[int, int]  # the lowest and the highest that an element can be

_LOOKUPS = frozenset({"gather", "scatter", "scatter_add", "scatter_reduce"})
_SAME = frozenset({"copy", "flip"})


def may_fault(graph: Graph, native: Callable[[Node], bool]) -> set[Node]:
    """The nodes that can refuse their operands; all that are not `native` are among them."""
    known: dict[Value, Range] = {}
    found = set()
    for node in graph.nodes:
        needed = list(_needed(node))
        if not native(node) or any(not _within(known.get(v), *bounds) for v, bounds in needed):
            found.add(node)
        for value, bounds in needed:  # when this node has run, that is so
            known[value] = _both(known.get(value), _looked_up(node, bounds))
        _learn(node, known)
    return found


def _needed(node: Node) -> Iterator[tuple[Value, Range]]:
    """The index operands of a node with native code, and between what they must lie."""
    name, inputs = node.name, node.inputs
    if name == "check_index":
        yield inputs[0], (node.params["low"], node.params["high"] - 1)
    elif name == "embedding":
        yield inputs[1], (0, inputs[0].shape[0] - 1)
    elif name in _LOOKUPS:
        shape = inputs[0].shape if name == "gather" else node.outputs[0].shape
        yield inputs[1], (0, shape[node.params["dim"]] - 1 if shape else 0)
    elif name in ("index", "index_put"):
        shape = inputs[0].shape if name == "index" else node.outputs[0].shape
        sizes = [size for size, taken in zip(shape, node.params["pattern"]) if taken]
        for index, size in zip(inputs[1 if name == "index" else 2 :], sizes, strict=True):
            yield index, (-size, size - 1)


def _looked_up(node: Node, bounds: Range) -> Range:
    """What is known of an index after its node has run; a check lets one other number pass."""
    ignored = node.params.get("ignored") if node.name == "check_index" else None
    return bounds if ignored is None else (min(bounds[0], ignored), max(bounds[1], ignored))


def _within(known: Range | None, low: int, high: int) -> bool:
    return known is not None and low <= known[0] and known[1] <= high


def _both(a: Range | None, b: Range) -> Range:
    return b if a is None else (max(a[0], b[0]), min(a[1], b[1]))


def _learn(node: Node, known: dict[Value, Range]) -> None:
    """What a node's results can be."""
    name, params = node.name, node.params
    if name in ("add", "sub", "mul") and node.outputs[0].dtype.name == "int64":
        _learn_arithmetic(node, known)
    elif name == "arange" and isinstance(params["start"], int) and isinstance(params["step"], int):
        last = params["start"] + params["step"] * max(params["count"] - 1, 0)
        known[node.outputs[0]] = min(params["start"], last), max(params["start"], last)
    elif name == "max_pool":
        spatial = node.inputs[0].shape[-len(params["places"]) :]
        known[node.outputs[1]] = 0, prod(spatial) - 1
    elif name == "sort":
        shape = node.inputs[0].shape
        known[node.outputs[1]] = 0, max(shape[params["dim"]] - 1 if shape else 0, 0)
    elif name in ("argmax", "argmin"):
        shape, dim = node.inputs[0].shape, params["dim"]
        known[node.outputs[0]] = 0, max(prod(shape if dim is None else shape[dim : dim + 1]) - 1, 0)
    elif name in _SAME or (name in PRIMITIVES and PRIMITIVES[name].view):
        for value in node.outputs:
            if node.inputs[0] in known and value.dtype == node.inputs[0].dtype:
                known[value] = known[node.inputs[0]]


def _learn_arithmetic(node: Node, known: dict[Value, Range]) -> None:
    a, b = ((x, x) if type(x) is int else known.get(x) for x in node.inputs)
    if a is None or b is None:
        return
    if node.name == "add":
        ends = [a[0] + b[0], a[1] + b[1]]
    elif node.name == "sub":
        ends = [a[0] - b[1], a[1] - b[0]]
    else:
        ends = [x * y for x in a for y in b]
    if min(ends) >= -(2**63) and max(ends) < 2**63:  # else it wraps around
        known[node.outputs[0]] = min(ends), max(ends)
