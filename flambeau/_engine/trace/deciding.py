"""What the tracer has to decide of events and segments."""

from __future__ import annotations

from math import prod
from typing import Any

from ..autograd.data import GET_DATA
from ..autograd.mode import mode
from ..autograd.tensor import Tensor
from .floats import supersede
from .histories import FreedNode
from .memory import Unrecordable, aliased
from .modules import ModuleCall
from .pending import is_masked, settled
from .recording import Recording
from .segment import MOST_CHILDREN

SHORT, LITTLE = 6, 50_000  # primitives, and elements, of segments that stay eager


def beginning(descriptor: Any, args: tuple) -> tuple:
    """What segments that begin alike have in common."""
    for x in args:
        if type(x) is list and x:
            x = x[0]
        if isinstance(x, Tensor):
            pending = is_masked(x)
            # a lazy parameter has no `shape` yet: its own error is raised where the op runs
            shape = x.shape if pending else x._array.shape  # type: ignore[attr-defined]
            return descriptor.name, mode.grad, shape, pending
    return descriptor.name, mode.grad, None, False


def goes_on(args: tuple) -> bool:
    """Whether an event goes on with a history that is open: no segment begins in its middle."""
    for x in args:
        for t in x if type(x) in (list, tuple) else (x,):
            if isinstance(t, Tensor):
                node = t.__dict__.get("_grad_fn")
                if node is not None and not isinstance(node, FreedNode):
                    return True
    return False


def updates_data(descriptor: Any, args: tuple) -> bool:
    """Whether an event is of an update by hand, through what `.data` has just given.

    No segment begins there: it should know such memory through the tensor itself. A forward may
    begin with it, where something that requires grad takes part.
    """
    if isinstance(descriptor, ModuleCall):
        return False
    tensors = [x for x in args if isinstance(x, Tensor)]
    if any(t.__dict__.get("_requires_grad", False) for t in tensors):
        return False
    return any(_has_own_counter(t) and aliased(t) for t in tensors)


def _has_own_counter(t: Tensor) -> bool:
    storage = t.__dict__.get("_storage")
    return storage is not None and storage.of is not None


def owned(descriptor: Any, args: tuple) -> list[int]:
    """The identities of an event's module and leaves: the same in each round of a loop, which
    alike layers of a model have not in common."""
    if isinstance(descriptor, ModuleCall):
        return [id(args[0])]
    return [id(x) for x in args if isinstance(x, Tensor) and _is_leaf(x.__dict__)]


def _is_leaf(frame: dict[str, Any]) -> bool:
    return frame.get("_requires_grad", False) and frame.get("_grad_fn") is None


def reads(descriptor: Any, args: tuple) -> bool:
    """Whether what an op does depends on elements: its operands are read then, and it runs now."""
    if getattr(descriptor, "reads_values", False):
        return True
    if descriptor.name in ("getitem", "setitem") and len(args) > 1:
        index = args[1] if type(args[1]) is tuple else (args[1],)
        return any(_chooses(x) for x in index)
    return False


def _chooses(x: Any) -> bool:
    """Whether an index's elements decide what the result is a view of, or its shape."""
    if isinstance(x, slice):
        return any(isinstance(part, Tensor) for part in (x.start, x.stop, x.step))
    return isinstance(x, Tensor) and (x.ndim == 0 or x.dtype.name == "bool")  # type: ignore


def read_all(values: Any) -> None:
    """Compute every tensor among an event's arguments."""
    for x in values:
        if isinstance(x, Tensor):
            settled(x)
        elif isinstance(x, slice):
            read_all((x.start, x.stop, x.step))
        elif isinstance(x, (tuple, list)):
            read_all(x)


def ready(descriptor: Any, args: tuple, recording: bool) -> bool:
    """Whether the tensors of a view are there, and nobody differentiates through it."""
    if descriptor.name == "detach":
        return not is_masked(args[0])
    if descriptor is GET_DATA:  # it may be written: a segment should know whose memory it is
        return not is_masked(args[0]) and not recording
    return _ready(args)


def _ready(args: tuple) -> bool:
    for x in args:
        if isinstance(x, Tensor):
            if is_masked(x) or x._requires_grad:
                return False
        elif isinstance(x, slice):
            if not _ready((x.start, x.stop, x.step)):
                return False
        elif type(x) is tuple and not _ready(x):
            return False
    return True


def small(recording: Recording) -> bool:
    """Whether a segment is too little work for a program to pay."""
    if len(recording.recorder.nodes) >= SHORT:
        return False
    given = sum(t.__dict__["_array"].size for t in recording.inputs)
    return given + sum(prod(meta.shape) for meta in recording.metas) < LITTLE


def insert(recording: Recording) -> None:
    """Add a recorded path to the tree, sharing the beginning with those that are there.

    Raises:
        Unrecordable: there are ways enough from where this one is another.
    """
    table_of = recording.tracer.hub.quicken()
    endings = {id(node): ending for node, ending in recording.endings}
    parent = recording.root
    for node in recording.events:
        ending = endings.get(id(node))
        same = parent.child_like(node)
        if same is None:
            if parent is not recording.root and len(parent.children) >= MOST_CHILDREN:
                raise Unrecordable("too many ways go on from one event")
            node.end_with(ending)
            node.join(parent)
            supersede(parent, node)
            if table_of is not None and not node.final:
                node.quick, node.held = table_of(node)
            same = node
        elif ending is not None:
            if same.ending is None or same.ending.final != ending.final:
                same.end_with(ending)
            elif _steps(same.ending) != _steps(ending):
                # what tells events apart has missed something
                raise Unrecordable("events like others that have computed something else")
            else:
                for index, output in ending.kept:
                    same.ending.keep(index, output)
        parent = same


def _steps(ending: Any) -> list[tuple[str, int, int]]:
    return [(node.name, node.event, len(node.outputs)) for node in ending.nodes]


def name_of(recording: Recording) -> str:
    """A recorded segment's name: its first and its last event."""
    return f"{recording.events[0].descriptor.name}..{recording.events[-1].descriptor.name}"
