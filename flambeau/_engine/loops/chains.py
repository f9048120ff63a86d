"""Chains: matrices that one product makes and the next one uses up need no memory of their own.

softmax(Q K') V is a product, a kernel over rows, and a product; its gradient two more products, a
kernel over rows, and three products. All do the same for each matrix of a batch. Where the matrix
of scores between them is nothing but theirs, they become one kernel that takes a matrix, or some of
its rows, through all of them before it begins with the next (see `kernel.Chain`, `chain_parts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from .chain_parts import Family, Member, chain_of
from .kernel import Access, Gemm, Loop
from .masked import Hidden
from .plan import ARENA, Buffer, Callback, Step
from .slices import Block, Unfit, accesses_of, block_of, dimensions

# Fewer matrices than so many are too few to divide work by: their rows are needed for that.
FEW = 4

Steps = list[tuple[Step | Callback, list[int]]]


def chained(steps: Steps, buffers: Sequence[Buffer], parents: dict[int, int]) -> Steps:
    """Steps, each with the buffers it uses, with chains in place of what they are made of.

    Args:
        parents: the buffers that others are another name of.
    """
    for family in _families(steps, buffers):
        steps = _Search(steps, buffers, parents, family).chained()
    return steps


def _families(steps: Steps, buffers: Sequence[Buffer]) -> list[Family]:
    """The shapes of batches of products in the program's own memory; large ones first."""
    found: dict[Family, None] = {}
    for step, _ in steps:
        if isinstance(step, Callback) or not isinstance(step.kernel, Gemm):
            continue
        kernel = step.kernel
        size = np.dtype(kernel.dtype).itemsize
        family = Family(prod(kernel.batch), kernel.m, kernel.n, size)
        if min(family.count, family.rows, family.columns) < 2:
            continue
        if any(buffers[step.arguments[a.argument][0]].kind == ARENA for a, _ in kernel.stores):
            found[family] = None
    return sorted(found, key=lambda family: -family.rows * family.columns)


class _Search:
    """The chains of one family.

    Attributes:
        scores: the buffers of its matrices.
        members: the steps that work on them.
    """

    def __init__(
        self, steps: Steps, buffers: Sequence[Buffer], parents: dict[int, int], family: Family
    ):
        self._steps, self._family, self._parents = steps, family, parents
        self._buffers = buffers
        self._touched = [set(used) for _, used in steps]
        self._written = [self._writes(step, used) for step, used in steps]
        self._users: dict[int, list[int]] = {}
        for number, used in enumerate(self._touched):
            for buffer in used:
                self._users.setdefault(buffer, []).append(number)
        self._blocks: dict[int, Block | None] = {}
        shared = {*parents, *parents.values()}
        self.scores = {
            b for b in self._users
            if buffers[b].kind == ARENA and buffers[b].nbytes == family.nbytes and b not in shared
            and sum(b in self._written[number] for number in self._users[b]) == 1
        }  # fmt: skip
        self.members: list[Member] = []
        self._find_members()

    def _writes(self, step: Step | Callback, used: list[int]) -> set[int]:
        """The buffers that a step writes to; all that it uses where that is not looked into."""
        if isinstance(step, Callback) or not isinstance(step.kernel, Gemm | Loop):
            return set(used)
        stores = [access for access, _, is_store in accesses_of(step.kernel) if is_store]
        found = {step.arguments[access.argument][0] for access in stores}
        return {self._parents.get(buffer, buffer) for buffer in found}

    def _find_members(self) -> None:
        """All steps that use a score buffer must fit, or it is none."""
        while True:
            users = sorted({n for buffer in self.scores for n in self._users[buffer]})
            found = [(number, self._member(number)) for number in users]
            misfits = {number for number, member in found if member is None}
            wrong = {b for b in self.scores if not misfits.isdisjoint(self._users[b])}
            if not wrong:
                self.members = [member for _, member in found if member is not None]
                return
            self.scores -= wrong

    def _member(self, number: int) -> Member | None:
        """A step as a member; None if it does not take its matrices one by one."""
        step = self._steps[number][0]
        if isinstance(step, Callback) or not isinstance(step.kernel, Gemm | Loop):
            return None
        if number not in self._blocks:
            try:
                self._blocks[number] = block_of(step.kernel, self._family.count)
            except Unfit:
                self._blocks[number] = None
        block = self._blocks[number]
        if block is None:
            return None
        arguments = [step.arguments[argument] for argument, _ in block.arguments]
        places = {
            self._place(block, access, dims, arguments[access.argument][1])
            for access, dims, _ in accesses_of(block.kernel)
            if arguments[access.argument][0] in self.scores
        }
        place = places.pop() if len(places) == 1 else None
        if place is None or (isinstance(block.kernel, Loop) and place != (0, 1)):
            return None
        return Member(number, block, place, arguments, step.event)

    def _place(
        self, block: Block, access: Access, dims: tuple[int, ...], offset: int
    ) -> tuple[int, int] | None:
        """Which dimensions are the rows and the columns of the matrix that an access is to."""
        family = self._family
        strides = block.arguments[access.argument][1]
        expected = family.nbytes // family.count
        for size, stride in zip(reversed(block.sizes), reversed(strides), strict=True):
            if size > 1 and stride != expected:
                return None
            expected *= size
        if offset or access.offset or sorted(access.strides) != [1, family.columns]:
            return None
        outer, inner = dimensions(block.kernel)
        sizes = (*outer, *inner)
        row, column = (dims[access.strides.index(s)] for s in (family.columns, 1))
        fits = (sizes[row], sizes[column]) == (family.rows, family.columns)
        return (row, column) if fits else None

    # --- chains ----------------------------------------------------------------------------

    def chained(self) -> Steps:
        """The steps with this family's chains."""
        causal = self._hides()
        taken: dict[int, Step | None] = {}
        for run in self._runs():
            own = {m.step for m in run}
            inside = {b for b in self.scores if own.issuperset(self._users[b])}
            few = self._family.count < FEW and any(m.sums_rows for m in run)
            if few or (not inside and not causal):
                continue
            taken.update(dict.fromkeys(own, None))
            taken[run[-1].step] = chain_of(self._family, run, inside, causal)
            for buffer in inside:  # no longer memory of the program's
                self._buffers[buffer].nbytes = self._buffers[buffer].offset = 0
        if not taken:
            return self._steps
        out: Steps = []
        for number, (step, used) in enumerate(self._steps):
            if number not in taken:
                out.append((step, used))
                continue
            chain = taken[number]
            if chain is not None:
                used = [self._parents.get(buffer, buffer) for buffer, _ in chain.arguments]
                out.append((chain, used))
        return out

    def _hides(self) -> bool:
        """Whether a causal mask hides scores that nothing needs."""
        hidden = Hidden()
        family = self._family
        if not self.members or family.columns > family.rows or family.count < FEW:
            return False
        for member in self.members:

            def score(access: Access, member: Member = member) -> int | None:
                buffer = member.buffers[access.argument][0]
                return buffer if buffer in self.scores else None

            if not hidden.pass_over(member.block.kernel, member.place, score):
                return False
        return True

    def _runs(self) -> list[list[Member]]:
        """Members that may be done together, where the last one of them stood."""
        runs: list[list[Member]] = []
        for member in self.members:
            if runs and all(self._may_join(m.step, member.step, runs[-1]) for m in runs[-1]):
                runs[-1].append(member)
            else:
                runs.append([member])
        return runs

    def _may_join(self, early: int, late: int, run: list[Member]) -> bool:
        """Whether a step of a run may wait for a later one, and be done block by block with it."""
        if self._clash(early, late) - self.scores:
            return False
        own = {m.step for m in run}
        return not any(self._clash(early, n) for n in range(early + 1, late) if n not in own)

    def _clash(self, a: int, b: int) -> set[int]:
        """The buffers for whose sake two steps have an order."""
        both = self._touched[a] & self._touched[b] & (self._written[a] | self._written[b])
        return {buffer for buffer in both if not self._apart(a, b, buffer)}

    def _apart(self, a: int, b: int, buffer: int) -> bool:
        """Whether two steps do nothing there but write different pieces of a concatenation."""
        one, other = (self._pieces(number, buffer) for number in (a, b))
        return bool(one and other) and one.isdisjoint(other)

    def _pieces(self, number: int, buffer: int) -> set[int]:
        """The pieces of a buffer that a step writes, if that is all it does there."""
        step = self._steps[number][0]
        if isinstance(step, Callback) or not isinstance(step.kernel, Gemm | Loop):
            return set()
        found = set()
        for access, _, is_store in accesses_of(step.kernel):
            name = step.arguments[access.argument][0]
            if self._parents.get(name, name) == buffer:
                if not is_store or name == buffer:
                    return set()
                found.add(name)
        return found
