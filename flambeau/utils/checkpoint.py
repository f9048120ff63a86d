"""Activation checkpointing: keep a function's inputs instead of everything inside it.

The forward runs without a tape; backward runs it again, with one, when gradients are wanted.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

from .. import random
from .._engine.autograd.mode import enable_grad, mode
from .._engine.autograd.tensor import Tensor
from .._ops.creation import zeros
from ..autograd import Function, backward

__all__ = ["checkpoint", "checkpoint_sequential", "noop_context_fn", "set_checkpoint_early_stop"]


def noop_context_fn() -> tuple[Any, Any]:
    """The contexts of forward and of the second run: none."""
    return contextlib.nullcontext(), contextlib.nullcontext()


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Any:
    """Accepted for compatibility: flambeau's second run is always complete."""
    yield


class _Run:
    """What a second run of a checkpointed function needs beside its tensors."""

    def __init__(
        self,
        function: Callable[..., Any],
        kwargs: dict[str, Any],
        preserve: bool,
        contexts: tuple[Any, Any],
    ):
        self.function = function
        self.kwargs = kwargs
        self.rng_state = random.get_rng_state() if preserve else None
        self.first, self.second = contexts
        self.autocast = _autocast_now()

    def again(self, inputs: list[Any]) -> Any:
        """Run once more, with the same random numbers and autocast setting, and with a tape."""
        with contextlib.ExitStack() as stack:
            if self.rng_state is not None:
                stack.enter_context(random.fork_rng(devices=[]))
                random.set_rng_state(self.rng_state)
            stack.enter_context(self.autocast)
            stack.enter_context(self.second)
            stack.enter_context(enable_grad())
            return self.function(*inputs, **self.kwargs)


def _autocast_now() -> Any:
    """The present autocast setting, as a context to enter later."""
    from ..amp import _state, autocast

    return autocast(
        "cpu",
        enabled=_state.is_autocast_enabled("cpu"),
        dtype=_state.get_autocast_dtype("cpu"),
    )


class _Checkpoint(Function):
    """The tape's record of a checkpointed call. Its gradients come from a second run."""

    @staticmethod
    def forward(ctx: Any, run: _Run, *args: Any) -> Any:
        ctx.run = run
        ctx.args = [None if isinstance(a, Tensor) else a for a in args]
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        with run.first:
            return run.function(*args, **run.kwargs)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        inputs = list(ctx.args)
        for place, t in zip(ctx.places, ctx.saved_tensors, strict=True):
            inputs[place] = t.detach().requires_grad_(t.requires_grad)
        outputs = ctx.run.again(inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [
            (o, g)
            for o, g in zip(outputs, grads, strict=True)
            if isinstance(o, Tensor) and o.requires_grad  # type: ignore[attr-defined]
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        backward([o for o, _ in pairs], [g for _, g in pairs])
        return (None, *(x.grad if isinstance(x, Tensor) else None for x in inputs))  # type: ignore


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Call `function(*args, **kwargs)`; backward computes its inside again instead of keeping it.

    Gradients reach the tensors in `args` and, through leaves such as parameters that the
    function uses, their `.grad`.

    Args:
        use_reentrant: both of PyTorch's variants run the same way here; None warns as PyTorch.
        preserve_rng_state: the second run draws the same random numbers as the first.

    >>> x = flambeau.ones(2, requires_grad=True)
    >>> checkpoint(lambda x: (x * x).sum(), x, use_reentrant=False).backward(); x.grad
    tensor([2., 2.])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly.",
            stacklevel=2,
        )
        use_reentrant = True
    if not mode.grad:
        return function(*args, **kwargs)
    run = _Run(function, kwargs, preserve_rng_state, context_fn())
    if use_reentrant or any(isinstance(a, Tensor) and a.requires_grad for a in args):  # type: ignore
        return _Checkpoint.apply(run, *args)
    # no input requires grad: an anchor keeps the call on the tape for the parameters inside
    return _anchored(run, args)


def _anchored(run: _Run, args: tuple) -> Any:
    anchor = zeros((), requires_grad=True)
    inner = run.function

    def function(_: Any, *rest: Any, **kwargs: Any) -> Any:
        return inner(*rest, **kwargs)

    run.function = function
    return _Checkpoint.apply(run, anchor, *args)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Run a chain of modules, checkpointing it in `segments` pieces (the last one is kept)."""
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    chain = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(chain) // segments

    def piece(start: int, stop: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for function in chain[start:stop]:
                x = function(x)
            return x

        return run

    end = 0
    for start in range(0, size * (segments - 1), size):
        end = start + size
        input = checkpoint(
            piece(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve
        )
    return piece(end, len(chain))(input)
