"""A call of a built-in module as one event: which tensors it uses, and whether it is as it was.

`nn.Linear`, `nn.CrossEntropyLoss`, an `nn.Sequential` of such: their `forward` is flambeau's own,
so a replay need not run it. What they compute follows from their arguments, their members and their
attributes. A module that contains a class of the user's, or has hooks, is not called as one: its
forward runs as Python, and the modules inside are the events.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import is_
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor
from ..base import state
from .memory import Unrecordable
from .pattern import Input, InputSpec, kept_from, key_of, takes
from .segment import Event

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_TABLES = ("_parameters", "_buffers", "_modules")
_ATOMS = (bool, int, float, complex, str, type(None), type, np.dtype)
MOST_SIGNATURES = 6  # of one module: one whose options change more often is called part by part
MOST_NUMBERS = 1  # likewise, where only floats change: the ops inside let those vary


class ModuleCall(Event):
    """The event of calling a module of one class."""

    def execute(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the module's own forward, with hooks if it has got any."""
        return args[0]._call_forward(*args[1:], **kwargs)


def _entries(table: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...], tuple]:
    return table, tuple(table), tuple(table.values())


def _holds(table: dict[str, Any], keys: tuple[str, ...], values: tuple) -> bool:
    """Whether a table has these entries in this order, whatever plan."""
    if tuple(table) != keys:
        return False
    found = tuple(table.values())
    return all(map(is_, found, values)) or all(
        a is b or key == "_plan" for key, a, b in zip(keys, found, values, strict=True)
    )


class ModulePlan:
    """What a guard looks at of a module, as it is until something changes; the module holds it.

    Attributes:
        descriptor: the event of calling the module.
        whole: whether a call of the module is one event.
        epoch: `state.modules` when this was last found true.
        signature: classes, options and names of the members: equal for modules that do the same.
        members: (table, keys, values) of each table of members in the tree, in order.
        attributes: likewise of the modules' own. A plan among them may be another meanwhile.
        tensors: the parameters and buffers among them.
        signatures: those that the module has had; None once it is called part by part for good.
    """

    __slots__ = (
        "__weakref__", "attributes", "classes", "descriptor", "epoch", "hooks", "members",
        "signature", "signatures", "tensors", "whole",
    )  # fmt: skip

    def __init__(self, module: Any, descriptor: ModuleCall, signatures: set[tuple] | None):
        self.descriptor = descriptor
        self.epoch = state.modules
        tree = list(_tree(module))
        for each in tree:  # from now on they tell of changes
            each.__dict__.setdefault("_plan", None)
        kinds = tuple(map(_signature, tree)) if all(map(_plain, tree)) else (None,)
        self.signature: tuple = kinds
        self.signatures = signatures
        if signatures is not None and None not in kinds:
            signatures.add(kinds)
            common = _but_floats(kinds)
            alike = sum(_but_floats(each) == common for each in signatures)
            if len(signatures) > MOST_SIGNATURES or alike > MOST_NUMBERS:
                self.signatures = None
        self.whole = self.signatures is not None and None not in kinds
        members = [each.__dict__[name] for each in tree for name in _TABLES]
        self.members = tuple(map(_entries, members))
        self.attributes = tuple(_entries(each.__dict__) for each in tree)
        self.tensors = tuple(t for each in members for t in each.values() if isinstance(t, Tensor))
        own = (each.__dict__[name] for each in tree for name in _HOOKS)
        self.hooks = (*module._shared_hooks, *own)
        self.classes = tuple({type(each): type(each).forward for each in tree}.items())

    def intact(self) -> bool:
        """Whether members, hooks and methods are what they were, also past the module's methods."""
        if not all(_holds(*each) for each in (*self.members, *self.attributes)):
            return False
        for cls, forward in self.classes:
            if cls.forward is not forward:  # type: ignore[attr-defined]
                return False
        return not any(self.hooks)

    def says(self, other: ModulePlan) -> bool:
        """Whether an earlier plan of the same module says the same as this one, just made."""
        return (
            self.whole is other.whole
            and self.signature == other.signature
            and len(self.members) == len(other.members)
            and all(
                mine[0] is theirs[0] and _holds(*theirs)
                for mine, theirs in zip(self.members, other.members, strict=True)
            )
        )

    def call_by_parts(self) -> None:
        """Something inside cannot be recorded: from now on the modules inside are the events."""
        self.signatures = None
        self.whole = False

    # a copy of a module, or a file with it, has no plan
    def __deepcopy__(self, memo: dict) -> None:
        return None

    def __reduce__(self) -> Any:
        return type(None), ()


_calls: dict[type, ModuleCall] = {}


def plan_of(module: Any) -> ModulePlan:
    """The up-to-date plan of a module of a built-in class."""
    old = module.__dict__.get("_plan")
    if old is not None and old.epoch == state.modules:
        return old
    cls = type(module)
    call = _calls.get(cls)
    if call is None:
        call = _calls[cls] = ModuleCall(cls.__name__)
    plan = ModulePlan(module, call, set() if old is None else old.signatures)
    if old is not None and plan.says(old):
        old.epoch, old.attributes = state.modules, plan.attributes  # equal, if not the same
        return old
    module.__dict__["_plan"] = plan
    return plan


def _tree(module: Any) -> Iterator[Any]:
    yield module
    for child in module.__dict__["_modules"].values():
        if child is not None:
            yield from _tree(child)


def _plain(module: Any) -> bool:
    """Whether nothing of a module is the user's, and its state is in its tables."""
    return (
        state.own_functions
        and type(module)._is_builtin
        and "forward" not in module.__dict__
        and str(type(module).forward.__module__).startswith("flambeau.")
        and not any(module._shared_hooks)
        and not any(module.__dict__[name] for name in _HOOKS)
    )


def _signature(module: Any) -> tuple | None:
    """A module's class, options and members' names; None where an option cannot be compared."""
    options = []
    for name, value in module.__dict__.items():
        if name in _TABLES or name == "_plan" or name.endswith(("_hooks", "_kwargs", "_called")):
            continue
        option = _option(value)
        if option is None:
            return None
        options.append((name, option))
    members = tuple(
        (table, key, member is None)
        for table in _TABLES
        for key, member in module.__dict__[table].items()
    )
    return type(module), type(module).forward, tuple(options), members


def _but_floats(signature: tuple) -> tuple:
    """What signatures have in common that differ in the values of floats."""
    return tuple(
        (cls, forward, [(n, x if x[0] is not float else float) for n, x in options], members)
        for cls, forward, options, members in signature
    )


def _option(value: Any) -> Any:
    """A hashable form of an option: equal for equal options of the same types; None for none."""
    if isinstance(value, _ATOMS):
        return type(value), repr(value) if isinstance(value, (float, complex)) else value
    if isinstance(value, (tuple, list, set)):
        items = tuple(map(_option, value))
        return None if None in items else (type(value), items)
    of_value, of_type = (str(getattr(x, "__module__", "")) for x in (value, type(value)))
    if of_type.startswith("flambeau._engine.base"):  # a dtype, a device
        return type(value), value
    # a function of flambeau's own: an activation, a distance
    return (value,) if callable(value) and of_value.startswith("flambeau.") else None


class ModuleGuard:
    """In a recorded segment: what the module of one event was like, and where its tensors are.

    Attributes:
        patterns: of the plan's tensors.
        specs: of those that are inputs new to the segment, as the event's.
    """

    __slots__ = ("_epoch", "_last", "direct", "patterns", "signature", "specs")

    def __init__(self, signature: tuple, patterns: tuple, specs: dict[int, InputSpec]):
        self.signature = signature
        self.patterns = patterns
        self.specs = specs
        # all tensors are new inputs: the usual case, for which there is a short way
        self.direct = all(isinstance(each, Input) and each.new for each in patterns)
        self._last: Callable[[], ModulePlan | None] = lambda: None
        self._epoch = -1

    @property
    def key(self) -> tuple:
        """Equal for events that stand for the same."""
        return self.signature, tuple(key_of(each, self.specs) for each in self.patterns)

    def fits(self, run: Any, module: Any) -> bool:
        """Whether a module stands for the recorded one; binds its tensors."""
        first = len(run.inputs)
        plan: ModulePlan = module.__dict__["_plan"]  # up to date: its call has just seen to that
        if plan is self._last() and self._epoch == state.epoch and plan.intact():
            run.inputs += plan.tensors
        else:
            if not plan.intact():
                plan = renewed(module)
            if not plan.whole or plan.signature != self.signature:
                return False
            for t, pattern in zip(plan.tensors, self.patterns, strict=True):
                if not takes(run, self.specs, pattern, t):
                    return False
            if self.direct and not kept_from(run, first):
                self._last, self._epoch = weakref.ref(plan), state.epoch
        return True


@contextmanager
def as_it_was(plan: ModulePlan) -> Iterator[None]:
    """A module as it was when its call was promised: members, attributes, methods and no hooks."""
    others = [
        (table, dict(table), dict(zip(keys, values, strict=True)))
        for table, keys, values in (*plan.members, *plan.attributes)
        if not _holds(table, keys, values)
    ]
    others += [(table, dict(table), {}) for table in plan.hooks if table]
    changed = [(cls, cls.forward, known) for cls, known in plan.classes if cls.forward is not known]
    for table, _, items in others:
        _fill(table, items)
    for cls, _, known in changed:
        cls.forward = known
    try:
        yield
    finally:
        for cls, forward, _ in changed:
            cls.forward = forward
        for table, items, _ in others:
            _fill(table, items)


def _fill(table: dict, items: dict) -> None:
    table.clear()
    table.update(items)


def renewed(module: Any) -> ModulePlan:
    """The plan of a module whose tables have been changed past its methods."""
    state.modules += 1
    return plan_of(module)


def record_module(recording: Any, module: Any, specs: dict[int, InputSpec]) -> ModuleGuard:
    """Note what a module that is about to be called is like.

    Raises:
        Unrecordable: it is not to be called as one, or a tensor of it is no possible input.
    """
    plan = plan_of(module)
    if not plan.intact():
        plan = renewed(module)
    if not plan.whole:
        raise Unrecordable("a module with code or hooks of the user's")
    patterns = tuple(recording.reference(t, specs) for t in plan.tensors)
    for spec in specs.values():
        spec.remember = True
    return ModuleGuard(plan.signature, patterns, dict(specs))
