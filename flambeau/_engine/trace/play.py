"""The guard of an event, written out as one Python function: compare, bind, promise.

A replayed step consists of little else, so each node of the tree gets a function made for it:

    play(args, kwargs, run) -> the event's (pending) result, or MISS

It compares the arguments with the pattern, appends new inputs and numbers to the run, and, when all
fits, moves the run's cursor and makes the pending tensors.
"""

from __future__ import annotations

import functools
from types import CodeType
from typing import Any

from ..autograd.mode import mode
from ..autograd.tensor import Tensor, new
from ..base import state
from .log import mistaken
from .pattern import (
    Asking,
    Companion,
    Constant,
    HooksOf,
    Input,
    Mapping,
    Result,
    Sequence,
    Varies,
    same,
)
from .pending import masked_class

MISS = object()


class _Writer:
    """Writes the source of one function."""

    def __init__(self, node: Any):
        self.node = node
        self.lines: list[str] = []
        self.made: dict[int, str] = {}  # new results' variables
        self.scope: dict[str, Any] = {
            "MISS": MISS, "Tensor": Tensor, "mode": mode, "new": new, "node": node, "same": same,
            "state": state, "Masked": masked_class(Tensor), "missed": self.missed,
        }  # fmt: skip

    def missed(self, error: Exception) -> object:
        """What the function returns where its comparisons fail, and nothing is promised yet."""
        mistaken(self.node.descriptor.name, error)
        return MISS

    def name(self, value: Any) -> str:
        """A name for a constant in the function's scope."""
        name = f"c{len(self.scope)}"
        self.scope[name] = value
        return name

    def miss_if(self, condition: str) -> None:
        """A line that gives up."""
        self.lines.append(f"    if {condition}: return MISS")

    # --- comparing --------------------------------------------------------------------------------

    def check(self, pattern: Any, text: str) -> None:
        """Lines that give up unless the expression `text` fits."""
        kind = type(pattern)
        if kind is Result or kind is Input and not pattern.new:
            self.miss_if(f"{self.tensor(pattern)} is not {text}")
        elif kind is Input:
            self.lines.append(f"    x = {text}")
            self.bind(pattern.number)
        elif kind is Varies:
            self.miss_if(f"not {self.name(pattern.fits)}({text})")
            self.lines.append(f"    numbers.append({text})")
        elif kind is Constant:
            self._constant(pattern.value, text)
        elif kind is Companion:
            self._companion(pattern, text)
        elif kind is Sequence:
            wanted = self.name(pattern.kind)
            self.miss_if(f"type({text}) is not {wanted} or len({text}) != {len(pattern.items)}")
            for position, item in enumerate(pattern.items):
                self.check(item, f"{text}[{position}]")
        else:
            self._mapping(pattern, text)

    def bind(self, number: int) -> None:
        """Lines that take the tensor `x` as a new input, if it fits."""
        spec = self.name(self.node.specs[number])
        self.miss_if(
            f"({spec}.last() is not x or {spec}.epoch != state.epoch) "
            f"and not (isinstance(x, Tensor) and {spec}.admits(x, run))"
        )
        self.lines.append("    inputs.append(x)")

    def _companion(self, pattern: Companion, text: str) -> None:
        if pattern.new:
            self.miss_if(f"type({text}) is not {self.name(pattern.kind)}")
            self.lines.append(f"    run.companions += ({text},)")
        else:
            self.miss_if(f"run.companions[{pattern.number}] is not {text}")

    def _mapping(self, pattern: Mapping, text: str) -> None:
        self.miss_if(f"type({text}) is not dict or len({text}) != {len(pattern.items)}")
        for key, item in pattern.items:
            name = self.name(key)
            self.miss_if(f"{name} not in {text}")
            self.check(item, f"{text}[{name}]")

    def _constant(self, value: Any, text: str) -> None:
        if value is None or isinstance(value, (bool, type)):
            self.miss_if(f"{text} is not {None if value is None else self.name(value)}")
        elif type(value) in (int, str):
            kind = type(value).__name__
            name = self.name(value)
            self.lines.append(f"    x = {text}")
            self.miss_if(f"x is not {name} and (type(x) is not {kind} or x != {name})")
        else:
            name = self.name(value)
            self.lines.append(f"    x = {text}")
            self.miss_if(f"x is not {name} and not same(x, {name})")

    def _arguments(self) -> None:
        node = self.node
        args, kwargs = node.args.items, node.kwargs.items
        first = 0 if node.module is None else 1
        self.miss_if(f"len(args) != {first + len(args)}")
        self.miss_if(f"len(kwargs) != {len(kwargs)}" if kwargs else "kwargs")
        if node.module is not None:
            self.miss_if("not node.module.fits(run, args[0])")
        for position, item in enumerate(args, first):
            self.check(item, f"args[{position}]")
        for key, item in kwargs:
            if isinstance(item, Constant):
                self.check(item, f"kwargs.get({key!r}, MISS)")
            else:
                self.miss_if(f"{key!r} not in kwargs")
                self.check(item, f"kwargs[{key!r}]")

    def _gradients(self) -> None:
        """Leaves have gradients, or none, as they had."""
        for position, change in enumerate(self.node.gradients):
            self.lines.append(f"    leaf{position} = {self.tensor(change.leaf)}.__dict__")
            self.lines.append(f"    x = leaf{position}.get('_grad')")
            if change.held is None:
                self.miss_if("x is not None")
            elif isinstance(change.held, Input) and change.held.new:
                self.bind(change.held.number)
            else:
                self.miss_if(f"x is not {self.tensor(change.held)}")

    # --- promising --------------------------------------------------------------------------------

    def tensor(self, pattern: Any) -> str:
        """The expression for a tensor of the segment."""
        # numbers are names too, so that events of one kind share their code
        if isinstance(pattern, Result):
            return f"slots[{self.name(pattern.slot)}]"
        return f"inputs[{self.name(pattern.number)}]"

    def promise(self, slot: int) -> str:
        """Lines that make result `slot`; the name of the variable that holds it."""
        meta = self.name(self.node.metas[slot])
        made = self.made[slot] = f"t{len(self.made)}"
        self.lines += [
            f"    {made} = new(Masked)",
            f"    frame = {made}.__dict__",
            "    frame['_run'] = run",
            f"    frame['_meta'] = {meta}",
            f"    slots.append({made})",
        ]
        return made

    def result(self, pattern: Any) -> str:
        """The expression for what the event returns."""
        if isinstance(pattern, Result):
            return self.made.get(pattern.slot) or self.tensor(pattern)
        if isinstance(pattern, Input):
            return self.tensor(pattern)
        if isinstance(pattern, Sequence):
            items = "".join(f"{self.result(item)}, " for item in pattern.items)
            kind: Any = pattern.kind
            if hasattr(kind, "_make"):
                return f"{self.name(kind)}._make(({items}))"
            return f"({items})" if kind is tuple else f"{self.name(kind)}(({items}))"
        if isinstance(pattern, Asking):
            given = "".join(f"{self.result(item)}, " for item in pattern.given)
            owner = self.owner(pattern.owner)
            return f"run.ask({owner}, ({given}), {pattern.grad_mode})"
        return self.name(pattern.value) if pattern.value is not None else "None"

    def owner(self, pattern: Any) -> str:
        """The expression for what answers a question of the engine's."""
        if isinstance(pattern, HooksOf):
            return f"{self.tensor(pattern.leaf)}.__dict__[{pattern.attribute!r}]"
        return f"run.companions[{pattern.number}]"

    def write(self) -> Any:
        """The function."""
        node = self.node
        self.lines = [
            "def play(args, kwargs, run):",
            "    slots = run.slots; inputs = run.inputs; numbers = run.numbers",
        ]
        before = len(self.lines)
        self.miss_if(f"mode.grad is not {node.grad}")
        if node.step is None:
            special = "None" if node.special is None else self.name(node.special)
            self.miss_if(f"mode.special is not {special}")
        if node.step is not None:
            self.miss_if("not node.step.fits(run, args)")
        else:
            self._arguments()
        self._gradients()
        if node.reads:
            self.miss_if("run.snapshots and not run.unchanged(node.reads)")
        if node.dirty:
            self.miss_if("not run.may_write(node)")
        checks, self.lines[before:] = self.lines[before:], ["    try:"]
        self.lines += [f"    {line}" for line in checks]
        self.lines += ["    except Exception as error: return missed(error)"]
        self.lines.append("    run.cursor = node")
        for slot in node.metas:
            self.promise(slot)
        for position, change in enumerate(node.gradients):
            if change.slot is not None:
                self.lines.append(f"    leaf{position}['_grad'] = {self.made[change.slot]}")
        if node.dirty:
            self.lines.append("    run.mask_dirty(node)")
        for slot, meta in node.changes.items():
            self.lines.append(f"    slots[{self.name(slot)}].__dict__['_meta'] = {self.name(meta)}")
        if node.step is not None:
            self.lines.append("    run.steps += (args,)")
        if node.module is not None:
            self.lines.append("    module = args[0]")
            self.lines.append("    run.modules += ((module, module.__dict__['_plan']),)")
        if node.descriptor.name == "grad=":
            self.lines.append("    args[0].__dict__['_grad'] = None")
        self.lines.append(f"    return {self.result(node.result)}")
        exec(_code("\n".join(self.lines)), self.scope)  # of this module's own making
        return self.scope["play"]


@functools.lru_cache(4096)
def _code(source: str) -> CodeType:
    return compile(source, "<guard>", "exec")


def play_of(node: Any) -> Any:
    """The function of a node."""
    return _Writer(node).write()
