"""A chain's kernels: those of its steps, for some rows of a matrix each.

Steps that do the same for every row take the matrix by blocks of rows, so that the scores of a
block stay near the core from one to the next; a sum over rows (a key's gradient) follows when all
rows are done. Where a causal mask hides scores, rows are cut into stripes, each as wide as its last
row sees; sums over rows are cut by columns, and begin where a column is first seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .kernel import Access, Chain, Gemm, Loop, Part
from .plan import Step
from .slices import Block, Unfit, block_of, by_rows, sliced, with_accesses

# Bytes of scores that a thread keeps at a time; and rows for which a product's operand is packed
# anew. (Less memory, which would fit the second-level cache, is no faster: packing costs more.)
NEAR, LEAST_ROWS = 4 << 20, 128
# A stripe of a causal matrix has so many rows at least. Each stripe is more code to compile (0.2 s
# for all of a gradient's): four leave out three eighths of the work, eight of a long matrix 0.44.
STRIPE_ROWS, FEW_STRIPES, MANY_STRIPES, LONG = 32, 4, 8, 1024
# Blocks enough for the threads of a large machine.
MANY_BLOCKS = 16


@dataclass(frozen=True, slots=True)
class Family:
    """`count` matrices of `rows` times `columns` scores of `size` bytes, one after the other."""

    count: int
    rows: int
    columns: int
    size: int

    @property
    def nbytes(self) -> int:
        """Of all matrices."""
        return self.count * self.matrix

    @property
    def matrix(self) -> int:
        """Bytes of one."""
        return self.rows * self.columns * self.size

    def stripes(self) -> list[tuple[int, int]]:
        """(begin, end) of the stripes of a causal matrix."""
        most = MANY_STRIPES if self.rows >= LONG else FEW_STRIPES
        count = min(max(self.rows // STRIPE_ROWS, 1), most)
        bounds = [self.rows * n // count for n in range(count + 1)]
        return list(zip(bounds, bounds[1:]))


@dataclass(frozen=True, slots=True)
class Member:
    """A step of a family.

    Attributes:
        step: its number.
        block: its work for one matrix.
        place: the dimensions of the block's kernel that are the scores' rows and columns.
        buffers: (buffer, byte offset) of each of the block's arguments.
    """

    step: int
    block: Block
    place: tuple[int, int]
    buffers: list[tuple[int, int]]
    event: int

    @property
    def sums_rows(self) -> bool:
        """Whether it needs all of the rows at once."""
        return isinstance(self.block.kernel, Gemm) and self.place[0] == 2


def chain_of(family: Family, members: Sequence[Member], inside: set[int], causal: bool) -> Step:
    """The step that does what the members do.

    Args:
        inside: the score buffers that only these members use.
        causal: whether to leave out what a causal mask hides.
    """
    whole = {b for m in members if m.sums_rows for b, _ in m.buffers if b in inside}
    writer = _Writer(family, sorted(inside), whole)
    rows = [m for m in members if not m.sums_rows]
    sums = [m for m in members if m.sums_rows]
    if causal:
        writer.stripes(rows, sums)
    else:
        writer.blocks(rows, sums)
    return writer.step(members[-1].event)


class _Writer:
    """The groups of one chain.

    Args:
        inside: the score buffers that become scratch memory.
        whole: those of them that hold all rows of a matrix.
    """

    def __init__(self, family: Family, inside: list[int], whole: set[int]):
        self._family, self._whole = family, whole
        self._scratch = {buffer: -1 - n for n, buffer in enumerate(inside)}
        self._bytes: dict[int, int] = {}
        self._arguments: dict[tuple[int, int], int] = {}
        self._groups: list[tuple[int, tuple[Part, ...]]] = []
        self._blocks = family.count

    def stripes(self, rows: Sequence[Member], sums: Sequence[Member]) -> None:
        """Groups that leave out what is hidden; `rows` and `sums` as in `blocks`."""
        family = self._family
        for begin, end in family.stripes():
            width = min(end, family.columns)
            parts = []
            for member in rows:
                row, column = member.place
                kernel = sliced(member.block.kernel, row, begin, end - begin)
                kernel = self._moved(member, sliced(kernel, column, 0, width), begin)
                parts.append(self._part(member, kernel, (end - begin) * family.columns))
            self._groups.append((1, tuple(parts)))
        for begin, end in family.stripes():
            end = min(end, family.columns)
            parts = []
            for member in sums if begin < end else ():
                row, column = member.place
                kernel = sliced(member.block.kernel, row, begin, family.rows - begin)
                kernel = sliced(kernel, column, begin, end - begin)
                parts.append(self._part(member, kernel, 0))
            if parts:
                self._groups.append((1, tuple(parts)))

    def _moved(self, member: Member, kernel: Loop | Gemm, begin: int) -> Loop | Gemm:
        """The kernel with scratch memory that holds no rows before `begin`."""

        def change(x: Access, _: tuple[int, ...]) -> Access:
            buffer = member.buffers[x.argument][0]
            if buffer not in self._scratch or buffer in self._whole:
                return x
            return replace(x, offset=x.offset - begin * self._family.columns)

        return with_accesses(kernel, change)

    def blocks(self, rows: Sequence[Member], sums: Sequence[Member]) -> None:
        """Groups of all work.

        Args:
            rows: members that can take some rows after others.
            sums: members that follow when all rows are done.
        """
        family = self._family
        times = self._times(rows)
        try:
            parts = [self._repeated(member, times) for member in rows]
        except Unfit:
            times = 1
            parts = [self._repeated(member, times) for member in rows]
        if parts and not sums and family.count < MANY_BLOCKS:
            parts = [_without_repetition(part, times) for part in parts]
            self._blocks, times = family.count * times, 1
        if parts:
            self._groups.append((times, tuple(parts)))
        if sums:
            self._groups.append((1, tuple(self._part(m, m.block.kernel, 0) for m in sums)))

    def _times(self, rows: Sequence[Member]) -> int:
        """How many blocks a matrix's rows make."""
        family = self._family
        if any(m.place[0] != 0 for m in rows):
            return 1
        used = {b for m in rows for b, _ in m.buffers if b in self._scratch}
        for times in range(1, family.rows // LEAST_ROWS + 1):
            if family.rows % times == 0 and family.matrix // times * len(used) <= NEAR:
                return times
        return max([t for t in range(1, family.rows // LEAST_ROWS + 1) if family.rows % t == 0],
                   default=1)  # fmt: skip

    def _repeated(self, member: Member, times: int) -> Part:
        """A member's part for a block of rows."""
        family = self._family
        if times == 1:
            return self._part(member, member.block.kernel, family.rows * family.columns)
        block = block_of(by_rows(member.block.kernel, times), times)
        strides = [step for _, (step,) in block.arguments]
        buffers = [member.buffers[argument] for argument, _ in block.arguments]
        lead = tuple((x, member.block.arguments[x][1]) for x, _ in block.arguments)
        inner = Member(
            member.step, Block(block.kernel, lead, member.block.sizes), member.place, buffers,
            member.event,
        )  # fmt: skip
        elements = family.rows // times * family.columns
        return self._part(inner, block.kernel, elements, strides)

    def _part(
        self, member: Member, kernel: Loop | Gemm, elements: int,
        steps: Sequence[int] | None = None,
    ) -> Part:  # fmt: skip
        """A member's part.

        Args:
            elements: of the scores it works on, where scratch memory holds no more.
            steps: each argument's bytes from one repetition to the next.
        """
        family, block = self._family, member.block
        arguments = []
        for place, (buffer, offset) in enumerate(member.buffers):
            strides = block.arguments[place][1]
            step = steps[place] if steps else 0
            if buffer in self._scratch:
                argument, strides = self._scratch[buffer], (0,) * len(strides)
                whole = buffer in self._whole
                step = step if whole else 0
                size = family.matrix if whole else elements * family.size
                self._bytes[argument] = max(size, self._bytes.get(argument, 0))
            else:
                key = buffer, offset
                argument, offset = self._arguments.setdefault(key, len(self._arguments)), 0
            arguments.append((argument, offset, (*strides, step)))
        return Part(kernel, tuple(arguments), block.sizes)

    def step(self, event: int) -> Step:
        """The chain on its buffers."""
        scratch = tuple(self._bytes[argument] for argument in sorted(self._bytes, reverse=True))
        chain = Chain(self._blocks, tuple(self._groups), scratch)
        return Step(chain, tuple(self._arguments), event, False)


def _without_repetition(part: Part, times: int) -> Part:
    """A part whose repetitions are blocks."""
    arguments = tuple((a, offset, (*strides, 0)) for a, offset, strides in part.arguments)
    return Part(part.kernel, arguments, (*part.sizes, times))
