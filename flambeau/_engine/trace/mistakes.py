"""The compiler's own mistakes must not become the user's.

While something is compared, noted or compiled nothing has been promised yet, or all of it can still
be done eagerly. So whatever goes wrong there is one more reason to stay eager, which `explain`
tells; tests make it a failure.
"""

from __future__ import annotations

from typing import Any

from ..base import state
from .memory import Unrecordable


def reason_of(error: Exception) -> str:
    """Why something stays eager.

    Args:
        error: `Unrecordable`, which is about the user's program, or a mistake of the compiler's.

    Raises:
        error: it is a mistake, and `Hub.strict` wants them seen.
    """
    if isinstance(error, Unrecordable):
        return str(error)
    hub: Any = state.tracer
    if hub is not None and hub.strict:
        raise error
    return f"the compiler failed: {type(error).__name__}: {error}"
