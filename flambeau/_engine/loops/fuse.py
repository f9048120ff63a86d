"""Which nodes share a kernel.

Nodes are taken in order and put into clusters. A cluster has a domain, the dimensions that its
kernel walks, some of which it reduces over; members compute something at every point of the
domain, or once a row (a point of the dimensions that are not reduced over). A node may join the
cluster of an operand if it reads that operand at the very point that it works on.

Clusters have levels, and what a cluster reads comes from clusters of lower levels: whatever joins,
no circle can arise, and no search for one is needed.

Elementwise nodes that join none float: whoever reads them computes them, or they become clusters
of their own because they have to lie in memory or cost much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base.shapes import contiguous_strides
from ..graph.ir import Node, Value, values_of
from .classify import CALL, ELEMENT, EXPENSIVE, JOIN, PRODUCT, REDUCE, reduced_dims
from .flow import Flow, Misfit, along, count, domain_map, with_splits
from .indexing import Unmappable, broadcast_map, flat_index

LOOP = "loop"
# A reduction of everything to one number is not made a row of a kernel that does more, beyond
# this many elements: one row has one thread.
LONE_ROW = 1 << 14
HEAVY = 10  # the weight of an expensive function; floats of such weight are computed once
HUGE = 60  # and floats of more weight than this become kernels whoever reads them
LARGE = 300  # nodes in a cluster: code of more is slow to compile and gains nothing

Domain = tuple[tuple[int, bool], ...]  # size, whether reduced over


class Cluster:
    """Nodes of one kernel.

    Attributes:
        kind: LOOP, PRODUCT, JOIN or CALL.
        domain: what the kernel walks; no dimensions of size 1.
        level: what it reads comes from lower levels.
        nodes: members in order.
        readers: the clusters that read from it.
        node: the product, join or call itself.
        number: their order.
    """

    __slots__ = ("_into", "domain", "kind", "level", "node", "nodes", "number", "readers")

    def __init__(
        self, kind: str, domain: Domain, level: float, number: int, node: Node | None = None
    ):
        self.kind = kind
        self.number = number
        self.domain = domain
        self.level = level
        self.nodes: list[Node] = []
        self.readers: set[Cluster] = set()
        self.node = node
        self._into: Cluster | None = None

    def found(self) -> Cluster:
        """The cluster that this one has become part of, or itself."""
        at = self
        while at._into is not None:
            at = at._into
        if self is not at:
            self._into = at
        return at

    @property
    def full(self) -> int:
        """Points of the domain."""
        return count([size for size, _ in self.domain])

    @property
    def rows(self) -> int:
        """Points of the dimensions that are not reduced over."""
        return count([size for size, reduced in self.domain if not reduced])

    @property
    def reduces(self) -> bool:
        """Whether it reduces over anything."""
        return any(reduced for _, reduced in self.domain)

    def absorb(self, other: Cluster) -> None:
        """Take over another cluster's members."""
        self.nodes = other.nodes + self.nodes
        self.readers |= other.readers
        self.readers.discard(self)
        if other.reduces:
            self.domain = other.domain
        other._into = self


def domain_of(shape: Sequence[int], dims: Sequence[int]) -> Domain:
    """Dimensions with neighbours of one kind joined, and those of size 1 left out."""
    out: list[tuple[int, bool]] = []
    for d, size in enumerate(shape):
        if size == 1:
            continue
        reduced = d in dims
        if out and out[-1][1] == reduced:
            out[-1] = (out[-1][0] * size, reduced)
        else:
            out.append((size, reduced))
    return tuple(out)


class Fusion:
    """The clusters of a graph.

    Attributes:
        home: the cluster that a value's node was put in (ask `home_of`).
        row: the values that are computed once a row.
        weights: what it takes to compute each float.
        clusters: in the order they were made; some have become part of others.
    """

    def __init__(self, flow: Flow, barred: set[Value]):
        self.flow = flow
        self.barred = barred
        self.home: dict[Value, Cluster] = {}
        self.row: set[Value] = set()
        self.clusters: list[Cluster] = []
        self.weights: dict[Value, int] = {}
        self._floats: dict[Value, frozenset[Cluster]] = {}
        self._siblings: dict[Any, Cluster] = {}
        self._last_draw: dict[int, Cluster] = {}
        for node in flow.graph.nodes:
            self._place(node)

    # --- questions -------------------------------------------------------------------------

    def home_of(self, value: Value) -> Cluster | None:
        """The cluster that a value (no view) is computed in; None for inputs and floats."""
        found = self.home.get(value)
        return None if found is None else found.found()

    def needs(self, value: Value) -> frozenset[Cluster]:
        """The clusters that have to run before the value can be read."""
        base, _ = self.flow.path(value)
        home = self.home_of(base)
        if home is not None:
            return frozenset((home,))
        floating = self._floats.get(base)
        if not floating:
            return frozenset()
        return frozenset(c.found() for c in floating)

    def _needs_of(self, node: Node) -> set[Cluster]:
        out: set[Cluster] = set()
        for value in values_of(node.inputs):
            out |= self.needs(value)
        return out

    # --- placing ---------------------------------------------------------------------------

    def _place(self, node: Node) -> None:
        kind = self.flow.kind[node]
        if node.name == "constant" and node.outputs[0] in self.flow.constants:
            return  # it is there before the program starts
        if kind == ELEMENT:
            self._place_element(node)
        elif kind == REDUCE:
            self._place_reduction(node)
        elif kind in (PRODUCT, JOIN, CALL):
            self._place_alone(node, kind)

    def _new(self, kind: str, domain: Domain, needs: set[Cluster], node: Node | None = None):
        level = 1 + max((c.level for c in needs), default=0)
        made = Cluster(kind, domain, level, len(self.clusters), node)
        self.clusters.append(made)
        for cluster in needs:
            cluster.readers.add(made)
        return made

    def _put(self, node: Node, cluster: Cluster, row: bool, needs: set[Cluster]) -> None:
        cluster.nodes.append(node)
        for value in node.outputs:
            self.home[value] = cluster
            if row:
                self.row.add(value)
        for other in needs:
            if other is not cluster:
                other.readers.add(cluster)

    def _place_alone(self, node: Node, kind: str) -> None:
        needs = self._needs_of(node)
        generator = node.params.get("generator")
        if generator is not None:
            before = self._last_draw.get(id(generator))
            if before is not None:
                needs.add(before.found())
        domain = domain_of(node.outputs[0].shape, ()) if kind == PRODUCT else ()
        made = self._new(kind, domain, needs, node)
        if generator is not None:
            self._last_draw[id(generator)] = made
        self._put(node, made, False, needs)

    def _place_element(self, node: Node) -> None:
        out = node.outputs[0]
        if out in self.flow.constants:
            return
        needs = self._needs_of(node)
        if out not in self.barred:
            joined = self._joinable(node, out, needs)
            if joined is not None:
                cluster, row = joined
                self._put(node, cluster, row, needs)
                return
        if node.name == "copy" and out in self.flow.roots and out not in self.flow.contents:
            base, _ = self.flow.path(node.inputs[0])
            home = self.home_of(base)
            if home is not None and home.kind in (LOOP, PRODUCT):  # it may be written there
                self.flow.roots.add(base)
                self._place_alone(node, JOIN)
                return
        if out in self.flow.roots or out in self.barred or self._is_heavy(node):
            made = self._new(LOOP, domain_of(out.shape, ()), needs)
            self._put(node, made, False, needs)
            return
        self._floats[out] = frozenset(needs)

    def _is_heavy(self, node: Node) -> bool:
        """Whether a float costs so much that its readers should share it; notes its weight."""
        out = node.outputs[0]
        weight = HEAVY if node.name in EXPENSIVE else 1
        for value in values_of(node.inputs):
            weight += self.weights.get(self.flow.path(value)[0], 0)
        shared = len(self.flow.users.get(out, ())) > 1
        if weight > HUGE or (weight >= HEAVY and shared):
            return True
        self.weights[out] = weight
        return False

    def _joinable(self, node: Node, out: Value, needs: set[Cluster]) -> tuple[Cluster, bool] | None:
        """The cluster that an elementwise node may join, and whether as a row member."""
        if not needs:
            return None
        # by number: what shares a kernel must not depend on where objects lie in memory
        target, *others = sorted(needs, key=lambda c: (-c.level, c.number))
        if target.kind in (JOIN, CALL) or len(target.nodes) > LARGE:
            return None
        row = self._works_on(node, out, target)
        if row is None:
            return None
        mergeable = [c for c in others if self._mergeable(node, out, c, target, row)]
        if any(c.level == target.level and c not in mergeable for c in others):
            return None
        for other in mergeable:
            if not other.reduces or not target.reduces or other.domain == target.domain:
                target.absorb(other)
        return target, row

    def _works_on(self, node: Node, out: Value, cluster: Cluster) -> bool | None:
        """Whether the node does row work (True) or full work (False) in the cluster; None: no."""
        size = count(out.shape)
        fits = [row for row in (False, True) if size == (cluster.rows if row else cluster.full)]
        if not cluster.reduces:
            fits = fits[:1]
        for row in fits:
            if not row and cluster.rows == 1 and cluster.reduces and size > LONE_ROW:
                continue
            if all(self.reads_in_place(out, x, cluster, row) for x in values_of(node.inputs)):
                if node.name == "flip":
                    return None
                return row
        return None

    def reads_in_place(self, out: Value, operand: Value, cluster: Cluster, row: bool) -> bool:
        """Whether what the operand needs of the cluster is read at the point of `out`."""
        base, path = self.flow.path(operand)
        home = self.home_of(base)
        if home is None:
            return cluster not in self.needs(operand)
        if home is not cluster:
            return True
        of_row = base in self.row
        if row and not of_row:
            return False
        sizes_agree = count(base.shape) == count(out.shape) == count(operand.shape)
        reshaped = all(step.name in ("view", "alias") for step, _ in path)
        if row == of_row and sizes_agree and reshaped:
            return True
        sizes = tuple(size for size, reduced in cluster.domain if not (row and reduced))
        flags = [reduced for _, reduced in cluster.domain if not (row and reduced)]

        def attempt(space: tuple[int, ...], origin: list[int]) -> Any:
            own = broadcast_map(operand.shape, out.shape, domain_map(out.shape, space), len(space))
            return flat_index(along(path, own, space), base.shape, len(space))

        try:
            space, origin, (offset, steps) = with_splits(sizes, attempt)
        except (Misfit, Unmappable):
            return False
        kept = [d for d, at in enumerate(origin) if not (of_row and flags[at])]
        wanted = dict(zip(kept, contiguous_strides([space[d] for d in kept]), strict=True))
        return offset == 0 and all(
            step == wanted.get(d, 0) for d, step in enumerate(steps) if space[d] > 1
        )

    def _mergeable(
        self, node: Node, out: Value, other: Cluster, target: Cluster, row: bool
    ) -> bool:
        """Whether `other` may become part of `target`, which `node` joins."""
        if other.kind != LOOP or other.level > target.level or other.full != target.full:
            return False
        if len(other.nodes) + len(target.nodes) > LARGE:
            return False
        if other.reduces and target.kind != LOOP:
            return False
        if other.reduces and target.reduces and other.domain != target.domain:
            return False
        if other.level < target.level:
            if any(reader.found().level <= target.level for reader in other.readers):
                return False
            if row and target.rows == 1:  # a lone number that may be wanted early
                return False
        if any(m.outputs[0] in self.barred for m in other.nodes):
            return False
        return all(self.reads_in_place(out, x, other, row) for x in values_of(node.inputs))

    def _place_reduction(self, node: Node) -> None:
        operand = node.inputs[0]
        domain = domain_of(operand.shape, reduced_dims(node))
        needs = self._needs_of(node)
        cluster = self._reduction_home(node, operand, domain, needs)
        if cluster is None:
            cluster = self._new(LOOP, domain, needs)
        for key in self._sibling_keys(operand, domain, needs):
            self._siblings[key] = cluster
        cluster.domain = domain
        self._put(node, cluster, True, needs)

    def _reduction_home(
        self, node: Node, operand: Value, domain: Domain, needs: set[Cluster]
    ) -> Cluster | None:
        if node.outputs[0] in self.barred:
            return None
        base, _ = self.flow.path(operand)
        home = self.home_of(base)
        size = count(operand.shape)
        if home is not None and home.kind == LOOP and base not in self.row:
            alike = home.domain == domain or (not home.reduces and home.full == size)
            lone = count([n for n, reduced in domain if not reduced]) == 1 and size > LONE_ROW
            if alike and not lone and self.reads_in_place(operand, operand, home, False):
                return home
        top = max((c.level for c in needs), default=0)
        for key in self._sibling_keys(operand, domain, needs):
            found = self._siblings.get(key)
            if found is not None:
                found = found.found()
                if found.level > top and found.domain == domain and found not in needs:
                    return found
        return None

    def _sibling_keys(self, operand: Value, domain: Domain, needs: set[Cluster]) -> list[Any]:
        base, _ = self.flow.path(operand)
        ordered = sorted(needs, key=lambda c: c.number)
        return [(base, domain), *((cluster, domain) for cluster in ordered)]
