"""Where the engine meets Python of the user's: it stops, asks, and goes on with the answer.

Hooks and custom functions are called between two stretches of a backward, never inside one. A
stretch is work of the engine's own, which may be recorded and replayed; what is asked for is run
every time, on tensors that may be pending.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from ..base import state
from .events import Event, happen
from .mode import mode
from .tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])

# The engine at work: it yields who is asked and the tensors given, is sent the answer, and returns
# its results.
Steps = Generator[tuple[Any, tuple], tuple, Any]


class Asked:
    """A question of the engine's.

    Attributes:
        owner: who answers, by its method `called`.
        given: the tensors that it is asked about.
        grad_mode: whether grad mode is on meanwhile.
        steps: the engine, waiting; None where a replay stands for it.
    """

    __slots__ = ("given", "grad_mode", "owner", "steps")

    def __init__(self, owner: Any, given: tuple, grad_mode: bool, steps: Steps | None):
        self.owner = owner
        self.given = given
        self.grad_mode = grad_mode
        self.steps = steps

    def answer(self) -> tuple:
        """Call what the question is for."""
        before = mode.grad
        mode.grad = self.grad_mode
        given, self.given = self.given, ()  # nobody is to be kept alive by a question
        try:
            return self.owner.called(given)
        finally:
            mode.grad = before


def advance(steps: Steps, grad_mode: bool, answer: tuple | None = None) -> Any:
    """Let the engine work up to its next question (an `Asked`), or to its results."""
    before = mode.grad
    mode.grad = grad_mode
    try:
        owner, given = steps.send(answer)  # type: ignore[arg-type]
    except StopIteration as finished:
        return finished.value
    finally:
        mode.grad = before
    return Asked(owner, given, grad_mode, steps)


def _proceed(asked: Asked, answer: tuple) -> Any:
    assert asked.steps is not None
    return advance(asked.steps, asked.grad_mode, answer)


PROCEED = Event("backward goes on", _proceed)


def answering(function: F) -> F:
    """Decorator: where the function returns a question it is answered, until there are results."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        while type(found) is Asked:
            found = happen(PROCEED, found, _answer(found))
        return found

    return call  # type: ignore[return-value]


def _answer(asked: Asked) -> tuple:
    if state.tracer is None:
        return asked.answer()
    with state.tracer.answering():
        return asked.answer()


# --- who answers ----------------------------------------------------------------------------------


class GradientHooks(dict):
    """Hooks that see a tensor's gradient and may replace it: a leaf's, or one of a result."""

    def called(self, given: tuple) -> tuple:
        """The gradient as the hooks leave it, in the order of their registration."""
        (grad,) = given
        for hook in list(self.values()):
            grad = _hooked(hook, grad)
        return (grad,)


class RetainedGradient(GradientHooks):
    """The hook that fills a result's `.grad`: it sees what the other hooks have made of it."""


class AccumulationHooks(dict):
    """Hooks that are called with a leaf when its `.grad` has grown."""

    def called(self, given: tuple) -> tuple:
        """Call them with the leaf.

        Raises:
            RuntimeError: a hook returned something.
        """
        (leaf,) = given
        for hook in list(self.values()):
            if hook(leaf) is not None:
                raise RuntimeError("Tensor post accumulate grad hooks should return None.")
        return ()


class Call:
    """A function of what is given, for hooks that no segment knows: those of the tape's nodes."""

    def __init__(self, function: Callable[[tuple], tuple]):
        self.called = function


def _hooked(hook: Any, grad: Tensor) -> Tensor:
    """What a tensor hook makes of a gradient.

    Raises:
        TypeError: it gave something that is no tensor.
        RuntimeError: it gave a tensor of another shape.
    """
    replaced = hook(grad)
    if replaced is None:
        return grad
    if not isinstance(replaced, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(replaced).__name__}'")
    before, after = grad.shape, replaced.shape  # type: ignore[attr-defined]
    if after != before:
        name = getattr(hook, "__name__", type(hook).__name__)
        raise RuntimeError(
            f"hook '{name}' has changed the size of value: from {list(before)} to {list(after)}"
        )
    return replaced


__all__ = [
    "PROCEED", "AccumulationHooks", "Asked", "Call", "GradientHooks", "RetainedGradient", "Steps",
    "advance", "answering",
]  # fmt: skip
