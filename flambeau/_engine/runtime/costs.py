"""What compiling has cost this process so far, for `flambeau.explain()`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Costs:
    """Seconds and counts; only compiling adds to them.

    Attributes:
        programs: compiled.
        kernels: in them; each is `compiled` by LLVM, `read` from the cache on disk, or `shared`
            with a program before.
        lowering: seconds from graphs to kernels.
        emitting: seconds of writing LLVM IR.
        llvm: seconds from LLVM IR to object code.
        loading: seconds of the rest: cache files, linking, tables.
    """

    programs: int = 0
    kernels: int = 0
    compiled: int = 0
    read: int = 0
    lowering: float = 0.0
    emitting: float = 0.0
    llvm: float = 0.0
    loading: float = 0.0

    @property
    def shared(self) -> int:
        """Kernels that were there already."""
        return self.kernels - self.compiled - self.read

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.lowering + self.emitting + self.llvm + self.loading


COSTS = Costs()
