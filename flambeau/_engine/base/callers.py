"""The user's line: the first frame outside of flambeau, for warnings and for `explain`."""

from __future__ import annotations

import os
import sys
import warnings
from types import FrameType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_USERS = _PACKAGE + "_demo" + os.sep  # a program like any other
_WRITTEN = ("<guard>", "<finish>")  # code that the tracer writes


def _own(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name in _WRITTEN or (name.startswith(_PACKAGE) and not name.startswith(_USERS))


def user_line() -> str:
    """`file:line` of the innermost call from outside the package; empty where there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _own(frame):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def warn_user(text: str, category: type[Warning] = UserWarning) -> None:
    """`warnings.warn`, as if the user's own line had called it, however deep this is called."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and _own(frame):
        frame = frame.f_back
        level += 1
    warnings.warn(text, category, stacklevel=level)
