"""A graph as text: one node a line, values named in the order they appear.

    inputs %0: float32[32, 20], %1: float32[3, 20]
    %2: float32[32, 3] = linear(%0, %1, None)
    %3: float32[] = sum(%2, dims=(0, 1), keepdim=False)
    return %3

`#4` is entry 4 of the numbers' vector; `%1 <- %9` at the end is an update of an input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .ir import Graph, Node, Number, Value


class Names:
    """Names of values, given when they are first asked for."""

    def __init__(self) -> None:
        self._names: dict[Value, str] = {}

    def __getitem__(self, value: Value) -> str:
        return self._names.setdefault(value, f"%{len(self._names)}")

    def typed(self, value: Value) -> str:
        """A value with its dtype, shape, and strides where it has some of its own."""
        shape = ", ".join(map(str, value.shape))
        text = f"{self[value]}: {value.dtype.name}[{shape}]"
        return text if value.strides is None else f"{text} strides {value.strides}"

    def operand(self, x: Any) -> str:
        """An operand or a parameter."""
        if isinstance(x, Value):
            return self[x]
        if isinstance(x, Number):
            return f"#{x.position}"
        if isinstance(x, np.dtype):
            return x.name
        if isinstance(x, (tuple, list)):
            inside = ", ".join(map(self.operand, x))
            return f"({inside},)" if len(x) == 1 else f"({inside})"
        if x is None or isinstance(x, (bool, int, float, complex, str)):
            return repr(x)
        return type(x).__name__

    def node(self, node: Node) -> str:
        """A node on a line."""
        inside = [self.operand(x) for x in node.inputs]
        inside += [f"{key}={self.operand(x)}" for key, x in node.params.items()]
        call = f"{node.name}({', '.join(inside)})"
        if not node.outputs:
            return call
        return f"{', '.join(map(self.typed, node.outputs))} = {call}"


def text_of(graph: Graph) -> str:
    """The whole graph."""
    names = Names()
    lines = ["inputs " + ", ".join(map(names.typed, graph.inputs))] if graph.inputs else []
    lines += map(names.node, graph.nodes)
    if graph.outputs:
        results = (("static " if o.static else "") + names[o.value] for o in graph.outputs)
        lines.append("return " + ", ".join(results))
    lines += [f"{names[target]} <- {names[value]}" for target, value in graph.updates]
    return "\n".join(lines)
