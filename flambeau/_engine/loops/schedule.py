"""The order of a program's kernels.

A kernel runs after those whose results it reads. One that overwrites an input also runs after all
that read what the input held before; where that cannot be had, the new content is kept apart and
copied when all is done. It also runs after everything that may fault, if it can: a program that
faults must have updated nothing, and the runtime has to save what was overwritten before.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from ..graph.ir import Value
from .classify import CALL
from .demand import Demand
from .flow import Flow
from .fuse import Cluster, Fusion
from .ranges import may_fault


class Schedule:
    """An order, and which updates are copied at the end.

    Attributes:
        order: live clusters, first to last.
        copied: the targets that are not overwritten in place.
        may_fault: nodes that can refuse their operands.
    """

    def __init__(self, flow: Flow, fusion: Fusion, demand: Demand, copied: set[Value]):
        self.flow, self.fusion, self.demand = flow, fusion, demand
        self.copied = set(copied)
        self.may_fault = may_fault(flow.graph, flow.capabilities.special)
        found = dict.fromkeys(c.found() for c in fusion.clusters)
        self._live = [c for c in found if c in demand.reads]
        self._position = self._positions()
        self._after: dict[Cluster, list[Cluster]] = {c: [] for c in self._live}
        self._hard = dict.fromkeys(self._live, 0)
        self._soft_after: dict[Cluster, list[Cluster]] = {c: [] for c in self._live}
        self._soft = dict.fromkeys(self._live, 0)
        self._targets: dict[Cluster, list[Value]] = {}
        self._faults_left = 0
        self._find_edges()
        self.order = self._run()

    def _positions(self) -> dict[Cluster, int]:
        """Where in the program a cluster's last needed node stands; first, what may fault.

        Draws advance a generator, which would have to be put back after a fault.
        """
        place = {node: number for number, node in enumerate(self.flow.graph.nodes)}
        out = {}
        for cluster in self._live:
            call = cluster.node if cluster.kind == CALL else None
            if call in self.may_fault and call.params.get("generator") is None:
                out[cluster] = -1
                continue
            nodes = [self.flow.maker[v][0] for v in self.demand.stored.get(cluster, ())]
            out[cluster] = max((place[n] for n in nodes or cluster.nodes), default=0)
        return out

    def _find_edges(self) -> None:
        readers: dict[Value, list[Cluster]] = {}
        last_draw: dict[int, Cluster] = {}
        for cluster in self._live:
            for value in self.demand.reads[cluster]:
                home = self.fusion.home_of(value)
                if home is None:
                    readers.setdefault(value, []).append(cluster)
                else:
                    self._edge(home, cluster)
            if cluster.kind == CALL:
                self._faults_left += cluster.node in self.may_fault
                assert cluster.node is not None
                generator = cluster.node.params.get("generator")
                if generator is not None:
                    before = last_draw.get(id(generator))
                    if before is not None:
                        self._edge(before, cluster)
                    last_draw[id(generator)] = cluster
        for target, value in self.flow.graph.updates:
            writer = self.fusion.home_of(value)
            if target in self.copied or writer is None:
                continue
            self._targets.setdefault(writer, []).append(target)
            for reader in readers.get(target, ()):
                if reader is not writer:
                    self._soft_after[reader].append(writer)
                    self._soft[writer] += 1

    def _edge(self, before: Cluster, after: Cluster) -> None:
        self._after[before].append(after)
        self._hard[after] += 1

    def _run(self) -> list[Cluster]:
        def key(cluster: Cluster) -> tuple[int, int]:
            return self._position[cluster], cluster.number

        names = {key(c): c for c in self._live}
        ready = [key(c) for c in self._live if self._free(c)]
        waiting = {c for c in self._live if not self._hard[c] and not self._free(c)}
        queued = {c for c in self._live if self._free(c)}
        heapq.heapify(ready)
        order: list[Cluster] = []
        while ready or waiting:
            if not ready:
                late = min(waiting, key=key)
                self._give_in(late)
                waiting.discard(late)
                queued.add(late)
                heapq.heappush(ready, key(late))
                continue
            cluster = names[heapq.heappop(ready)]
            order.append(cluster)
            touched = []
            for after in self._after[cluster]:
                self._hard[after] -= 1
                touched.append(after)
            for after in self._soft_after[cluster]:
                self._soft[after] -= 1
                touched.append(after)
            if cluster.kind == CALL and cluster.node in self.may_fault:
                self._faults_left -= 1
                if not self._faults_left:
                    touched.extend(waiting)
            for after in dict.fromkeys(touched):
                if self._hard[after] or after in queued:
                    continue
                if self._free(after):
                    waiting.discard(after)
                    queued.add(after)
                    heapq.heappush(ready, key(after))
                else:
                    waiting.add(after)
        return order

    def _free(self, cluster: Cluster) -> bool:
        if self._hard[cluster]:
            return False
        if cluster not in self._targets:
            return True
        return not self._soft[cluster] and not self._faults_left

    def _give_in(self, cluster: Cluster) -> None:
        """Let a writer go ahead that waits for what waits for it.

        If that reads the old content, the updates are copied later.
        """
        targets = self._targets.pop(cluster)
        if self._soft[cluster]:
            self.copied.update(targets)


def last_uses(uses: Sequence[Sequence[int]]) -> dict[int, tuple[int, int]]:
    """The first and the last step that uses each buffer.

    Args:
        uses: the buffers of each step.
    """
    out: dict[int, tuple[int, int]] = {}
    for step, buffers in enumerate(uses):
        for buffer in buffers:
            first, _ = out.get(buffer, (step, step))
            out[buffer] = (first, step)
    return out
