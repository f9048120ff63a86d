"""What the bodies of public ops do beside calling primitives.

In replay a public op's body does not run: what it did when it was recorded stands for every call
with the same shapes, dtypes, strides and static arguments. That is true of a body that looks at
its tensors' elements only through primitives. `Audit` finds the others: while it is entered, each
tensor's `_array` is a `Watched` array, which tells of every look at its elements, with the line.

>>> with Audit() as audit:
...     flambeau.nn.functional.pdist(flambeau.rand(3, 2))
>>> audit.findings
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import flambeau
from flambeau._engine.autograd import calls, inplace
from flambeau._engine.autograd.rules.shared import P, elements
from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import state
from flambeau._engine.eager import RULES
from flambeau._engine.eager.mt19937 import GeneratorState
from flambeau._ops import declare

ROOT = str(Path(flambeau.__file__).parent) + "/"
_HERE = __file__

READ = "reads"  # looks at elements, and tells nobody
ASK = "asks"  # looks at elements in a way that a tracer sees: item(), elements(), nonzero
WRITE = "writes"  # changes memory other than by `write_`
VIEW = "views"  # makes a tensor of a view that no primitive made
CONSTANT = "constant"  # makes a tensor of an array that no primitive made
RANDOM = "draws"  # takes random numbers outside random primitives
BACKWARD = "backward"  # the event that stands for the op while gradients are computed


@dataclass(frozen=True, order=True)
class Finding:
    """Something that an op's body does beside calling primitives."""

    op: str
    kind: str
    where: str
    line: int

    def __str__(self) -> str:
        return f"{self.op} {self.kind} {self.where}:{self.line}"


# What may be asked of an array without looking at its elements ...
_METADATA = {
    np.shape, np.ndim, np.size, np.may_share_memory, np.shares_memory, np.result_type,
    np.can_cast, np.iscomplexobj, np.isrealobj, np.empty_like, np.zeros_like, np.ones_like,
    np.full_like, np.common_type, np.broadcast_arrays, np.broadcast_to, np.transpose,
    np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.lib.array_utils.byte_bounds,
}  # fmt: skip
# ... and the methods that do look.
_READING = """all any argmax argmin argpartition argsort astype byteswap choose clip compress conj
conjugate copy cumprod cumsum diagonal dot dump dumps item max mean min nonzero prod ptp repeat
round searchsorted std sum take tobytes tofile tolist trace var flatten __array__ __bool__
__complex__ __contains__ __copy__ __deepcopy__ __float__ __index__ __int__ __iter__ __reduce__
__reduce_ex__ __str__ __repr__ __format__ __dlpack__ __buffer__""".split()
_WRITING = "fill itemset partition put resize sort __setitem__ __delitem__".split()
_FROM_ARRAYS = "array asarray asanyarray ascontiguousarray asfortranarray".split()
_DRAWING = "words long_words bits53 uniforms bits24 uniform normals normal".split()

_SHAPED_BY_VALUES = ("nonzero", "sort_rows")

# the public ways to elements, and the engine's own, at which a tracer is told
_ASKING = {
    inspect.unwrap(reader).__code__
    for reader in (Tensor.item, Tensor.tolist, Tensor.numpy, elements)  # type: ignore
}

_active: Audit | None = None


class Watched(np.ndarray):
    """An array that tells the audit when its elements are read or written."""

    source: np.ndarray | None = None  # the tensor's own array, if this is it and not a view of it

    @property
    def base(self) -> Any:
        """What a tensor's array is a view of."""
        return self.view(np.ndarray).base if self.source is None else self.source.base

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        for target in options.get("out", ()):
            _note(WRITE, isinstance(target, Watched))
        _note(READ, any(isinstance(x, Watched) for x in inputs))
        return getattr(ufunc, method)(*bare(inputs), **bare(options))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.copyto:
            _note(WRITE, isinstance(args[0], Watched))
            _note(READ, any(isinstance(x, Watched) for x in args[1:]))
        elif function not in _METADATA:
            _note(READ)
        return function(*bare(args), **bare(kwargs))

    def __getitem__(self, index: Any) -> Any:
        found = bare(self)[bare(index)]
        if isinstance(found, np.ndarray) and np.may_share_memory(found, bare(self)):
            return found.view(Watched)
        _note(READ)
        return found

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """A view where that can be; a copy looks at the elements."""
        found = bare(self).reshape(*shape, **options)
        if np.may_share_memory(found, bare(self)) or not found.size:
            return found.view(Watched)
        _note(READ)
        return found

    ravel = None  # type: ignore[assignment]


def _watching(name: str, kind: str) -> Callable[..., Any]:
    def method(self: Watched, *args: Any, **kwargs: Any) -> Any:
        _note(kind)
        return getattr(bare(self), name)(*bare(args), **bare(kwargs))

    method.__name__ = name
    return method


for _name in _READING:
    if hasattr(np.ndarray, _name):
        setattr(Watched, _name, _watching(_name, READ))
for _name in _WRITING:
    if hasattr(np.ndarray, _name):
        setattr(Watched, _name, _watching(_name, WRITE))
Watched.ravel = lambda self, order="C": self.reshape(-1, order=order)  # type: ignore


def bare(value: Any) -> Any:
    """The value with plain arrays in place of watched ones, the tensors' own where they are."""
    if isinstance(value, Watched):
        return value.view(np.ndarray) if value.source is None else value.source
    if type(value) in (tuple, list):
        return type(value)(map(bare, value))
    if type(value) is dict:
        return {key: bare(one) for key, one in value.items()}
    return value


def _note(kind: str, condition: bool = True) -> None:
    if condition and _active is not None:
        _active.note(kind)


class Audit:
    """While entered, notes what op bodies do beside calling primitives, in `findings`.

    `calls` is the record of the primitives that ran: names, parameters and where operands came
    from. Two calls of an op with other elements must give the same record.
    """

    def __init__(self) -> None:
        self.findings: set[Finding] = set()
        self.calls: list[tuple] = []
        self._ops: list[str] = []
        self._inside = 0  # depth of rules
        self._made: dict[int, tuple[np.ndarray, int]] = {}
        self._undo: list[Callable[[], None]] = []

    # --- noting ----------------------------------------------------------------------------

    def note(self, kind: str) -> None:
        """Something happened: outside a primitive it is a finding of each op under way."""
        if self._inside:
            return
        where = _place()
        if where is None:
            return
        for name in self._ops or [BACKWARD]:
            self.findings.add(Finding(name, kind, *where))

    def forget(self) -> None:
        """Start the record of primitives anew."""
        self.calls, self._made = [], {}

    def _number(self, array: np.ndarray) -> int:
        return self._made.setdefault(id(array), (array, len(self._made)))[1]

    # --- what a tensor's `_array` is while watched -------------------------------------------

    def _get(self, tensor: Tensor) -> Any:
        held = tensor.__dict__
        try:
            array = held["_array"]
        except KeyError:
            raise AttributeError("_array", name="_array", obj=tensor) from None
        if self._inside:
            return array
        if sys._getframe(1).f_code in _ASKING:
            self.note(ASK)
            return array
        watched = held.get("_watched")
        if watched is None or watched.source is not array:
            watched = held["_watched"] = array.view(Watched)
            watched.source = array
        return watched

    def _set(self, tensor: Tensor, array: Any) -> None:
        plain = bare(array)
        if not self._inside and self._ops and not _from_primitive():
            if isinstance(array, Watched):
                if array.source is None:
                    self.note(VIEW)
            elif id(plain) not in self._made:
                self.note(CONSTANT)
        self._number(plain)
        tensor.__dict__["_array"] = plain

    # --- hooks -----------------------------------------------------------------------------

    def __enter__(self) -> Audit:
        global _active
        assert _active is None
        _active = self
        self._put(Tensor, "_array", property(self._get, self._set))
        self._put(Tensor, "_watched", None)
        self._put(state, "on_op", self._on_op)
        self._put(inplace, "_copy", self._unwatched(inplace._copy))
        self._put(calls, "beside_number", self._unwatched(calls.beside_number))
        for name in _FROM_ARRAYS:
            self._put(np, name, self._from_array(getattr(np, name)))
        for name in _DRAWING:
            self._put(GeneratorState, name, self._drawing(getattr(GeneratorState, name)))
        for name, rule in list(RULES.items()):
            self._watch_rule(name, rule)
        return self

    def __exit__(self, *exc: object) -> None:
        global _active
        _active = None
        while self._undo:
            self._undo.pop()()

    def _put(self, owner: Any, name: str, value: Any) -> None:
        held = owner.__dict__
        before = held.get(name, self)

        def undo() -> None:
            if before is self:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

        setattr(owner, name, value)
        self._undo.append(undo)

    def _watch_rule(self, name: str, rule: Callable[..., Any]) -> None:
        watched = self._rule(name, rule)
        RULES[name] = watched
        self._undo.append(lambda: RULES.__setitem__(name, rule))
        for cell in P.__dict__[name].__closure__ or ():  # the short paths keep their rule
            if cell.cell_contents is rule:
                cell.cell_contents = watched
                self._undo.append(lambda cell=cell: setattr(cell, "cell_contents", rule))

    def _rule(self, name: str, rule: Callable[..., Any]) -> Callable[..., Any]:
        def run(*operands: Any, **params: Any) -> Any:
            outermost = not self._inside
            if name in _SHAPED_BY_VALUES:
                self.note(ASK)
            operands, params = bare(operands), bare(params)
            if outermost:
                self.calls.append((name, *map(self._provenance, operands), _text(params)))
            with self._off():
                found = rule(*operands, **params)
            if outermost:
                for array in found if type(found) is tuple else (found,):
                    if isinstance(array, np.ndarray):  # a number is wrapped when a tensor is made
                        self._number(array)
            return found

        return run

    def _provenance(self, operand: Any) -> Any:
        return self._number(operand) if isinstance(operand, np.ndarray) else repr(operand)

    @contextmanager
    def _off(self) -> Iterator[None]:
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def _unwatched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._off():
                return function(*bare(args), **bare(kwargs))

        return run

    def _from_array(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if args and _holds_watched(args[0]):
                self.note(READ)
            return function(*bare(args), **bare(kwargs))

        return run

    def _drawing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            self.note(RANDOM)
            with self._off():
                return function(*args)

        return run

    def _on_op(self, descriptor: declare.OpDescriptor, args: tuple, kwargs: dict) -> Any:
        self._ops.append(descriptor.name)
        try:
            return descriptor.execute(args, kwargs)
        finally:
            self._ops.pop()


def _holds_watched(value: Any) -> bool:
    if type(value) in (tuple, list):
        return any(map(_holds_watched, value))
    return isinstance(value, Watched)


def _text(params: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={_digest(value)}" for name, value in params.items() if name != "generator"
    )


def _digest(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{value.tobytes().hex()[:64]}"
    return repr(value)


def _frames() -> Iterator[Any]:
    """The frames from the one that acted on an array outwards."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename != _HERE:
            yield frame
        frame = frame.f_back


def _place() -> tuple[str, int] | None:
    """File and line in flambeau that acted; None where a test did."""
    for frame in _frames():
        name = frame.f_code.co_filename
        if name.endswith("/autograd/tensor.py"):  # `wrap` and `share`: who called them matters
            continue
        if name.startswith(ROOT):
            return name.removeprefix(ROOT), frame.f_lineno
        if "numpy" not in name and "contextlib" not in name:
            return None
    return None


def _from_primitive() -> bool:
    """Whether a primitive is wrapping its result, or the tape a saved one."""
    for frame in _frames():
        name = frame.f_code.co_filename
        if name.endswith("/autograd/tensor.py"):
            continue
        return name.endswith(("/autograd/calls.py", "/autograd/node.py"))
    return False
