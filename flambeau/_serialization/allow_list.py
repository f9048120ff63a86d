"""What a file may build under `weights_only=True`: a closed table of names.

Every name leads to one of flambeau's or Python's own harmless builders, or to a value. What a user
adds with `add_safe_globals` is kept beside it.
"""

from __future__ import annotations

import functools
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from . import names


@dataclass(frozen=True, slots=True)
class Allowed:
    """A name that a file may mention, for its value only.

    Attributes:
        name: the full dotted name.
        value: what the name stands for.
        user_class: the class whose objects may be given a state, if a user allowed one.
    """

    name: str
    value: Any
    user_class: type | None = None


@dataclass(frozen=True, slots=True)
class Construct(Allowed):
    """A name that a file may also call.

    Attributes:
        build: called in the name's place.
        new: makes an object of a class without initialising it, where that is allowed.
    """

    build: Callable[..., Any] = tuple
    new: Callable[..., Any] | None = None


_user: dict[str, Construct] = {}
_user_entries: list[Any] = []


def add_safe_globals(safe_globals: Iterable[Any]) -> None:
    """Allow `load(weights_only=True)` to use these classes and functions, which it will call.

    Args:
        safe_globals: classes, functions, or pairs (object, the full name that files use).
    """
    entries = list(safe_globals)
    added = dict(_user_entry(entry) for entry in entries)
    _user.update(added)
    _user_entries.extend(entries)


def get_safe_globals() -> list[Any]:
    """What the user has allowed."""
    return list(_user_entries)


def clear_safe_globals() -> None:
    """Forget what the user has allowed."""
    _user.clear()
    _user_entries.clear()


class safe_globals:
    """Allow classes and functions inside a `with` block, see `add_safe_globals`."""

    def __init__(self, safe_globals: Iterable[Any]):
        self.entries = list(safe_globals)

    def __enter__(self) -> None:
        self.before = get_safe_globals()
        add_safe_globals(self.entries)

    def __exit__(self, *exc: object) -> None:
        clear_safe_globals()
        add_safe_globals(self.before)


def allowed_globals() -> dict[str, Allowed]:
    """Everything that may be named: the closed table and what the user has allowed."""
    return _closed_table() | _user


def _user_entry(entry: Any) -> tuple[str, Construct]:
    value, name = entry if isinstance(entry, tuple) else (entry, None)
    if name is None:
        if not hasattr(value, "__qualname__"):
            raise TypeError(f"add_safe_globals takes classes and functions, got {value!r}")
        name = _name_in_files(value)
    if not isinstance(value, type):
        return name, Construct(name, value, None, build=value)
    return name, Construct(
        name, value, value, build=value, new=functools.partial(value.__new__, value)
    )


def _name_in_files(value: Any) -> str:
    module = value.__module__
    if module == "builtins":
        return value.__qualname__
    return ".".join(names.pytorch_name(value, value.__qualname__) or (module, value.__qualname__))


@functools.cache
def _closed_table() -> dict[str, Allowed]:
    rows: list[Allowed] = [
        Construct("set", set, build=set),
        Construct("complex", complex, build=complex),
        Construct("bytes", bytes, build=_no_bytes),
        Construct("bytearray", bytearray, build=_bytearray),
        Construct("_codecs.encode", None, build=_encode),
        Construct("collections.OrderedDict", OrderedDict, build=OrderedDict),
        Construct("collections.Counter", Counter, build=Counter),
        *_pytorch_rows(),
    ]
    return {row.name: row for row in rows}


def _pytorch_rows() -> list[Allowed]:
    import flambeau

    from .. import _utils, serialization, storage
    from .._engine.base import dtypes

    builders = (*_utils._BUILDERS, _utils._rebuild_tensor)
    return [
        *(Allowed(f"torch.{d.name}", d) for d in dtypes.ALL),
        *(
            Allowed(f"torch.{name}", getattr(storage, name))
            for name in storage.__all__
            if name not in ("TypedStorage", "UntypedStorage")
        ),
        Allowed("torch.storage.TypedStorage", storage.TypedStorage),
        Allowed("torch.storage.UntypedStorage", storage.UntypedStorage),
        *(Construct(f"torch._utils.{f.__name__}", f, build=f) for f in builders),
        Construct("torch._tensor._rebuild_from_type_v2", None, build=_utils._rebuild_from_type_v2),
        Allowed("torch.Tensor", flambeau.Tensor),
        Allowed("torch.nn.parameter.Parameter", _utils.Parameter),
        Construct("torch.Size", flambeau.Size, build=flambeau.Size),
        Construct("torch.device", flambeau.device, build=flambeau.device),
        Construct("torch.serialization._get_layout", None, build=serialization._get_layout),
    ]


def _no_bytes() -> bytes:
    """How protocol 2 writes b""; with a number, `bytes` would ask for that much memory."""
    return b""


def _bytearray(data: Any = b"", encoding: str = "latin-1") -> bytearray:
    """Bytes only: a number would ask for that much memory."""
    return bytearray(_encode(data, encoding) if isinstance(data, str) else bytes(memoryview(data)))


def _encode(text: str, encoding: str = "latin-1") -> bytes:
    """How protocol 2 writes bytes. Only the one codec that it uses is known."""
    if encoding.lower().replace("-", "") != "latin1":
        raise ValueError(f"bytes are written in latin1, not {encoding}")
    return text.encode("latin-1")
