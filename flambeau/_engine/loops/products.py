"""Gemm kernels from products and the elementwise work that follows them."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.shapes import contiguous_strides
from ..graph.ir import Node, Value
from .body import Frame, Place, Writer, finish, note_all
from .classify import PRODUCT, computed_in, name_of
from .demand import Demand
from .flow import Flow, Misfit, Path, along, count, domain_map, with_splits
from .fuse import Cluster, Fusion
from .indexing import Flat, Index, Map, Unmappable, broadcast_map, flat_index
from .kernel import Access, Gemm
from .rows import Built, InPlaceClash


def operand_index(
    flow: Flow, place: Place, value: Value, sizes: Sequence[int], batch: int = 0
) -> Index:
    """Where a value's elements lie in memory, by dimensions of these sizes.

    Args:
        place: of the value's base.
        sizes: whose row-major order is the value's own, after `batch` dimensions that broadcast.

    Raises:
        Unmappable: no strides say it.
        Misfit: a view on the way cannot be read through.
    """
    base, path = flow.path(value)

    def attempt(space: tuple[int, ...], origin: list[int]) -> Index:
        if batch:
            shape = (*sizes[:batch], *value.shape[-2:])
            wide = domain_map(shape, space)
            own = broadcast_map(value.shape, shape, wide, len(space))
        else:
            own = domain_map(value.shape, space)
        return place.at(along(path, own, space), len(space))

    space, origin, (offset, steps) = with_splits(sizes, attempt)
    joined = []
    for dim in range(len(sizes)):
        parts = [d for d, at in enumerate(origin) if at == dim and space[d] > 1]
        for outer, inner in zip(parts, parts[1:]):
            if steps[outer] != steps[inner] * space[inner]:
                raise Unmappable("not one stride")
        joined.append(steps[parts[-1]] if parts else 0)
    return Index(offset, tuple(joined))


def own_strides(flow: Flow, place: Place, value: Value) -> Index:
    """The offset and strides of a value in its own dimensions."""
    if not flow.path(value)[1]:
        return Index(place.offset, place.strides)
    return operand_index(flow, place, value, value.shape)


def place_within(
    region: Place, value: Value, base: Value, path: Path
) -> tuple[int, tuple[int, ...]] | None:
    """The offset and strides for `base` that make `value`, a view of it, lie in a region.

    None where the view shows `base` in part, or more than once.
    """
    if count(base.shape) != count(value.shape):
        return None

    def attempt(space: tuple[int, ...], origin: list[int]) -> Map:
        return along(path, domain_map(value.shape, space), space)

    try:
        space, origin, found = with_splits(value.shape, attempt)
    except (Misfit, Unmappable):
        return None
    if isinstance(found, Flat):
        return None
    steps = [0] * len(space)
    left = 1
    for d in reversed(range(len(space))):
        if d + 1 == len(space) or origin[d + 1] != origin[d]:
            left = 1
        steps[d] = region.strides[origin[d]] * left
        left *= space[d]
    strides: list[int] = []
    for (offset, moves), size in zip(found, base.shape, strict=True):
        dims = [d for d, move in enumerate(moves) if move and space[d] > 1]
        if size == 1:
            strides.append(0)
        elif len(dims) == 1 and moves[dims[0]] == 1 and space[dims[0]] == size and not offset:
            strides.append(steps[dims[0]])
        else:
            return None
    return region.offset, tuple(strides)


def product_sizes(node: Node) -> tuple[tuple[int, ...], int, int, int]:
    """The batch, m, n and k of a product."""
    a, b = node.inputs[:2]
    if node.name == "linear":
        return (), count(a.shape[:-1]), b.shape[0], a.shape[-1]
    return node.outputs[0].shape[:-2], a.shape[-2], b.shape[-1], a.shape[-1]


def factor_index(flow: Flow, place: Place, node: Node, number: int) -> Index:
    """Where operand `number` of a product lies, over (*batch, m, k) or (*batch, k, n).

    Raises:
        Misfit: not by one stride a dimension.
    """
    batch, m, n, k = product_sizes(node)
    value = node.inputs[number]
    try:
        if node.name != "linear":
            return operand_index(flow, place, value, (*batch, *value.shape[-2:]), len(batch))
        at = operand_index(flow, place, value, (m, k) if number == 0 else (n, k))
        return at if number == 0 else Index(at.offset, at.steps[::-1])
    except Unmappable:
        raise Misfit(node, number) from None


def misfits(flow: Flow) -> list[Misfit]:
    """The operands of products that no strides describe, if computed values lie row by row."""
    found = []
    for node, kind in flow.kind.items():
        if kind != PRODUCT:
            continue
        for number in (0, 1):
            base, path = flow.path(node.inputs[number])
            if not path and base.strides is None:
                continue
            strides = base.strides or contiguous_strides(base.shape)
            try:
                factor_index(flow, Place(0, 0, strides, base.strides is None), node, number)
            except Misfit as misfit:
                found.append(misfit)
    return found


class ProductKernel:
    """A product with its epilogue."""

    def __init__(
        self, cluster: Cluster, flow: Flow, fusion: Fusion, demand: Demand,
        places: dict[Value, Place],
    ):  # fmt: skip
        node = cluster.node
        assert node is not None
        self.cluster, self.node = cluster, node
        self.flow, self.fusion, self.places = flow, fusion, places
        self.inlined = demand.inlined[cluster]
        self.wanted = demand.stored[cluster]
        self.needed = demand.needed(cluster)
        self.product = node.outputs[0]
        self.batch, self.m, self.n, self.k = product_sizes(node)
        self.sizes = (*self.batch, self.m, self.n)

    def build(self) -> Built:
        """The kernel, and its arguments."""
        try:
            return with_splits(self.sizes, self._build)[2]
        except Unmappable:
            raise Misfit(self.cluster.nodes[-1], None) from None

    def _build(self, space: tuple[int, ...], origin: list[int]) -> Built:
        self.space, self.origin = space, origin
        writer = Writer(self.flow, space, self._leaf)
        for node in self.cluster.nodes:  # in order: what is read is there, however long the chain
            out = node.outputs[0]
            if node is not self.node and out in self.needed:
                writer.read(out, domain_map(out.shape, space))
        stores = []
        for value in self.wanted:
            indices = domain_map(value.shape, space)
            number = writer.read(value, indices)
            place = self.places[value]
            stores.append((place.buffer, place.at(indices, len(space)), value, number))
        return self._finished(self._operand(0), self._operand(1), writer, stores)

    def _operand(self, number: int) -> tuple[int, Index, Value]:
        value = self.node.inputs[number]
        place = self.places[self.flow.path(value)[0]]
        return place.buffer, factor_index(self.flow, place, self.node, number), value

    def _leaf(self, writer: Writer, base: Value, indices: Map) -> int | None:
        if base is self.product:
            return self._product(writer, indices)
        home = self.fusion.home_of(base)
        if home is self.cluster or base in self.inlined or self.flow.is_formula(base):
            return None
        return writer.load(self.places[base], base, indices)

    def _product(self, writer: Writer, indices: Map) -> int:
        at = flat_index(indices, self.product.shape, len(self.space))
        own = contiguous_strides(self.space)
        if at.offset or any(
            s != o for s, o, n in zip(at.steps, own, self.space, strict=True) if n > 1
        ):
            raise AssertionError("an epilogue reads the product elsewhere")
        found = writer.put("product", (), name_of(computed_in(self.product.dtype)))
        bias = self.node.inputs[2] if len(self.node.inputs) > 2 else None
        if bias is not None:
            own_map = broadcast_map(bias.shape, self.product.shape, indices, len(self.space))
            added = writer.widened(writer.read(bias, own_map))
            found = writer.put("add", (found, added), name_of(computed_in(self.product.dtype)))
        return writer.rounded(found, self.product.dtype)

    def _runs(self, writer: Writer, stores: list) -> list[list[int]]:
        """The space's dimensions joined again to the product's: batch, rows and columns."""
        found = [*writer.indices_of()]
        found += [(at, self.flow.maker[value][0]) for _, at, value, _ in stores]
        runs = []
        for dim in range(len(self.sizes)):
            parts = [d for d, at in enumerate(self.origin) if at == dim]
            solid = [d for d in parts if self.space[d] > 1]
            for outer, inner in zip(solid, solid[1:]):
                for at, node in found:
                    if at.steps[outer] != at.steps[inner] * self.space[inner]:
                        raise Misfit(node or self.node, None)
            runs.append(solid or parts)
        return runs

    def _finished(self, a, b, writer: Writer, stores: list) -> Built:
        frame = Frame(self._runs(writer, stores), self.space)
        loads = {detail for name, _, _, detail in writer.lines if name == "load"}
        for buffer, at, _, _ in stores:
            clash = any(other == buffer and there != at for other, there in loads)
            if clash or buffer in (a[0], b[0]):
                raise InPlaceClash(buffer)
            frame.note(buffer, at)
        for buffer, at, _ in (a, b):
            frame.note(buffer, Index(at.offset, ()))
        note_all(frame, writer)
        body, where = finish(writer, frame)
        first, second = (
            Access(frame.arguments[f], name_of(v.dtype), at.steps, at.offset - frame.lowest[f])
            for f, at, v in (a, b)
        )
        kernel = Gemm(
            self.batch, self.m, self.n, self.k, name_of(computed_in(self.product.dtype)),
            first, second, body,
            tuple((frame.access(f, at, name_of(v.dtype)), where[n]) for f, at, v, n in stores),
        )  # fmt: skip
        return kernel, {f: (p, frame.lowest[f]) for f, p in frame.arguments.items()}
