"""Run NumPy without its floating-point warnings, and without changing the user's settings.

PyTorch gives inf and nan silently. `np.errstate` does the same for about a microsecond a use;
setting the context variable behind it with a prepared value costs a tenth of that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from numpy._core.umath import _extobj_contextvar, _make_extobj

    _SETTING: Any = _make_extobj(all="ignore")
    enter = _extobj_contextvar.set
    leave = _extobj_contextvar.reset
except (ImportError, TypeError):  # another NumPy: the public way, slower
    _SETTING = None

    def enter(setting: Any) -> Any:
        """Silence; returns what `leave` needs."""
        state = np.errstate(all="ignore")
        state.__enter__()
        return state

    def leave(token: Any) -> None:
        """Restore what was before `enter`."""
        token.__exit__(None, None, None)


SETTING = _SETTING
