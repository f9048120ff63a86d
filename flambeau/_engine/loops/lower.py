"""From a graph to a plan: the way through this room.

    flow      who makes and reads each value, and through which views
    fuse      which nodes share a kernel
    demand    what each kernel stores, and what it computes anew
    schedule  the kernels' order, and which inputs are overwritten in place
    rows, products, calls    the kernels themselves
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
from .flow import Flow
from .fuse import Fusion
from .plan import Plan
from .results import normalised, with_copy
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
    barred: set[Node] = set()
    called: set[Node] = set()
    graph = normalised(graph, capabilities)
    copied = _shared_targets(graph)
    for _ in range(ATTEMPTS):
        flow = Flow(graph, capabilities, called)
        fusion = Fusion(flow, barred)
        demand = Demand(flow, fusion)
        schedule = Schedule(flow, fusion, demand, copied)
        assembly = Assembly(flow, fusion, demand, schedule, capabilities)
        plan = assembly.plan()
        if plan is not None:
            return plan
        copied |= assembly.clashes
        copies: list[tuple[Node, int]] = []
        for misfit in assembly.misfits:
            if misfit.operand is not None:
                copies.append((misfit.node, misfit.operand))
            elif misfit.node in barred:
                called.add(misfit.node)
            else:
                barred.add(misfit.node)
        graph = with_copy(graph, copies)
    raise RuntimeError("a graph cannot be lowered: its kernels do not come to rest")


def _shared_targets(graph: Graph) -> set[Value]:
    """The updated inputs whose memory other inputs show too."""
    shared = {position for group in graph.notes.get("shared", ()) for position in group}
    number = {value: position for position, value in enumerate(graph.inputs)}
    return {target for target, _ in graph.updates if number[target] in shared}
