"""The pickle machine of `weights_only=True`: it builds plain data and never runs foreign code.

A pickle is a program for a small stack machine. Python's own machine may import and call anything
that a file names. This one knows only the instructions that build numbers, strings, containers and
tensors; a name in the file is looked up in a closed table (`allow_list`) and never imported. The
machine does not recurse, and no instruction allocates more than the file's own bytes at once.
"""

from __future__ import annotations

import codecs
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from .allow_list import Allowed, Construct
from .names import is_pytorch

_HIGHEST_PROTOCOL = 5
_BLOCKED_MODULES = ("nt", "os", "posix", "sys")  # not even add_safe_globals opens these
_MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


def load_safely(
    data: bytes,
    allowed: Mapping[str, Allowed],
    persistent_load: Callable[[Any], Any],
    position: int = 0,
) -> tuple[Any, int]:
    """Run the pickle at `data[position:]`.

    Args:
        data: the pickle, with anything behind it.
        allowed: full dotted name -> what may be done with it.
        persistent_load: turns a persistent id (PyTorch's name for a storage) into an object.
        position: where the pickle starts.

    Returns:
        The object and the position after the pickle.

    Raises:
        pickle.UnpicklingError: the pickle is malformed, or names what is not allowed.
    """
    machine = _Machine(data, allowed, persistent_load, position)
    try:
        return machine.run(), machine.position
    except pickle.UnpicklingError:
        raise
    except _MALFORMED as error:
        raise pickle.UnpicklingError(
            f"the pickle is damaged or malformed near byte {machine.position} "
            f"({type(error).__name__}: {error})"
        ) from error


class _Machine:
    """One run of one pickle. Methods named `op_*` are the instructions, see `_INSTRUCTIONS`."""

    def __init__(
        self,
        data: bytes,
        allowed: Mapping[str, Allowed],
        persistent_load: Callable[[Any], Any],
        position: int,
    ):
        self.data = data
        self.position = position
        self.allowed = allowed
        self.persistent_load = persistent_load
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []  # the stacks below each open mark
        self.memo: dict[int, Any] = {}
        self.user_classes = {item.user_class for item in allowed.values()} - {None}

    def run(self) -> Any:
        while True:
            code = self.read(1)[0]
            if code == _STOP:
                return self.stack.pop()
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                raise pickle.UnpicklingError(f"Unsupported operand {code}")
            instruction(self)

    # reading the pickle's bytes

    def read(self, size: int) -> bytes:
        start, end = self.position, self.position + size
        if end > len(self.data):
            raise pickle.UnpicklingError("the pickle ends too early: the file is truncated")
        self.position = end
        return self.data[start:end]

    def read_integer(self, size: int) -> int:
        return int.from_bytes(self.read(size), "little")

    def read_line(self) -> str:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise pickle.UnpicklingError("the pickle ends too early: the file is truncated")
        line = self.data[self.position : end]
        self.position = end + 1
        return line.decode()

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marked.pop()
        return items

    # what the instructions do to the stack

    def op_protocol(self) -> None:
        protocol = self.read(1)[0]
        if protocol > _HIGHEST_PROTOCOL:
            raise pickle.UnpicklingError(f"unsupported pickle protocol: {protocol}")

    def op_frame(self) -> None:
        self.read(8)  # a hint for readers of streams

    def op_mark(self) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def op_pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def op_duplicate(self) -> None:
        self.stack.append(self.stack[-1])

    def op_global(self) -> None:
        self.find(self.read_line(), self.read_line())

    def op_stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise pickle.UnpicklingError("STACK_GLOBAL requires two strings")
        self.find(module, name)

    def find(self, module: str, name: str) -> None:
        if module == "__builtin__":  # Python 2's name, which protocol 2 keeps
            module = "builtins"
        if module.partition(".")[0] in _BLOCKED_MODULES:
            raise pickle.UnpicklingError(
                f"Trying to load unsupported GLOBAL {module}.{name} whose module {module} is "
                "blocked."
            )
        full_name = name if module == "builtins" else f"{module}.{name}"
        found = self.allowed.get(full_name)
        if found is None:
            unknown = " (or flambeau does not have it)" if is_pytorch(module) else ""
            raise pickle.UnpicklingError(
                f"Unsupported global: GLOBAL {full_name} was not an allowed global by default"
                f"{unknown}. Please use `torch.serialization.add_safe_globals([{full_name}])` or "
                f"the `torch.serialization.safe_globals([{full_name}])` context manager to "
                "allowlist this global if you trust this class/function."
            )
        self.stack.append(found)

    def op_reduce(self) -> None:
        arguments, constructor = self.stack.pop(), self.stack[-1]
        if not isinstance(constructor, Construct) or not isinstance(arguments, tuple):
            raise pickle.UnpicklingError(
                f"Trying to call reduce for unrecognized function {_describe(constructor)}"
            )
        self.stack[-1] = constructor.build(*map(plain, arguments))

    def op_new_object(self) -> None:
        arguments = self.stack.pop()
        self.make_object(self.stack.pop(), arguments, {})

    def op_new_object_with_keywords(self) -> None:
        keywords, arguments = self.stack.pop(), self.stack.pop()
        self.make_object(self.stack.pop(), arguments, keywords)

    def make_object(self, target: Any, arguments: tuple, keywords: dict) -> None:
        if not isinstance(target, Construct) or target.new is None:
            raise pickle.UnpicklingError(
                f"Trying to create a new object of unsupported class {_describe(target)}"
            )
        self.stack.append(target.new(*map(plain, arguments), **keywords))

    def op_build(self) -> None:
        state, target = plain(self.stack.pop()), self.stack[-1]
        if type(target) is OrderedDict:
            vars(target).update(_attributes(state))
        elif type(target) in self.user_classes:
            _set_state(target, state)
        else:
            raise pickle.UnpicklingError(
                f"Can only build OrderedDict and allowed classes, but got {_describe(target)}"
            )

    def op_persistent_id(self) -> None:
        self.stack.append(self.persistent_load(plain(self.stack.pop())))

    # containers

    def op_tuple(self) -> None:
        items = tuple(map(plain, self.pop_mark()))
        self.stack.append(items)

    def op_list(self) -> None:
        items = list(map(plain, self.pop_mark()))
        self.stack.append(items)

    def op_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self.put_items(items)

    def op_append(self) -> None:
        item = self.stack.pop()
        self.extend([item])

    def op_appends(self) -> None:
        self.extend(self.pop_mark())

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise pickle.UnpicklingError(f"Can only append to lists, but got {_describe(target)}")
        target.extend(map(plain, items))

    def op_set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.put_items([key, value])

    def op_set_items(self) -> None:
        self.put_items(self.pop_mark())

    def put_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise pickle.UnpicklingError(
                f"Can only set items of dictionaries, but got {_describe(target)}"
            )
        if len(items) % 2:
            raise pickle.UnpicklingError("a dictionary's key has no value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[plain(key)] = plain(value)

    def op_add_items(self) -> None:
        items, target = self.pop_mark(), self.stack[-1]
        if type(target) is not set:
            raise pickle.UnpicklingError(f"Can only add items to sets, but got {_describe(target)}")
        target.update(map(plain, items))

    def op_frozenset(self) -> None:
        items = frozenset(map(plain, self.pop_mark()))
        self.stack.append(items)

    # the memo

    def op_memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def op_line_integer(self) -> None:
        text = self.read_line()
        booleans = {"00": False, "01": True}  # protocol 0's spelling
        self.stack.append(booleans[text] if text in booleans else int(text))


def plain(value: Any) -> Any:
    """The object that a table entry stands for where the pickle uses it as a value."""
    return value.value if isinstance(value, Allowed) else value


def _describe(value: object) -> str:
    return value.name if isinstance(value, Allowed) else str(type(value))


def _attributes(state: Any) -> dict[str, Any]:
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise pickle.UnpicklingError("an object's state must be a dictionary of attributes")
    return state


def _set_state(target: Any, state: Any) -> None:
    """Give an object of a class that the user allowed its state, as pickle does."""
    own = getattr(target, "__setstate__", None)
    if own is not None:
        own(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        vars(target).update(_attributes(state))
    for name, value in _attributes(slots or {}).items():
        setattr(target, name, value)


def _constant(make: Callable[[], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(make())


def _number(format: str) -> Callable[[_Machine], None]:
    layout = struct.Struct(format)

    def push(machine: _Machine) -> None:
        machine.stack.append(layout.unpack(machine.read(layout.size))[0])

    return push


def _sized(width: int, convert: Callable[[bytes], Any]) -> Callable[[_Machine], None]:
    """Push what `convert` makes of the bytes that follow their own length."""

    def push(machine: _Machine) -> None:
        machine.stack.append(convert(machine.read(machine.read_integer(width))))

    return push


def _tuple_of(size: int) -> Callable[[_Machine], None]:
    def push(machine: _Machine) -> None:
        if len(machine.stack) < size:
            raise pickle.UnpicklingError("pickle stack underflow")
        machine.stack[-size:] = [tuple(map(plain, machine.stack[-size:]))]

    return push


def _get(width: int) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(machine.memo[machine.read_integer(width)])


def _put(width: int) -> Callable[[_Machine], None]:
    def store(machine: _Machine) -> None:
        machine.memo[machine.read_integer(width)] = machine.stack[-1]

    return store


def _text(data: bytes) -> str:
    return codecs.decode(data, "utf-8", "surrogatepass")


def _byte_string(data: bytes) -> str:
    """Python 2's str: text, as every checkpoint that has one meant it."""
    return data.decode("ascii")


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_STOP = pickle.STOP[0]
_INSTRUCTIONS: dict[int, Callable[[_Machine], object]] = {
    code[0]: instruction
    for code, instruction in (
        (pickle.PROTO, _Machine.op_protocol),
        (pickle.FRAME, _Machine.op_frame),
        (pickle.MARK, _Machine.op_mark),
        (pickle.POP, _Machine.op_pop),
        (pickle.POP_MARK, _Machine.pop_mark),
        (pickle.DUP, _Machine.op_duplicate),
        (pickle.GLOBAL, _Machine.op_global),
        (pickle.STACK_GLOBAL, _Machine.op_stack_global),
        (pickle.REDUCE, _Machine.op_reduce),
        (pickle.NEWOBJ, _Machine.op_new_object),
        (pickle.NEWOBJ_EX, _Machine.op_new_object_with_keywords),
        (pickle.BUILD, _Machine.op_build),
        (pickle.BINPERSID, _Machine.op_persistent_id),
        (pickle.NONE, _constant(lambda: None)),
        (pickle.NEWTRUE, _constant(lambda: True)),
        (pickle.NEWFALSE, _constant(lambda: False)),
        (pickle.EMPTY_TUPLE, _constant(tuple)),
        (pickle.EMPTY_LIST, _constant(list)),
        (pickle.EMPTY_DICT, _constant(dict)),
        (pickle.EMPTY_SET, _constant(set)),
        (pickle.TUPLE, _Machine.op_tuple),
        (pickle.TUPLE1, _tuple_of(1)),
        (pickle.TUPLE2, _tuple_of(2)),
        (pickle.TUPLE3, _tuple_of(3)),
        (pickle.LIST, _Machine.op_list),
        (pickle.DICT, _Machine.op_dict),
        (pickle.APPEND, _Machine.op_append),
        (pickle.APPENDS, _Machine.op_appends),
        (pickle.SETITEM, _Machine.op_set_item),
        (pickle.SETITEMS, _Machine.op_set_items),
        (pickle.ADDITEMS, _Machine.op_add_items),
        (pickle.FROZENSET, _Machine.op_frozenset),
        (pickle.BININT, _number("<i")),
        (pickle.BININT1, _number("<B")),
        (pickle.BININT2, _number("<H")),
        (pickle.BINFLOAT, _number(">d")),
        (pickle.INT, _Machine.op_line_integer),
        (pickle.LONG1, _sized(1, _long)),
        (pickle.LONG4, _sized(4, _long)),
        (pickle.BINUNICODE, _sized(4, _text)),
        (pickle.SHORT_BINUNICODE, _sized(1, _text)),
        (pickle.BINUNICODE8, _sized(8, _text)),
        (pickle.BINSTRING, _sized(4, _byte_string)),
        (pickle.SHORT_BINSTRING, _sized(1, _byte_string)),
        (pickle.BINBYTES, _sized(4, bytes)),
        (pickle.SHORT_BINBYTES, _sized(1, bytes)),
        (pickle.BINBYTES8, _sized(8, bytes)),
        (pickle.BYTEARRAY8, _sized(8, bytearray)),
        (pickle.BINGET, _get(1)),
        (pickle.LONG_BINGET, _get(4)),
        (pickle.BINPUT, _put(1)),
        (pickle.LONG_BINPUT, _put(4)),
        (pickle.MEMOIZE, _Machine.op_memoize),
    )
}
