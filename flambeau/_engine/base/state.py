"""The switches that let others interpose: at the one dispatch point, and where memory changes.

`on_op`, when set, receives every public op instead of the op's own function: autocast and the
tracer interpose here. It is called as `on_op(descriptor, args, kwargs)` and goes on with
`descriptor.execute`. None, the usual state with the JIT off, costs an op one comparison.

`on_primitive`, when set, is told of every primitive that has run, with its tensors: some thread
records. `tracer` is set unless the JIT is off: what changes memory, tapes or modes outside of
public ops tells it (see `trace.hub`). `epoch` counts changes of what a tensor is (its flags, its
memory, its hooks): guards that remember a tensor check it. `modules` counts changes of modules
that guards remember. `own_functions` is false while `nn.functional` holds a function of a user's,
which layers then call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

on_op: Callable[..., Any] | None = None
tracer: Any = None
on_primitive: Callable[..., None] | None = None
epoch: int = 0
modules: int = 0
own_functions: bool = True


def changed() -> None:
    """A tensor's flags, memory or hooks have changed: guards look at their tensors anew."""
    global epoch
    epoch += 1


def module_changed() -> None:
    """A module's members or options are about to change: guards look at their modules anew."""
    global modules
    settle()
    modules += 1


def redefine() -> None:
    """Something about to change makes the same calls do other things, in every thread."""
    if tracer is not None:
        tracer.forget()


def aside() -> AbstractContextManager[None]:
    """A region in which this thread's ops run at once, whatever is pending."""
    return nullcontext() if tracer is None else tracer.aside()


def settle() -> None:
    """Something outside of ops is about to happen that must see the world as it is."""
    if tracer is not None:
        tracer.settle()
