"""Half precision computed in float32, where the eager rules do so, by nodes that say so.

The rules that `eager.precision.in_float32` wraps convert their half-precision operands, compute,
and round once. Written as nodes, the conversions fuse with what surrounds them, and the work in
the middle has native code.
"""

from __future__ import annotations

from typing import Any

from ..eager.precision import is_half
from ..graph.ir import Graph, Node, Value
from .building import FLOAT32, Builder, renamed, with_nodes

_WIDENED = frozenset({
    "convolution", "convolution_input_grad", "convolution_weight_grad", "window_sum",
    "fold_windows", "max_pool", "resample", "cumsum", "cumprod", "scatter_add", "scatter_reduce",
    "index_put", "nll_loss", "nll_loss_grad",
})  # fmt: skip
_MASKS = frozenset({"dropout_mask", "random_bernoulli"})  # zeros, and one rounded number


def widen(graph: Graph) -> Graph:
    """The graph with float32 in place of half precision in the nodes of `_WIDENED`, and masks."""
    builder = Builder()
    by: dict[Value, Value] = {}
    for node in graph.nodes:
        node = renamed(node, by)
        builder.event = node.event
        params = _params(node)
        if params is None or not is_half(node.outputs[0].dtype):
            builder.nodes.append(node)
            continue
        inputs = tuple(builder.widened(x) for x in node.inputs)
        made = tuple(Value(v.shape, FLOAT32) if is_half(v.dtype) else v for v in node.outputs)
        builder.nodes.append(Node(node.name, inputs, params, made, node.event))
        for old, new in zip(node.outputs, made, strict=True):
            if old is not new:
                by[old] = builder.convert(new, old.dtype)
    return with_nodes(graph, builder.nodes, by)


def _params(node: Node) -> dict[str, Any] | None:
    """The parameters of the same node in float32; None if it is to stay as it is."""
    if node.name in _MASKS:
        params = {**node.params, "dtype": FLOAT32}
        if node.name == "dropout_mask":
            scale = params["scale"]
            if not isinstance(scale, float):
                return None  # a number that varies is rounded to the mask's dtype
            params["scale"] = float(node.params["dtype"].type(scale))
        return params
    if node.name not in _WIDENED or (node.name == "index_put" and not node.params["accumulate"]):
        return None
    return node.params
