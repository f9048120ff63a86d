"""Why an event does not fit: said at side exits, for people."""

from __future__ import annotations

from typing import Any

from ..autograd.mode import mode
from ..autograd.tensor import Tensor
from .pattern import Constant, Input, Mapping, Result, Sequence, Varies, same, unfit
from .pending import is_masked, own_class


def why_not(run: Any, descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> str:
    """The guard that fails where an event comes that the record does not have."""
    try:
        return _why_not(run, descriptor, args, kwargs)
    except Exception:  # what an argument's own __repr__ may raise, for one
        return f"{descriptor.name} did not fit"


def _why_not(run: Any, descriptor: Any, args: tuple, kwargs: dict[str, Any]) -> str:
    expected = run.cursor.children
    alike = [child for child in expected if child.descriptor is descriptor]
    if not alike:
        names = " or ".join(dict.fromkeys(child.descriptor.name for child in expected))
        return f"{descriptor.name} came where {names or 'nothing'} was expected"
    node = alike[-1]
    if node.grad is not mode.grad:
        return f"{descriptor.name}: grad mode is {'on' if mode.grad else 'off'}"
    if node.inference is not mode.inference:
        return f"{descriptor.name}: inference mode is {'on' if mode.inference else 'off'}"
    if node.special is not mode.special or node.casting is not mode.casting:
        return f"{descriptor.name}: autocast, anomaly mode or inference mode is another one"
    if node.step is not None:
        return "step: its groups, gradients, state or options are not as they were"
    if node.module is not None:
        if not node.module.fits(run, args[0]):
            return f"{descriptor.name}: its options, members or their kinds are not as they were"
        args = args[1:]
    reason = (
        _difference(node, run, node.args, args, "its arguments")
        or _difference(node, run, node.kwargs, kwargs, "its arguments")
        or _gradients(node, run)
        or ("" if run.unchanged(node.reads) else "memory that is visible outside has changed")
        or ("memory that it writes is seen by others" if node.dirty else "an operand has changed")
    )
    return f"{descriptor.name}: {reason}"


def _difference(node: Any, run: Any, pattern: Any, x: Any, where: str) -> str:
    """How a value differs from its pattern; empty where it seems to fit."""
    if isinstance(pattern, (Result, Input)):
        return _tensor_difference(node, run, pattern, x, where)
    if isinstance(pattern, Varies):
        return "" if pattern.fits(x) else f"{where} is {_short(x)}, a case of its own"
    if isinstance(pattern, Constant):
        value = pattern.value
        fits = x is value or (type(x) is type(value) and same(x, value))
        return "" if fits else f"{where} is {_short(x)}, not {_short(value)}"
    if isinstance(pattern, Sequence):
        items: Any = x
        if type(x) is not pattern.kind or len(items) != len(pattern.items):
            return f"{where} are others in number or kind"
        names = [f"argument {i}" if where == "its arguments" else where for i in range(len(items))]
        pairs = zip(pattern.items, items, names, strict=True)
        return next(filter(None, (_difference(node, run, p, y, n) for p, y, n in pairs)), "")
    if isinstance(pattern, Mapping):
        wanted = dict(pattern.items)
        if type(x) is not dict or wanted.keys() != x.keys():
            return f"{where} have other names"
        found = (_difference(node, run, wanted[key], x[key], f"argument {key!r}") for key in wanted)
        return next(filter(None, found), "")
    return ""


def _tensor_difference(node: Any, run: Any, pattern: Any, x: Any, where: str) -> str:
    if not isinstance(x, Tensor):
        return f"{where} is {_short(x)}, not a tensor"
    if isinstance(pattern, Result):
        return "" if run.slots[pattern.slot] is x else f"{where} is another tensor than before"
    if not pattern.new:
        return "" if run.inputs[pattern.number] is x else f"{where} is another tensor than before"
    spec = node.specs[pattern.number]
    if any(t is x for t in run.slots):
        return f"{where} is a result of this segment, not a tensor from outside"
    if is_masked(x):
        return f"{where} is pending in another segment"
    array = x._array
    for name, now, before in (
        ("class", own_class(x).__name__, spec.cls.__name__),
        ("shape", array.shape, spec.shape),
        ("dtype", array.dtype.name, spec.dtype.name),
        ("strides (in bytes)", array.strides, spec.steps),
        ("requires_grad", x._requires_grad, spec.requires_grad),
    ):
        if now != before:
            return f"{where} has {name} {now}, not {before}"
    reason = unfit(x)
    return f"{where} is {reason}" if reason else ""


def _gradients(node: Any, run: Any) -> str:
    """Leaves that have, or lack, a gradient."""
    for change in node.gradients:
        held = run.resolve(change.leaf).__dict__.get("_grad")
        if (held is None) is not (change.held is None):
            return f"a leaf has {'no' if held is None else 'a'} gradient"
    return ""


def _short(x: Any) -> str:
    text = type(x).__name__ if isinstance(x, Tensor) else repr(x)
    return text if len(text) <= 60 else text[:57] + "..."
