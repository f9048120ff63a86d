"""Looking at the tape: nodes, edges, and hooks on what it saves."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._engine.autograd.node import Node, accumulator, edge_to
from .._engine.autograd.tensor import Tensor, storage_of


class GradientEdge(NamedTuple):
    """Where a tensor's gradient flows: a node, and the number of its output."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The gradient edge of a tensor.

    Raises:
        RuntimeError: the tensor does not require grad.
    """
    edge = edge_to(tensor)
    if edge is None:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does "
            "not require gradients"
        )
    target, index = edge
    return GradientEdge(target if isinstance(target, Node) else accumulator(target), index)


def increment_version(tensor: Tensor) -> None:
    """Count an in-place write that autograd did not see."""
    storage_of(tensor).version += 1


__all__ = ["GradientEdge", "Node", "get_gradient_edge", "increment_version"]
