"""Rows' values that a later stage needs again: kept, where computing them anew would cost more.

Lowering writes every stage from the inputs on: softmax's last stage has the exponential that its
sum already took. Such values get memory of their own, one row long, which stays in the nearest
cache. In the kernel that this makes they are arguments with negative numbers.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..loops.kernel import Access, Instruction, Loop, Stage
from .maths import COSTS
from .types import KINDS

KEPT_BYTES = 32768  # the most that is kept of a row, all values together
_WORTH = 8  # the least that a value must cost to compute, in vector instructions
_JUMP = 12  # what a vector costs whose elements are gathered

Kept = dict[int, Access]  # by the number of a value: equal values have equal numbers


def kept_rows(kernel: Loop, rows: int = 1, axis: int | None = None) -> tuple[Loop, tuple[str, ...]]:
    """The kernel with costly values kept between stages, and the dtypes of arguments -1, -2 ...

    Each of them is memory for as many elements as a row has, times `rows`.

    Args:
        rows: how many rows are worked on at a time, side by side in vectors.
        axis: the dimension that vectors run along, if it is an outer one: loads that jump
            along it are costly too.
    """
    stored: set[int] = set()  # arguments that earlier stages have stored to
    names: dict[tuple, int] = {}
    numbers = []
    for stage in kernel.stages:
        numbers.append(_numbered(stage.body, names, stored))
        stored |= {access.argument for access, _ in (*stage.stores, *stage.row_stores)}
    first: dict[int, int] = {}  # the stage that computes a value first
    kept: Kept = {}
    room = KEPT_BYTES
    for place, stage in enumerate(kernel.stages):
        for position in _again(stage, numbers[place], first, axis):
            dtype = stage.body[position].dtype
            size = rows * math.prod(kernel.inner) * KINDS[dtype].itemsize
            if numbers[place][position] not in kept and size <= room:
                room -= size
                kept[numbers[place][position]] = _access(kernel, len(kept), dtype)
        for number in numbers[place]:
            first.setdefault(number, place)
    if not kept:
        return kernel, ()
    stages = tuple(
        _rewritten(stage, numbers[place], kept, {n for n in kept if first[n] == place})
        for place, stage in enumerate(kernel.stages)
    )
    return replace(kernel, stages=stages), tuple(access.dtype for access in kept.values())


def _numbered(
    body: tuple[Instruction, ...], names: dict[tuple, int], stored: set[int]
) -> list[int]:
    """A number for each value: the same for the same computation, in any stage."""
    out: list[int] = []
    for position, one in enumerate(body):
        key: tuple = (one.name, tuple(out[o] for o in one.operands), one.dtype, one.detail)
        if one.name == "load" and one.detail.argument in stored:
            key = (id(body), position)  # may have changed: equal to nothing else
        out.append(names.setdefault(key, len(names)))
    return out


def _again(stage: Stage, numbers: list[int], first: dict[int, int], axis: int | None) -> list[int]:
    """Positions of the values that an earlier stage has computed at some cost.

    Only those that the stage's results need, and of these the last in their chains.
    """
    found: list[int] = []
    waiting = _results(stage)
    seen: set[int] = set()
    while waiting:
        position = waiting.pop()
        if position in seen:
            continue
        seen.add(position)
        if numbers[position] in first and _cost(stage.body, position, axis) >= _WORTH:
            found.append(position)
        else:
            waiting.extend(stage.body[position].operands)
    return sorted(found)


def _results(stage: Stage) -> list[int]:
    return [position for _, position in stage.stores] + [r.value for r in stage.reductions]


def _cost(body: tuple[Instruction, ...], position: int, axis: int | None) -> int:
    cost = 0
    for one in (body[p] for p in _closure(body, [position])):
        jumps = one.name == "load" and axis is not None and one.detail.strides[axis] not in (0, 1)
        cost += _JUMP if jumps else COSTS.get(one.name, 1)
    return cost


def _closure(body: tuple[Instruction, ...], positions: list[int]) -> list[int]:
    """The positions that some values are computed from, theirs among them, in order."""
    needed = set(positions)
    for position in range(len(body) - 1, -1, -1):
        if position in needed:
            needed.update(body[position].operands)
    return sorted(needed)


def _access(kernel: Loop, count: int, dtype: str) -> Access:
    strides = [math.prod(kernel.inner[d + 1 :]) for d in range(len(kernel.inner))]
    return Access(-1 - count, dtype, (*(0 for _ in kernel.outer), *strides))


def _rewritten(stage: Stage, numbers: list[int], kept: Kept, mine: set[int]) -> Stage:
    """The stage that stores the kept values `mine`, and loads the others."""
    body = [
        Instruction("load", (), one.dtype, kept[number])
        if number in kept and number not in mine
        else one
        for one, number in zip(stage.body, numbers, strict=True)
    ]
    stores = [(kept[number], numbers.index(number)) for number in kept if number in mine]
    whole = replace(stage, body=tuple(body), stores=(*stage.stores, *stores))
    needed = _closure(whole.body, _results(whole))
    moved = {position: new for new, position in enumerate(needed)}
    return replace(
        whole,
        body=tuple(
            replace(body[p], operands=tuple(moved[o] for o in body[p].operands)) for p in needed
        ),
        stores=tuple((access, moved[p]) for access, p in whole.stores),
        reductions=tuple(replace(r, value=moved[r.value]) for r in stage.reductions),
    )
