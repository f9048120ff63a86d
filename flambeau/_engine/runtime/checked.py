"""Programs that look at what they are given: for tests, and where FLAMBEAU_DEBUG is set."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from ..base.telling import CODE, GRAPHS, KERNELS, TIMES, tell, tells
from ..graph.ir import Graph, Value
from ..graph.printer import text_of
from ..llvm.host import detect
from ..loops.plan import Plan, Step
from . import kernels
from .program import Program


class CheckedProgram(Program):
    """A program that refuses arrays for which it was not made, instead of reading past them.

    It also says what FLAMBEAU_DEBUG asks for, see `base.telling`.
    """

    def __init__(self, plan: Plan, graph: Graph, name: str = ""):
        if tells(GRAPHS):
            tell(GRAPHS, f"graph of {name}:\n{text_of(graph)}")
        super().__init__(plan, name)
        self._graph = graph
        if tells(KERNELS):
            self._tell_kernels()
        if tells(TIMES):
            self.profile(True)

    def _tell_kernels(self) -> None:
        steps = self.plan.steps
        scratch = self.plan.arena_bytes
        tell(KERNELS, f"kernels of {self.name}: {len(steps)}, {scratch} bytes of scratch memory")
        host = detect()
        for position, (step, facts) in enumerate(zip(steps, self.describe(), strict=True)):
            tell(KERNELS, f"  {position}: {facts.kind} {facts.text}")
            if tells(CODE) and isinstance(step, Step):
                tell(CODE, kernels.text_of(step.kernel, host))

    def _tell_times(self, seconds: float) -> None:
        tell(TIMES, f"{self.name} took {1e6 * seconds:.1f} us")
        for facts, nanoseconds in zip(self.describe(), self.times.tolist(), strict=True):
            tell(TIMES, f"  {nanoseconds / 1e3:9.1f} us  {facts.kind} {facts.text}")
        self.times[:] = 0

    def run(self, inputs: Sequence[np.ndarray], numbers: Sequence[float] = ()) -> list[np.ndarray]:
        """As `Program.run`.

        Raises:
            ValueError: an input has another shape, dtype or strides than the graph's, cannot be
                written to, or shares memory in a way that the graph does not name; or the
                numbers are not as many.
        """
        graph = self._graph
        if len(inputs) != len(graph.inputs) or len(numbers) != graph.numbers:
            raise ValueError(f"{len(inputs)} inputs and {len(numbers)} numbers for {self.name!r}")
        written = {target for target, _ in graph.updates}
        for position, (value, array) in enumerate(zip(graph.inputs, inputs, strict=True)):
            problem = _difference(value, array)
            if value in written and not array.flags.writeable:
                problem = "cannot be written to"
            if problem:
                raise ValueError(f"input {position} of program {self.name!r} {problem}")
        self._check_sharing(inputs, written)
        if not tells(TIMES):
            return super().run(inputs, numbers)
        start = perf_counter()
        outputs = super().run(inputs, numbers)
        self._tell_times(perf_counter() - start)
        return outputs

    def _check_sharing(self, inputs: Sequence[np.ndarray], written: set[Value]) -> None:
        named = [set(group) for group in self._graph.notes.get("shared", ())]
        for i, (value, array) in enumerate(zip(self._graph.inputs, inputs, strict=True)):
            for j, other in enumerate(inputs):
                if i == j or value not in written or any({i, j} <= group for group in named):
                    continue
                if np.may_share_memory(array, other):
                    raise ValueError(f"inputs {i} and {j} of program {self.name!r} share memory")


def _difference(value: Value, array: np.ndarray) -> str:
    """How an array differs from what a program was made for; empty where it does not."""
    if array.shape != value.shape or array.dtype != value.dtype:
        made_for = f"{value.dtype}{list(value.shape)}"
        return f"is {array.dtype}{list(array.shape)}, but it was made for {made_for}"
    if value.strides is None:
        return "" if array.flags.c_contiguous else "is not C-contiguous"
    strides = tuple(stride * array.itemsize for stride in value.strides)
    steps = zip(array.shape, array.strides, strides, strict=True)
    same = array.size == 0 or all(size == 1 or a == b for size, a, b in steps)
    return "" if same else f"has strides {array.strides}, but it was made for {strides}"
