"""Compiled programs at run time: native code, buffers, threads, and the cache on disk.

    program     a plan that runs as one native call; callbacks: what it leaves to Python
    frames      what a run works on; layout: its words, which native code reads
    executor    the native code that all programs share; workers: what threads of the pool run
    threads     the thread pool
    kernels     each kernel's code, compiled once; native: LLVM; cache: object code on disk
    hazards     what has to be saved so that a run that fails leaves no trace
    objects     what native code may read of Python's objects by itself
    statistics  what steps are, and how long they take; checked: programs for debugging
    costs       what compiling has cost; peaks: what this machine can do

This module imports without llvmlite; `compile_graph` needs it, see `available`.
"""

from __future__ import annotations

import re
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING

from ..base import config
from ..graph.ir import Graph
from .costs import COSTS

if TYPE_CHECKING:
    from .program import Program

__all__ = ["available", "compile_graph"]

_LLVMLITE = 0, 46  # the first that writes all of its text with untyped pointers


@cache
def available() -> bool:
    """Whether programs can be compiled here: a new enough llvmlite, and memory may hold code."""
    try:
        import llvmlite
        import llvmlite.binding as binding

        binding.check_jit_execution()
    except (ImportError, OSError, RuntimeError):
        return False
    numbers = re.findall(r"\d+", llvmlite.__version__)
    return tuple(map(int, numbers[:2])) >= _LLVMLITE


def compile_graph(graph: Graph, name: str = "") -> Program:
    """A program that computes a graph; call `run` on it as often as there are inputs.

    Args:
        name: for people, in messages and in `explain()`.

    Raises:
        RuntimeError: nothing can be compiled here, see `available`.
    """
    if not available():
        raise RuntimeError("programs cannot be compiled: no llvmlite >= 0.46 that may run code")
    from ..llvm.body import supports
    from ..loops.capabilities import Capabilities
    from ..loops.lower import plan_of
    from .checked import CheckedProgram
    from .program import Program

    start = perf_counter()
    plan = plan_of(graph, Capabilities(elementwise=supports))
    lowered, inside = perf_counter(), COSTS.emitting + COSTS.llvm
    program = CheckedProgram(plan, graph, name) if config.DEBUG else Program(plan, name)
    COSTS.programs += 1
    COSTS.lowering += lowered - start
    COSTS.loading += perf_counter() - lowered - (COSTS.emitting + COSTS.llvm - inside)
    return program
