"""Whether a graph is legal; what is wrong with it is said with the node's text."""

from __future__ import annotations

from typing import Any

from ..prims import PRIMITIVES
from ..prims.primitive import Aval
from .ir import REGION_WRITE, Graph, Node, Number, Value, values_of
from .printer import Names


class IllegalGraph(Exception):
    """A graph that means nothing."""


def check(graph: Graph) -> None:
    """Check that every value is defined once and before its use, that shapes and dtypes are those
    of the primitives' shape rules, and that updates have their input's shape and dtype.

    Raises:
        IllegalGraph: they are not; the message has the node.
    """
    names = Names()
    defined: set[Value] = set()
    for value in graph.inputs:
        _define(value, defined, names, "inputs")
    for node in graph.nodes:
        line = names.node(node)
        for value in values_of(node.inputs):
            if value not in defined:
                raise IllegalGraph(f"{names[value]} is used before it is defined: {line}")
        _check_numbers(graph, node, line)
        for value in node.outputs:
            _define(value, defined, names, line)
        _check_rule(node, line, names)
    for value in graph.results():
        if value not in defined:
            raise IllegalGraph(f"the result {names[value]} is not defined")
    _check_updates(graph, names)


def _define(value: Value, defined: set[Value], names: Names, where: str) -> None:
    if value in defined:
        raise IllegalGraph(f"{names[value]} is defined twice: {where}")
    if value.strides is not None and len(value.strides) != len(value.shape):
        raise IllegalGraph(f"{names[value]} has {len(value.strides)} strides: {where}")
    defined.add(value)


def _check_numbers(graph: Graph, node: Node, line: str) -> None:
    for x in (*node.inputs, *node.params.values()):
        if isinstance(x, Number) and not 0 <= x.position < graph.numbers:
            raise IllegalGraph(f"there is no number {x.position}: {line}")


def _check_rule(node: Node, line: str, names: Names) -> None:
    if node.name == REGION_WRITE:
        _same(node.outputs[0], node.inputs[0], line, names)
        return
    primitive = PRIMITIVES.get(node.name)
    if primitive is None:
        raise IllegalGraph(f"there is no primitive {node.name!r}: {line}")
    unknown = node.params.keys() - set(primitive.params)
    if unknown:
        raise IllegalGraph(f"{node.name} has no parameter {min(unknown)!r}: {line}")
    if primitive.shape is None:
        return
    avals = [Aval(x.shape, x.dtype) if isinstance(x, Value) else x for x in node.inputs]
    try:
        found: Any = primitive.shape(*avals, **node.params)
    except Exception as error:
        raise IllegalGraph(f"{error}: {line}") from error
    expected = [found] if isinstance(found, Aval) else list(found)
    if len(expected) != len(node.outputs):
        raise IllegalGraph(f"{len(expected)} results are expected: {line}")
    for value, aval in zip(node.outputs, expected, strict=True):
        if tuple(aval.shape) != value.shape or aval.dtype != value.dtype:
            shape = ", ".join(map(str, aval.shape))
            raise IllegalGraph(f"{names[value]} should be {aval.dtype.name}[{shape}]: {line}")


def _same(value: Value, other: Value, line: str, names: Names) -> None:
    if value.shape != other.shape or value.dtype != other.dtype:
        raise IllegalGraph(f"{names.typed(value)} should be like {names.typed(other)}: {line}")


def _check_updates(graph: Graph, names: Names) -> None:
    inputs = set(graph.inputs)
    targets: set[Value] = set()
    for target, value in graph.updates:
        line = f"{names[target]} <- {names[value]}"
        if target not in inputs:
            raise IllegalGraph(f"an update of what is no input: {line}")
        if target in targets:
            raise IllegalGraph(f"a second update: {line}")
        targets.add(target)
        _same(value, target, line, names)
