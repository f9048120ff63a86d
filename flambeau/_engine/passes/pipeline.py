"""The passes over a graph, in order, each with its reason."""

from __future__ import annotations

from collections.abc import Callable

from ..graph.ir import Graph
from .decompose import decompose

Pass = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (
    decompose,  # steps of elementwise work and reductions fuse with their surroundings
)


def optimise(graph: Graph) -> Graph:
    """The graph after all passes."""
    for run in PIPELINE:
        graph = run(graph)
    return graph
