"""Compiled programs at run time: native code, buffers, threads, and the cache on disk.

This module imports without llvmlite; `compile_graph` needs it, see `available`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ..base import config
from ..graph.ir import Graph

if TYPE_CHECKING:
    from .program import Program

__all__ = ["available", "compile_graph"]


@cache
def available() -> bool:
    """Whether programs can be compiled here: llvmlite imports, and memory may hold code."""
    try:
        import llvmlite.binding as binding

        binding.check_jit_execution()
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def compile_graph(graph: Graph, name: str = "") -> Program:
    """A program that computes a graph; call `run` on it as often as there are inputs.

    Args:
        name: for people, in messages and in `explain()`.

    Raises:
        RuntimeError: llvmlite is not there, see `available`.
    """
    if not available():
        raise RuntimeError("programs cannot be compiled: llvmlite is missing or may not run code")
    from ..loops.lower import plan_of
    from .checked import CheckedProgram
    from .program import Program

    plan = plan_of(graph)
    return CheckedProgram(plan, graph, name) if config.DEBUG else Program(plan, name)
