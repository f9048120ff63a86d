"""NumPy's indexing by several arrays, as arithmetic on positions."""

from __future__ import annotations

from dataclasses import dataclass

from ...loops.kernel import Special
from .code import Index
from .writer import Writer


@dataclass(frozen=True, slots=True)
class Indexed:
    """Which elements of an array `a[..., i, j, ...]` are, for index arrays that broadcast.

    The result's dimensions: those of a before the indices, the indices' own, those after; where
    the indices are not next to each other, theirs come first. `outer` is all of them up to the
    last one that is not simply a row of a: what remains is `inner`.

    Attributes:
        arguments: which of the kernel's arguments the index arrays are, and of what size the
            dimensions that they index.
        lead: how many dimensions of the result come before the indices'.
        rank: how many dimensions the indices have.
        kept: a's dimension for each of `outer` that the indices do not make up.
    """

    target: int
    arguments: tuple[tuple[int, int], ...]
    indexed: tuple[int, ...]
    outer: tuple[int, ...]
    inner: tuple[int, ...]
    inner_strides: tuple[int, ...]
    lead: int
    rank: int
    kept: tuple[int, ...]

    @classmethod
    def of(cls, kernel: Special, target: int, first: int) -> Indexed:
        """For a kernel whose index arrays are the arguments from `first` on.

        Args:
            target: the argument that is indexed.
        """
        _, shape, strides = kernel.arguments[target]
        pattern = (*dict(kernel.params)["pattern"],)
        pattern += (False,) * (len(shape) - len(pattern))
        dims = tuple(d for d, taken in enumerate(pattern) if taken)
        arguments = tuple((first + k, shape[d]) for k, d in enumerate(dims))
        points = _broadcast([kernel.arguments[k][1] for k, _ in arguments])
        lead = dims[0] if dims[-1] - dims[0] + 1 == len(dims) else 0
        kept = tuple(d for d in range(dims[-1]) if d not in dims)
        rows = [shape[d] for d in kept]
        outer = (*rows[:lead], *points, *rows[lead:])
        rest = dims[-1] + 1
        return cls(
            target, arguments, dims, outer, shape[rest:], strides[rest:], lead, len(points), kept
        )

    def start(self, w: Writer, place: list[Index], checked: bool) -> Index:
        """Where the inner part at a place of `outer` begins.

        Args:
            checked: fault if an index is out of range; else they are known to be right.
        """
        strides = w.strides[self.target]
        point = place[self.lead : self.lead + self.rank]
        others = [*place[: self.lead], *place[self.lead + self.rank :]]
        start = w.dot(others, [strides[d] for d in self.kept])
        for (argument, size), dim in zip(self.arguments, self.indexed, strict=True):
            shape, steps = w.shapes[argument], w.strides[argument]
            own = point[self.rank - len(shape) :]
            steps = tuple(0 if n == 1 else step for n, step in zip(shape, steps, strict=True))
            position = w.position(argument, w.dot(own, steps))
            if checked:
                w.fault_if(w.wrong(position, -size, size))
            start = w.add(start, w.mul(w.wrapped(position, size), strides[dim]))
        return start


def _broadcast(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that index arrays have together."""
    rank = max(map(len, shapes))
    aligned = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(
        next((size for size in sizes if size != 1), 1) for sizes in zip(*aligned, strict=True)
    )
