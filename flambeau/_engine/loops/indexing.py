"""Index arithmetic: where in a value an iteration looks, through views.

An `Index` says, for one dimension of a value, which element a point of an iteration space reads:
an offset plus a step for each dimension of the space. Views act on tuples of them, so that a view
costs nothing: whoever reads through it reads elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..base.shapes import contiguous_strides
from ..graph.ir import Node

Sizes = tuple[int, ...]


class Index(NamedTuple):
    """offset + sum of step times position, over the dimensions of an iteration space."""

    offset: int
    steps: tuple[int, ...]


class Flat(NamedTuple):
    """Where a reshape's operand is read that only one position in row-major order describes.

    Attributes:
        at: that position.
        node: the reshape, whose operand has to lie in memory in that order.
    """

    at: Index
    node: Node


Map = Any  # a tuple of Index, one for each of a value's dimensions; or Flat


class NeedSplit(Exception):
    """The space's dimension must become two, the inner one of this size."""

    def __init__(self, dim: int, inner: int):
        super().__init__(dim, inner)
        self.dim, self.inner = dim, inner


class Unmappable(Exception):
    """No offsets and steps say where this view's elements lie."""


def flat_index(indices: Map, shape: Sequence[int], rank: int) -> Index:
    """The row-major position in `shape` of what `indices` read."""
    if isinstance(indices, Flat):
        return indices.at
    return strided_index(indices, contiguous_strides(shape), rank)


def strided_index(indices: Map, strides: Sequence[int], rank: int) -> Index:
    """The position in memory, in elements, for these strides; the space has `rank` dimensions."""
    offset = 0
    steps = [0] * rank
    for (start, of_dim), stride in zip(indices, strides, strict=True):
        if stride:
            offset += start * stride
            for dim, step in enumerate(of_dim):
                if step:
                    steps[dim] += step * stride
    return Index(offset, tuple(steps))


def unravelled(flat: Index, shape: Sequence[int], space: Sequence[int]) -> Map:
    """The indices in `shape` of a row-major position.

    Raises:
        NeedSplit: they are linear in a finer space only.
        Unmappable: they are not, in any.
    """
    offset, steps = flat
    strides = contiguous_strides(shape)
    starts = []
    for stride, size in zip(strides, shape, strict=True):
        starts.append(offset // stride % size if size > 1 else 0)
    digits = [_digits(step, shape, strides) for step in steps]
    out = []
    for place, size in enumerate(shape):
        reach = starts[place]
        for dim, found in enumerate(digits):
            reach += found[place] * (space[dim] - 1)
        if reach >= size:
            _raise_split(steps, digits, shape, strides, space, place)
        out.append(Index(starts[place], tuple(found[place] for found in digits)))
    return tuple(out)


def _digits(step: int, shape: Sequence[int], strides: Sequence[int]) -> list[int]:
    if step < 0:
        raise Unmappable("a backward step through a reshape")
    return [step // st % n if n > 1 else 0 for st, n in zip(strides, shape, strict=True)]


def _raise_split(
    steps: Sequence[int], digits: Any, shape: Sequence[int], strides: Sequence[int],
    space: Sequence[int], place: int,
) -> None:  # fmt: skip
    """Say which dimension of the space runs over the end of dimension `place`."""
    boundary = strides[place] * shape[place]
    for dim, step in enumerate(steps):
        if digits[dim][place] and space[dim] > 1 and boundary % step == 0:
            inner = boundary // step
            if 1 < inner < space[dim] and space[dim] % inner == 0:
                raise NeedSplit(dim, inner)
    raise Unmappable("a reshape that no strides describe")


# --- views -----------------------------------------------------------------------------------


def through(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    """Where a view's operand is read when its result number `number` is read at `indices`.

    Raises:
        NeedSplit, Unmappable: as `unravelled`; Unmappable for a view that is no index map.
    """
    rule = _VIEWS.get(node.name)
    if rule is None:
        raise Unmappable(node.name)
    return rule(node, number, indices, space)


def flat_through(node: Node, indices: Map, space: Sequence[int]) -> Index | None:
    """The row-major position in the operand that is read, where the view can say that."""
    rank = len(space)
    if node.name in ("view", "alias"):
        return flat_index(indices, node.outputs[0].shape, rank)
    if node.name == "as_strided" and not isinstance(indices, Flat):
        return _flat_as_strided(node, indices, rank)
    return None


def _alias(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    return indices


def _view(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    before, after = node.inputs[0].shape, node.outputs[0].shape
    rank = len(space)
    simple = _reshaped_by_groups(before, after, indices, rank)
    if simple is not None:
        return simple
    return unravelled(flat_index(indices, after, rank), before, space)


def _reshaped_by_groups(before: Sizes, after: Sizes, indices: Map, rank: int) -> Map | None:
    """The map where each old dimension is a product of new ones, which is always linear."""
    zero = Index(0, (0,) * rank)
    out: list[Index] = []
    place = 0
    for size in before:
        if size == 1:
            out.append(zero)
            continue
        group, count = [], 1
        while count < size and place < len(after):
            group.append(place)
            count *= after[place]
            place += 1
        if count != size:
            return None
        if len(group) == 1:
            out.append(indices[group[0]])
            continue
        strides = contiguous_strides([after[p] for p in group])
        out.append(strided_index(tuple(indices[p] for p in group), strides, rank))
    return tuple(out)


def _permute(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    out: list[Any] = [None] * len(indices)
    for index, dim in zip(indices, node.params["dims"], strict=True):
        out[dim] = index
    return tuple(out)


def broadcast_map(shape: Sizes, wider: Sizes, indices: Map, rank: int) -> Map:
    """Where an operand of `shape` is read that broadcasts to `wider`, read at `indices`."""
    lead = len(wider) - len(shape)
    if not lead and shape == wider:
        return indices
    zero = Index(0, (0,) * rank)
    return tuple(
        zero if size == 1 and wider[lead + d] != 1 else indices[lead + d]
        for d, size in enumerate(shape)
    )


def _expand(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    return broadcast_map(node.inputs[0].shape, node.outputs[0].shape, indices, len(space))


def _scaled(index: Index, start: int, step: int) -> Index:
    if step == 1:
        return Index(index.offset + start, index.steps)
    return Index(start + step * index.offset, tuple(s * step for s in index.steps))


def _slice(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    return sliced(node.params["index"], indices, len(space))


def sliced(index: Sequence[Any], indices: Map, rank: int) -> Map:
    """The map through a basic index: ints, None, and (start, stop, step) triples."""
    out = []
    left = iter(indices)
    for entry in index:
        if entry is None:
            next(left)
        elif type(entry) is tuple:
            out.append(_scaled(next(left), entry[0], entry[2]))
        else:
            out.append(Index(entry, (0,) * rank))
    return (*out, *left)


def _split(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    dim, sizes = node.params["dim"], node.params["sizes"]
    if node.params["squeeze"]:
        return (*indices[:dim], Index(number, (0,) * len(space)), *indices[dim:])
    start = sum(sizes[:number])
    return (*indices[:dim], _scaled(indices[dim], start, 1), *indices[dim + 1 :])


def _diagonal(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    offset, dim1, dim2 = (node.params[key] for key in ("offset", "dim1", "dim2"))
    out = list(indices[:-1])
    low = {dim1: max(-offset, 0), dim2: max(offset, 0)}
    for dim in sorted(low):
        out.insert(dim, _scaled(indices[-1], low[dim], 1))
    return tuple(out)


def _sum(a: Index, b: Index) -> Index:
    return Index(a.offset + b.offset, tuple(x + y for x, y in zip(a.steps, b.steps, strict=True)))


def _unfold(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    if not node.inputs[0].shape:
        return ()
    dim, step = node.params["dim"], node.params["step"]
    place = _sum(_scaled(indices[dim], 0, step), indices[-1])
    return (*indices[:dim], place, *indices[dim + 1 : -1])


def _windows(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    kernel, stride, dilation = (node.params[key] for key in ("kernel", "stride", "dilation"))
    rank = len(kernel)
    inside, lead, places = indices[:rank], indices[rank:-rank], indices[-rank:]
    spatial = tuple(
        _sum(_scaled(t, 0, s), _scaled(k, 0, d))
        for t, k, s, d in zip(places, inside, stride, dilation, strict=True)
    )
    return (*lead, *spatial)


def _as_strided(node: Node, number: int, indices: Map, space: Sequence[int]) -> Map:
    flat = _flat_as_strided(node, indices, len(space))
    if flat is None or flat.offset < 0 or any(s < 0 for s in flat.steps):
        raise Unmappable("as_strided of memory that is not contiguous")
    return unravelled(flat, node.inputs[0].shape, space)


def _flat_as_strided(node: Node, indices: Map, rank: int) -> Index | None:
    shape, strides, _ = node.params["layout"]
    own = node.inputs[0].shape
    ordered = zip(own, strides, contiguous_strides(own), strict=True)
    if tuple(shape) != own or any(n > 1 and s != c for n, s, c in ordered):
        return None
    flat = strided_index(indices, node.params["strides"], rank)
    return Index(flat.offset + node.params["offset"], flat.steps)


def flipped(node: Node, indices: Map) -> Map:
    """The map through a flip, whose steps go backwards."""
    sizes = node.inputs[0].shape
    return tuple(
        Index(sizes[d] - 1 - index.offset, tuple(-s for s in index.steps))
        if d in node.params["dims"]
        else index
        for d, index in enumerate(indices)
    )


_VIEWS: dict[str, Callable[[Node, int, Map, Sequence[int]], Map]] = {
    "alias": _alias, "view": _view, "permute": _permute, "expand": _expand, "slice": _slice,
    "split": _split, "diagonal": _diagonal, "unfold": _unfold, "windows": _windows,
    "as_strided": _as_strided,
}  # fmt: skip
VIEWS = frozenset(_VIEWS)


# --- spaces ----------------------------------------------------------------------------------


def split_dim(space: Sequence[int], dim: int, inner: int) -> Sizes:
    """The space with a dimension made two."""
    return (*space[:dim], space[dim] // inner, inner, *space[dim + 1 :])


def joined_dims(sizes: Sequence[int], stride_lists: Sequence[Sequence[int]]) -> list[list[int]]:
    """Runs of neighbouring dimensions that one loop can walk for every list of strides.

    Dimensions of size 1 are left out.
    """
    runs: list[list[int]] = []
    for dim, size in enumerate(sizes):
        if size == 1:
            continue
        if runs:
            last = runs[-1][-1]
            if all(strides[last] == strides[dim] * size for strides in stride_lists):
                runs[-1].append(dim)
                continue
        runs.append([dim])
    return runs
