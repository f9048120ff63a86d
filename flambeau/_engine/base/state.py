"""The one dispatch point's switches.

`on_op`, when set, receives every public op instead of the op's own function: autocast and (later)
the recorder interpose here. It is called as `on_op(descriptor, args, kwargs)` and goes on with
`_ops.declare.run`. None, the usual state, costs an op one comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

on_op: Callable[..., Any] | None = None
