"""Anomaly mode: which line of the forward pass made the gradient go wrong."""

from __future__ import annotations

import numpy as np

from ..base.callers import warn_user
from .mode import mode
from .node import Node
from .tensor import Tensor

_OWN = ("/flambeau/_engine/", "/flambeau/_ops/", "/flambeau/_tensor/")


def checked(node: Node, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
    """Run a node; on an error or a NaN, say where its forward was called.

    Raises:
        RuntimeError: the node gave NaN although what it got had none.
    """
    try:
        results = node.apply(grads)
    except Exception:
        _tell(node)
        raise
    if mode.anomaly_check_nan:
        for index, result in enumerate(results):
            if result is not None and np.isnan(result._array).any():
                _tell(node)
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {index}th output."
                )
    return results


def _tell(node: Node) -> None:
    if node.stack is None:
        warn_user(
            f"Error detected in {node.name()}. No forward pass information available. Enable "
            "detect anomaly during forward pass for more information.",
        )
        return
    warn_user(
        f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n"
        + "".join(user_frames(node.stack)),
    )


def user_frames(stack: list[str]) -> list[str]:
    """The frames up to the user's own line: flambeau's inner ones are left out."""
    end = len(stack)
    while end and any(part in stack[end - 1].splitlines()[0] for part in _OWN):
        end -= 1
    return stack[:end] or stack
