"""What each cluster has to store, and what it computes anew instead of reading it.

Clusters are asked from the last to the first: what one reads from another, that one must store;
unless it is a few cheap operations on what lies in memory anyway, which the reader then repeats.
"""

from __future__ import annotations

from ..graph.ir import Node, Value, values_of
from .classify import CALL, ELEMENT, EXPENSIVE, PRODUCT
from .flow import Flow, count
from .fuse import LOOP, Cluster, Fusion, domain_of

CHEAP = 3  # operations that are repeated rather than stored
HEAVY = 10  # the weight of an expensive function; floats of such weight are computed once
HUGE = 200  # floats of more operations than this become kernels of their own


class Demand:
    """The stores and reads of every cluster.

    Attributes:
        stored: values in memory, by cluster (found ones only), in the order they were asked for.
        reads: the values that a cluster loads.
        inlined: the values of others that a cluster computes for itself.
        in_memory: all values that lie in memory.
    """

    def __init__(self, flow: Flow, fusion: Fusion):
        self.flow = flow
        self.fusion = fusion
        self.stored: dict[Cluster, list[Value]] = {}
        self.reads: dict[Cluster, dict[Value, None]] = {}
        self.inlined: dict[Cluster, set[Value]] = {}
        self.in_memory: set[Value] = set(flow.graph.inputs)
        self._weights: dict[Value, int] = {}
        self._sink_heavy_floats()
        for value in flow.roots:
            if value not in self.in_memory and fusion.home_of(value) is not None:
                self.in_memory.add(value)
        self._ask()

    # --- floats ----------------------------------------------------------------------------

    def _sink_heavy_floats(self) -> None:
        """Floats that several clusters want become clusters, where it takes much arithmetic or
        more than one load to compute them."""
        flow, fusion = self.flow, self.fusion
        floats = [
            node
            for node in flow.graph.nodes
            if flow.kind[node] == ELEMENT and fusion.home_of(node.outputs[0]) is None
        ]
        leaves: dict[Value, set[Value]] = {}
        for node in floats:
            leaves[node.outputs[0]] = self._leaves(node, leaves)
            weight = HEAVY if node.name in EXPENSIVE else 1
            for value in values_of(node.inputs):
                weight += self._weights.get(flow.path(value)[0], 0)
            if weight > HUGE:
                self._sink(node)
                weight = 0
            self._weights[node.outputs[0]] = weight
        wanted: dict[Value, set[Cluster]] = {}
        for node in reversed(floats):
            out = node.outputs[0]
            if fusion.home_of(out) is not None:
                continue
            users: set[Cluster] = set()
            for user in flow.users.get(out, ()):
                if not user.outputs:
                    continue
                home = fusion.home_of(user.outputs[0])
                users |= {home} if home is not None else wanted.get(user.outputs[0], set())
                if len(users) > 1:
                    break
            wanted[out] = users
            if len(users) > 1 and (self._weights[out] >= HEAVY or len(leaves[out]) > 1):
                self._sink(node)

    def _leaves(self, node: Node, leaves: dict[Value, set[Value]]) -> set[Value]:
        """What a float loads, as large as itself: at most two of it."""
        out: set[Value] = set()
        size = count(node.outputs[0].shape)
        for value in values_of(node.inputs):
            base, _ = self.flow.path(value)
            if base not in self.flow.constants and count(base.shape) >= size:
                out |= leaves.get(base, {base})
                if len(out) > 1:
                    break
        return out

    def _sink(self, node: Node) -> None:
        fusion = self.fusion
        out = node.outputs[0]
        needs = fusion.needs(out)
        # between what it reads and whoever reads it
        level = max((c.level for c in needs), default=0) + 0.5
        made = Cluster(LOOP, domain_of(out.shape, ()), level, len(fusion.clusters))
        made.nodes.append(node)
        fusion.clusters.append(made)
        fusion.home[out] = made

    # --- stores and reads ------------------------------------------------------------------

    def _ask(self) -> None:
        fusion = self.fusion
        live = {c.found() for c in fusion.clusters}
        position = {node: place for place, node in enumerate(self.flow.graph.nodes)}
        for value in sorted(self.in_memory & fusion.home.keys(), key=self._order(position)):
            self._store(value)
        last = {c: max(position[n] for n in c.nodes) for c in live}
        for cluster in sorted(live, key=lambda c: (-c.level, -last[c])):
            if cluster.kind == CALL or cluster in self.stored:
                self._read_all(cluster)

    def _order(self, position: dict[Node, int]):
        def key(value: Value) -> tuple[int, int]:
            node, number = self.flow.maker[value]
            return position[node], number

        return key

    def _store(self, value: Value) -> None:
        home = self.fusion.home_of(value)
        assert home is not None
        held = self.stored.setdefault(home, [])
        if value not in held:
            held.append(value)
        self.in_memory.add(value)

    def _read_all(self, cluster: Cluster) -> None:
        self.reads[cluster] = {}
        self.inlined[cluster] = set()
        seen: set[Value] = set()
        stack = list(self.stored.get(cluster, ()))
        if cluster.node is not None:
            stack = [v for v in stack if v not in cluster.node.outputs]
            inputs = cluster.node.inputs
            direct = inputs[:2] if cluster.kind == PRODUCT else inputs
            for value in values_of(direct):
                self._read(self.flow.path(value)[0], cluster)
            if cluster.kind == PRODUCT:  # the bias, which may be computed in the kernel
                for base in [self.flow.path(x)[0] for x in values_of(inputs[2:])]:
                    if self._expands(base, cluster):
                        stack.append(base)
                    else:
                        self._read(base, cluster)
        while stack:
            value = stack.pop()
            if value in seen:
                continue
            seen.add(value)
            for base in self._operands(value):
                if self._expands(base, cluster):
                    stack.append(base)
                else:
                    self._read(base, cluster)

    def _operands(self, value: Value) -> list[Value]:
        node, _ = self.flow.maker[value]
        return [self.flow.path(x)[0] for x in values_of(node.inputs)]

    def _read(self, base: Value, cluster: Cluster) -> None:
        home = self.fusion.home_of(base)
        if home is not None and home is not cluster:
            self._store(base)
        if home is not cluster:
            self.reads[cluster][base] = None

    def _expands(self, base: Value, cluster: Cluster) -> bool:
        """Whether the cluster computes `base` itself."""
        home = self.fusion.home_of(base)
        if home is cluster:
            node = self.flow.maker[base][0]
            return node is not cluster.node
        if base not in self.flow.maker or base in self.in_memory:
            return False
        if home is None or self._repeatable(base, cluster):
            self.inlined[cluster].add(base)
            return True
        return False

    def _repeatable(self, base: Value, cluster: Cluster) -> bool:
        """Whether a value of another cluster takes a few operations on what lies in memory."""
        left = CHEAP
        stack = [base]
        leaves = set()
        while stack:
            value = stack.pop()
            if value in self.in_memory:
                leaves.add(value)
                continue
            if not self.flow.is_element(value):
                return False
            node = self.flow.maker[value][0]
            left -= 1
            if left < 0 or node.name in EXPENSIVE:
                return False
            stack.extend(self._operands(value))
        return len(leaves) <= 2 and all(self._earlier(leaf, cluster) for leaf in leaves)

    def _earlier(self, leaf: Value, cluster: Cluster) -> bool:
        home = self.fusion.home_of(leaf)
        return home is None or home is not cluster
