"""Run a graph with the eager rules: the oracle that compiled programs are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..eager import RULES
from ..eager.precision import EXACT_BESIDE_NUMBERS, beside_number
from ..eager.quiet import SETTING, enter, leave
from ..prims import PRIMITIVES
from .ir import REGION_WRITE, Graph, Node, Number, Value


class Interpreted:
    """A graph as a program: the same calls as a compiled one.

    `run(inputs, numbers)` gives the outputs, one array each, and updates inputs in place.
    """

    def __init__(self, graph: Graph):
        self.graph = graph

    def run(self, inputs: Sequence[np.ndarray], numbers: Sequence[float]) -> list[np.ndarray]:
        """Compute the outputs, and update the inputs' memory."""
        graph = self.graph
        arrays: dict[Value, np.ndarray] = dict(zip(graph.inputs, inputs, strict=True))
        token = enter(SETTING)
        try:
            for node in graph.nodes:
                evaluate(node, arrays, numbers)
        finally:
            leave(token)
        seen: set[int] = {id(a) for a in inputs}
        outputs = []
        for output in graph.outputs:
            array = arrays[output.value]
            if id(array) in seen or array.base is not None or not array.flags.c_contiguous:
                array = array.copy()
            seen.add(id(array))
            outputs.append(array)
        written = [arrays[new].copy() for _, new in graph.updates]
        for (target, _), array in zip(graph.updates, written, strict=True):
            arrays[target][...] = array
        return outputs


def evaluate(node: Node, arrays: dict[Value, np.ndarray], numbers: Sequence[float]) -> None:
    """Run one node, and store its results in `arrays`."""
    inputs = [_resolve(x, arrays, numbers) for x in node.inputs]
    params = {key: _number(x, numbers) for key, x in node.params.items()}
    result = run_rule(node.name, inputs, params)
    results = result if isinstance(result, tuple) else (result,)
    for value, array in zip(node.outputs, results, strict=True):
        arrays[value] = np.asarray(array)


def run_rule(name: str, inputs: list[Any], params: dict[str, Any]) -> Any:
    """A primitive's eager rule, called as the eager tier calls it."""
    if name == REGION_WRITE:
        return _write_region(inputs[0], inputs[1], params["steps"])
    rule = RULES[name]
    if PRIMITIVES[name].elementwise and len(inputs) == 2 and not params:
        a, b = inputs
        if type(a) is float or type(b) is float:
            return beside_number(rule, a, b, name in EXACT_BESIDE_NUMBERS)
    return rule(*inputs, **params)


def _resolve(x: Any, arrays: dict[Value, np.ndarray], numbers: Sequence[float]) -> Any:
    return arrays[x] if isinstance(x, Value) else _number(x, numbers)


def _number(x: Any, numbers: Sequence[float]) -> Any:
    return x.kind(numbers[x.position]) if isinstance(x, Number) else x


def _write_region(base: np.ndarray, value: Any, steps: tuple) -> np.ndarray:
    out = np.array(base, order="C")
    region = out
    for name, params, number in steps:
        made = RULES[name](region, **params)
        region = made if number is None else made[number]
    np.copyto(region, value, casting="unsafe")
    return out
