"""An exception of a worker, on its way to the main process."""

from __future__ import annotations

import pickle
import sys
import traceback
from typing import NoReturn


class _RawText(str):
    """Text that KeyError shows as it is; KeyError shows the repr of its argument."""

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """The exception being handled: its type, and its traceback as text.

    Args:
        where: the place to name in the message, e.g. "in DataLoader worker process 0".
    """

    def __init__(self, where: str) -> None:
        error = sys.exception()
        assert error is not None, "ExceptionWrapper is made in an except block"
        self.exc_type: type[BaseException] = type(error)
        self.exc_msg = "".join(traceback.format_exception(error))
        self.message = f"Caught {type(error).__name__} {where}.\nOriginal {self.exc_msg}"
        if not _can_travel(self.exc_type):
            self.exc_type = RuntimeError

    def reraise(self) -> NoReturn:
        """Raise it here, its message extended by the original traceback.

        A RuntimeError stands in for a type that cannot be made from one message.
        """
        text = _RawText(self.message) if self.exc_type is KeyError else self.message
        try:
            error = self.exc_type(text)
        except Exception:
            error = RuntimeError(text)
        try:
            raise error
        finally:
            del error  # or this frame and the exception would keep each other alive


def _can_travel(kind: type) -> bool:
    """Whether another process finds this class by its name."""
    try:
        return pickle.loads(pickle.dumps(kind)) is kind
    except Exception:
        return False
