"""What kernels compute where a causal mask hides: whether those points may be left out.

Attention's scores are -inf there and its weights 0, and so is the gradient of the scores: no sum
and no maximum of a row changes without them, nor a product over them. (Were a hidden value not
finite, 0 times it would be NaN: as in PyTorch's kernels, it does not get that far.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from .kernel import Access, Gemm, Instruction, Loop

# a reduction does not change by more of these
_NEUTRAL = {"sum": 0.0, "amax": -inf}


class Hidden:
    """The values of score matrices at hidden points, learned kernel by kernel.

    Attributes:
        values: by buffer; None for what is not known.
    """

    def __init__(self) -> None:
        self.values: dict[int, Any] = {}

    def pass_over(
        self, kernel: Loop | Gemm, place: tuple[int, int], score: Callable[[Access], int | None]
    ) -> bool:
        """Whether a kernel, the next one, may leave out hidden points.

        Args:
            kernel: of one matrix.
            place: the dimensions that are the matrix's rows and columns.
            score: the matrix's buffer that an access is to; None for other memory.
        """
        if isinstance(kernel, Gemm) and 2 in place:  # the sum runs over rows or columns
            operands = [score(kernel.a), score(kernel.b)]
            return all(self.values.get(b) == 0 for b in operands if b is not None)
        if isinstance(kernel, Gemm):
            found = self._evaluate(kernel.epilogue, place, score)
            return self._store(kernel.stores, found, score)
        for stage in kernel.stages:
            found = self._evaluate(stage.body, place, score)
            neutral = all(_NEUTRAL.get(r.kind, inf) == found[r.value] for r in stage.reductions)
            if not neutral or not self._store(stage.stores, found, score):
                return False
        return True

    def _store(
        self, stores: Sequence[tuple[Access, int]], found: list[Any],
        score: Callable[[Access], int | None],
    ) -> bool:  # fmt: skip
        for access, place in stores:
            buffer = score(access)
            if buffer is None:
                return False
            self.values[buffer] = found[place]
        return True

    def _evaluate(
        self, body: Sequence[Instruction], place: tuple[int, int],
        score: Callable[[Access], int | None],
    ) -> list[Any]:  # fmt: skip
        """A body's values at a hidden point; None for what is not known."""
        found: list[Any] = []
        for x in body:
            if x.name == "load":
                buffer = score(x.detail)
                found.append(None if buffer is None else self.values.get(buffer))
            elif x.name == "constant":
                found.append(x.detail)
            else:
                found.append(_value(x, [found[o] for o in x.operands], body, place))
        return found


def _value(
    x: Instruction, operands: list[Any], body: Sequence[Instruction], place: tuple[int, int]
) -> Any:
    sources = [body[o] for o in x.operands]
    if x.name == "ge" and [s.name for s in sources] == ["index", "index"]:
        return False if tuple(s.detail for s in sources) == place else None
    if x.name == "where" and operands[0] is not None:
        return operands[1] if operands[0] else operands[2]
    if x.name == "mul" and 0 in operands:
        return 0.0
    # a row's maximum is finite, or the whole row is NaN
    if x.name == "sub" and operands[0] == -inf and sources[1].name == "row":
        return -inf
    if x.name == "exp" and operands[0] == -inf:
        return 0.0
    return None
