"""Native kernels with code of their own, in a table by the name of their primitive.

`loops.special` says which calls come here and how a Special describes them; docs of the single
algorithms are in the files, one family each.
"""

from __future__ import annotations

import llvmlite.ir as ir

from ...loops.kernel import Special
from ..host import Host
from . import (
    convolution,
    draws,
    lookups,
    moves,
    normals,
    pooling,
    resampling,
    scans,
    scatters,
    weight_gradient,
)
from .table import KERNELS
from .writer import Writer

__all__ = ["emit", "scratch_bytes", "tasks", "work"]


def emit(module: ir.Module, kernel: Special, name: str, host: Host) -> ir.Function:
    """The native function of a kernel (its signature is in `loops.kernel`)."""
    writer = Writer(module, kernel, name, host)
    KERNELS[kernel.name].emit(writer)
    return writer.finish()


def tasks(kernel: Special, host: Host) -> int:
    """How many pieces of work a kernel has; one that has nothing to do has none."""
    return KERNELS[kernel.name].tasks(kernel, host)


def work(kernel: Special) -> int:
    """About how many nanoseconds one core takes."""
    return KERNELS[kernel.name].work(kernel)


def scratch_bytes(kernel: Special, host: Host) -> int:
    """How much memory of its own each thread needs; its address follows the arguments'."""
    return KERNELS[kernel.name].scratch(kernel, host)
