"""The passes over a graph, in order, each with its reason."""

from __future__ import annotations

from collections.abc import Callable

from ..graph.ir import Graph
from .chunk import chunk
from .cse import cse
from .dce import dce
from .decompose import decompose
from .fold import fold
from .gather import gather
from .scale import scale
from .turn import turn
from .widen import widen

Pass = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (
    dce,  # nothing is worth work that nobody reads
    widen,  # only float32 has native code for convolutions, scattered sums and the like
    decompose,  # steps of elementwise work and reductions fuse with their surroundings
    fold,  # constants and views that change nothing would hide what is equal
    scale,  # a scaled operand of a product would have to be computed and stored first
    gather,  # a product at each step of time would have its weight's gradient read and written
    turn,  # ... and its weight put in order
    cse,  # gradient rules compute again what their forward computed
    chunk,  # a reduction to few numbers would keep few threads busy
    dce,  # what the others left behind
)


def optimise(graph: Graph) -> Graph:
    """The graph after all passes."""
    for run in PIPELINE:
        graph = run(graph)
    return graph
