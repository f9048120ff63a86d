"""The table of kernels with code of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ...loops.kernel import Special
from ..host import Host
from .writer import Writer

Tasks = Callable[[Special, Host], int]
Work = Callable[[Special], int]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one primitive's kernels are made, divided and rated."""

    emit: Callable[[Writer], None]
    tasks: Tasks
    work: Work
    scratch: Tasks


KERNELS: dict[str, Kind] = {}


def register(
    *names: str, tasks: Tasks, work: Work, scratch: Tasks | None = None
) -> Callable[[Callable[[Writer], None]], Callable[[Writer], None]]:
    """Decorator: the function writes the kernels of these primitives.

    Args:
        tasks: how many pieces of work there are.
        work: about how many nanoseconds a kernel takes on one core.
        scratch: bytes of memory that each thread needs; none if None.
    """

    def add(emit: Callable[[Writer], None]) -> Callable[[Writer], None]:
        for name in names:
            if name in KERNELS:
                raise ValueError(f"two kernels for {name}")
            KERNELS[name] = Kind(emit, tasks, work, scratch or none)
        return emit

    return add


def one(kernel: Special, host: Host) -> int:
    """A kernel that is not divided."""
    return 1


def none(kernel: Special, host: Host) -> int:
    """A kernel without scratch memory."""
    return 0


def by_elements(each: float, argument: int | None = None) -> Work:
    """So many nanoseconds for each element of an argument, or of the largest one."""

    def work(kernel: Special) -> int:
        shapes = [shape for _, shape, _ in kernel.arguments]
        counted = shapes if argument is None else [shapes[argument]]
        return int(each * max(map(prod, counted)))

    return work
