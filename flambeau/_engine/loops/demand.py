"""What each cluster has to store, and what it computes anew instead of reading it.

Clusters are asked from the last to the first: what one reads from another, that one must store;
unless it is a few cheap operations on what lies in memory anyway, which the reader then repeats.
"""

from __future__ import annotations

import heapq

from ..graph.ir import Node, Value, values_of
from .classify import CALL, ELEMENT, EXPENSIVE, PRODUCT
from .flow import Flow, count
from .fuse import HEAVY, LARGE, LOOP, Cluster, Fusion, domain_of

CHEAP = 3  # operations that are repeated rather than stored
LONGEST = 12  # operations that are repeated at most, those that only the reader wants among them


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
        self._position = {node: place for place, node in enumerate(flow.graph.nodes)}
        self._sink_heavy_floats()
        for value in flow.roots:
            if value not in self.in_memory and fusion.home_of(value) is not None:
                self.in_memory.add(value)
        self._ask()

    # --- floats ----------------------------------------------------------------------------

    def _sink_heavy_floats(self) -> None:
        """Give floats a home: their only reader; or one that several readers share, where it
        takes much arithmetic or more than one load to compute them."""
        flow, fusion = self.flow, self.fusion
        floats = [
            node
            for node in flow.graph.nodes
            if flow.kind[node] == ELEMENT and fusion.home_of(node.outputs[0]) is None
        ]
        leaves: dict[Value, set[Value]] = {}
        for node in floats:
            leaves[node.outputs[0]] = self._leaves(node, leaves)
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
            wanted[out] = users
            if len(users) == 1:
                (only,) = users
                if self._may_join(out, only, users):
                    self._adopt(node, only)
            elif len(users) > 1 and (fusion.weights.get(out, 0) >= HEAVY or len(leaves[out]) > 1):
                self._sink(node, users)

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

    def _sink(self, node: Node, users: set[Cluster] | None = None) -> None:
        """Make a float a member of the first cluster that reads it, or else of one of its own."""
        fusion = self.fusion
        out = node.outputs[0]
        first = min(users or (), key=lambda c: (c.level, c.number), default=None)
        if first is not None and self._may_join(out, first, users or set()):
            self._adopt(node, first)
            return
        needs = fusion.needs(out)
        # between what it reads and whoever reads it
        level = max((c.level for c in needs), default=0) + 0.5
        made = Cluster(LOOP, domain_of(out.shape, ()), level, len(fusion.clusters))
        made.nodes.append(node)
        fusion.clusters.append(made)
        fusion.home[out] = made

    def _adopt(self, node: Node, cluster: Cluster) -> None:
        cluster.nodes.insert(0, node)
        self.fusion.home[node.outputs[0]] = cluster

    def _may_join(self, out: Value, first: Cluster, users: set[Cluster]) -> bool:
        """Whether all others read the float later, and this one at the point that it works on."""
        if first.kind not in (LOOP, PRODUCT) or count(out.shape) != first.full:
            return False
        if len(first.nodes) > LARGE or any(c.level == first.level for c in users - {first}):
            return False
        for user in self.flow.users.get(out, ()):
            read = user.outputs[0]
            home = self.fusion.home_of(read)
            if home is None:  # by way of other floats, perhaps elsewhere
                return False
            if home is first and not self._reads_in_place(read, user, out, first):
                return False
        return True

    def _reads_in_place(self, read: Value, user: Node, out: Value, first: Cluster) -> bool:
        reduced = self.flow.is_reduction(read)
        if user is first.node or (read in self.fusion.row and not reduced):
            return False
        self.fusion.home[out] = first
        try:
            found = [
                self.fusion.reads_in_place(x if reduced else read, x, first, False)
                for x in values_of(user.inputs)
                if self.flow.path(x)[0] is out
            ]
        finally:
            del self.fusion.home[out]
        return all(found)

    # --- stores and reads ------------------------------------------------------------------

    def _ask(self) -> None:
        fusion = self.fusion
        live = {c.found() for c in fusion.clusters}
        position = self._position
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
        found = list(self.stored.get(cluster, ()))
        if cluster.node is not None:
            found = [v for v in found if v not in cluster.node.outputs]
            inputs = cluster.node.inputs
            direct = inputs[:2] if cluster.kind == PRODUCT else inputs
            for value in values_of(direct):
                self._read(self.flow.path(value)[0], cluster)
            if cluster.kind == PRODUCT:  # the bias, which may be computed in the kernel
                found += self._own([self.flow.path(x)[0] for x in values_of(inputs[2:])], cluster)
        self._walk(found, cluster)

    def _walk(self, found: list[Value], cluster: Cluster) -> None:
        """Follow what the cluster computes down to what it reads.

        Values of other clusters are decided on in the program's order, when nothing else is left:
        what is computed from others in a few steps may find them in memory by then.
        """
        seen: set[Value] = set(found)
        stack = found
        open_: list[tuple[int, int, Value]] = []
        while stack or open_:
            if not stack:
                base = heapq.heappop(open_)[2]
                if self._repeats(base, cluster):
                    stack.append(base)
                else:
                    self._read(base, cluster)
                continue
            for base in self._operands(stack.pop()):
                if base in seen:
                    continue
                seen.add(base)
                if self._computes(base, cluster):
                    stack.append(base)
                elif base in self.flow.maker and base not in self.in_memory:
                    node, number = self.flow.maker[base]
                    heapq.heappush(open_, (self._position[node], number, base))
                else:
                    self._read(base, cluster)

    def _own(self, bases: list[Value], cluster: Cluster) -> list[Value]:
        """Those that the cluster computes; the others it reads."""
        out = []
        for base in bases:
            if self._computes(base, cluster):
                out.append(base)
            else:
                self._read(base, cluster)
        return out

    def _operands(self, value: Value) -> list[Value]:
        node, _ = self.flow.maker[value]
        return [self.flow.path(x)[0] for x in values_of(node.inputs)]

    def _read(self, base: Value, cluster: Cluster) -> None:
        home = self.fusion.home_of(base)
        if home is not None and home is not cluster:
            self._store(base)
        if home is not cluster:
            self.reads[cluster][base] = None

    def _computes(self, base: Value, cluster: Cluster) -> bool:
        """Whether the cluster has to compute `base`: a member, a float, a constant."""
        home = self.fusion.home_of(base)
        if home is cluster:
            return self.flow.maker[base][0] is not cluster.node
        made = self.flow.maker.get(base)
        if home is None and made is not None and self.flow.kind[made[0]] != CALL:
            self.inlined[cluster].add(base)
            return True
        return False

    def _repeats(self, base: Value, cluster: Cluster) -> bool:
        """Whether the cluster computes again what another one has."""
        if base in self.in_memory or not self._repeatable(base, cluster):
            return False
        self.inlined[cluster].add(base)
        return True

    def _repeatable(self, base: Value, cluster: Cluster) -> bool:
        """Whether a value of another cluster can be computed from what lies in memory: in a few
        operations, those aside that nobody else wants."""
        left, most = CHEAP, LONGEST
        stack = [base]
        leaves = set()
        seen: set[Value] = set()
        private: set[Value] = set()
        while stack:
            value = stack.pop()
            if value in seen:
                continue
            seen.add(value)
            if value in self.in_memory:
                leaves.add(value)
                continue
            if not self.flow.is_element(value):
                return False
            node = self.flow.maker[value][0]
            most -= 1
            if self._only_for(value, cluster, private):
                private.add(value)
            else:
                left -= 1
                if node.name in EXPENSIVE:
                    return False
            if left < 0 or most < 0:
                return False
            stack.extend(self._operands(value))
        return len(leaves) <= 2 and all(self._earlier(leaf, cluster) for leaf in leaves)

    def _only_for(self, value: Value, cluster: Cluster, private: set[Value]) -> bool:
        """Whether all that read a value are in the cluster, or repeated there."""
        for user in self.flow.users.get(value, ()):
            if not user.outputs:
                return False
            read = user.outputs[0]
            if read in private or self.fusion.home_of(read) is cluster:
                continue
            if read not in self.inlined[cluster]:
                return False
        return True

    def _earlier(self, leaf: Value, cluster: Cluster) -> bool:
        home = self.fusion.home_of(leaf)
        return home is None or home is not cluster

    def needed(self, cluster: Cluster) -> set[Value]:
        """The members that what the cluster stores is computed from, and that itself."""
        found: set[Value] = set()
        stack = list(self.stored[cluster])
        while stack:
            value = stack.pop()
            if value not in found and self.fusion.home_of(value) is cluster:
                found.add(value)
                stack.extend(self._operands(value))
        return found
