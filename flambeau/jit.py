"""The compiler's switch: `off`, `auto` (compile what repeats, the default) or `force`.

Nothing has to be called for a loop to be compiled. These functions are for comparing, for
debugging, and for regions that should stay eager.
"""

from __future__ import annotations

from types import TracebackType

from ._engine.trace.hub import HUB

__all__ = ["disabled", "get_mode", "set_mode"]


def set_mode(mode: str) -> None:
    """Switch the compiler for the whole process.

    Args:
        mode: "off": everything eager. "auto": compile segments that repeat. "force": compile at
            first sight, for tests.

    Raises:
        ValueError: another word.
    """
    HUB.set_mode(mode)


def get_mode() -> str:
    """The compiler's mode: "off" where there is no llvmlite to compile with."""
    return HUB.mode


class disabled:
    """A region, entered with `with`, in which this thread runs everything eagerly.

    >>> with disabled():
    ...     flambeau.ones(2).sum().item()
    2.0
    """

    def __enter__(self) -> None:
        tracer = HUB.tracer()
        tracer.settle("jit.disabled()")
        tracer.off += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        HUB.tracer().off -= 1
