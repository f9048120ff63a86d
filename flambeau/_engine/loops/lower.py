"""From a graph to a plan: the way through this room.

    flow      who makes and reads each value, and through which views
    fuse      which nodes share a kernel
    demand    what each kernel stores, and what it computes anew
    schedule  the kernels' order, and which inputs are overwritten in place
    rows, products, calls    the kernels themselves
    chains    which of them pass matrices on without memory of the program's
    memory    where scratch buffers lie

A node that turns out not to fit where it was put (see `Misfit`) is treated in another way at the
next attempt.
"""

from __future__ import annotations

from ..graph.ir import Graph, Node, Value
from ..passes.pipeline import optimise
from .assemble import Assembly
from .capabilities import Capabilities
from .demand import Demand
from .flow import Flow, Misfit
from .fuse import Fusion
from .plan import Plan
from .products import misfits
from .results import normalised, with_copies
from .schedule import Schedule

ATTEMPTS = 100


def plan_of(graph: Graph, capabilities: Capabilities | None = None) -> Plan:
    """The plan of a program that computes a graph.

    Inputs may not overlap in memory, apart from those that `graph.notes["shared"]` names: groups
    of positions among the inputs.

    Args:
        capabilities: what the code generators can do; everything by default.
    """
    return lower(optimise(graph), capabilities or Capabilities())


def lower(graph: Graph, capabilities: Capabilities) -> Plan:
    """The plan of a graph as it is, without passes before."""
    graph = normalised(graph, capabilities)
    ways = _Ways(_shared_targets(graph))
    known = misfits(Flow(graph, capabilities, set()))  # sooner than by an attempt
    graph = ways.changed(graph, known, set())
    for _ in range(ATTEMPTS):
        assembly = _attempt(graph, capabilities, ways)
        plan = assembly.plan()
        if plan is not None:
            return plan
        graph = ways.changed(graph, assembly.misfits, assembly.clashes)
    # every node by its eager rule, every result in memory of its own: slow, but a plan
    ways.called.update(node.outputs[0] for node in graph.nodes if node.outputs)
    ways.copied.update(target for target, _ in graph.updates)
    plan = _attempt(graph, capabilities, ways).plan()
    if plan is None:
        raise RuntimeError("a graph cannot be lowered, not even to calls of eager rules")
    return plan


def _attempt(graph: Graph, capabilities: Capabilities, ways: _Ways) -> Assembly:
    flow = Flow(graph, capabilities, ways.called)
    fusion = Fusion(flow, ways.barred)
    demand = Demand(flow, fusion)
    schedule = Schedule(flow, fusion, demand, ways.copied)
    return Assembly(flow, fusion, demand, schedule, capabilities, ways.barred)


class _Ways:
    """How nodes that did not fit are treated from now on; they are known by their first results.

    Attributes:
        barred: in kernels of their own.
        called: by their eager rules.
        copied: the targets of updates that are not overwritten in place.
    """

    def __init__(self, copied: set[Value]):
        self.barred: set[Value] = set()
        self.called: set[Value] = set()
        self.copied = copied
        self._copied_operands: set[tuple[Value, int]] = set()

    def changed(self, graph: Graph, found: list[Misfit], clashes: set[Value]) -> Graph:
        """Learn from an attempt; returns the graph for the next one."""
        self.copied |= clashes
        operands: list[tuple[Node, int]] = []
        for misfit in found:
            node = misfit.node
            own = node.outputs[0]
            if misfit.operand is None:
                (self.called if own in self.barred else self.barred).add(own)
            elif (own, misfit.operand) in self._copied_operands:
                if (node, misfit.operand) not in operands:  # a copy of it has not helped
                    self.called.add(own)
            else:
                self._copied_operands.add((own, misfit.operand))
                operands.append((node, misfit.operand))
        if not operands:
            return graph
        graph, made = with_copies(graph, operands)
        self.barred.update(made)
        return graph


def _shared_targets(graph: Graph) -> set[Value]:
    """The updated inputs whose memory other inputs show too."""
    shared = {position for group in graph.notes.get("shared", ()) for position in group}
    number = {value: position for position, value in enumerate(graph.inputs)}
    return {target for target, _ in graph.updates if number[target] in shared}
