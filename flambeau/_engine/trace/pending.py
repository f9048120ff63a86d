"""Tensors whose value, history or memory may not be looked at without the tracer's knowledge.

A pending tensor is a Tensor (or Parameter) whose class has been exchanged for one that intercepts
the frame's attributes: reading one settles what is pending. Shapes, dtypes and flags are answered
from what was recorded, and settle nothing. Settled, it has its own class again, and nobody can
tell that it was ever anything else.
"""

from __future__ import annotations

import copyreg
import functools
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..base import dtypes
from ..base.devices import CPU
from ..base.shapes import contiguous_strides, wrap_dim


class Meta(NamedTuple):
    """What is known of a tensor before it is computed."""

    shape: tuple[int, ...]
    dtype: np.dtype
    requires_grad: bool
    leaf: bool
    inference: bool
    contiguous: bool


_MASKED_NAMES = (
    "_array", "_plain", "_requires_grad", "_grad_fn", "_output_index", "_storage", "_view",
    "_root", "_hooks", "_post_accumulate_hooks", "_retains_grad", "_inference", "_fresh", "_grad",
)  # fmt: skip


# of those, what is in a pending tensor's frame as in any other's: a result's own gradient
FRAMED = frozenset({"_grad", "_retains_grad"})

# methods that ask what class the tensor is of
_BY_CLASS = ("__deepcopy__", "__reduce_ex__", "__copy__", "__repr__", "__str__", "__format__")


def _intercepted(name: str) -> property:
    default = getattr(Tensor, name, None)

    def read(self: Any) -> Any:
        frame = self.__dict__
        if name in FRAMED:
            return frame.get(name, default)
        if not frame["_run"].touched(self, name):
            return getattr(self, name)
        if name == "_array":
            return frame["_array"]
        return frame.get(name, default)

    def write(self: Any, value: Any) -> None:
        if not self.__dict__["_run"].touched(self, name):
            setattr(self, name, value)
        else:
            self.__dict__[name] = value

    return property(read, write)


def _answered(answer: Any, name: str) -> Any:
    """A property that the record answers."""

    def read(self: Any) -> Any:
        return answer(self.__dict__["_meta"])

    return property(read, getattr(Tensor, name).fset)


def _called(answer: Any, name: str) -> Any:
    """The same for a method; an answer of NotImplemented settles too."""
    settled = getattr(Tensor, name)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = NotImplemented if kwargs else answer(self.__dict__["_meta"], *args)
        return settled(self, *args, **kwargs) if found is NotImplemented else found

    call.__doc__ = settled.__doc__
    return call


def _size(meta: Meta, dim: int | None = None) -> Any:
    if dim is None:
        return _size_class()(meta.shape)
    return meta.shape[wrap_dim(dim, len(meta.shape))] if meta.shape else NotImplemented


def _stride(meta: Meta, dim: int | None = None) -> Any:
    if not meta.contiguous:
        return NotImplemented
    strides = contiguous_strides(meta.shape)
    return strides if dim is None else strides[wrap_dim(dim, len(strides))]


def _is_contiguous(meta: Meta, *order: Any) -> Any:
    return NotImplemented if order else meta.contiguous


def _length(meta: Meta) -> Any:
    return meta.shape[0] if meta.shape else NotImplemented


@functools.cache
def _size_class() -> Any:
    return type(wrap(np.empty(0)).shape)  # type: ignore[attr-defined]


def _dtype_says(name: str) -> Any:
    return lambda meta: getattr(dtypes.from_numpy(meta.dtype), name)


_ANSWERED_PROPERTIES: dict[str, Any] = {
    "shape": lambda meta: _size_class()(meta.shape),
    "ndim": lambda meta: len(meta.shape),
    "dtype": lambda meta: dtypes.from_numpy(meta.dtype),
    "itemsize": lambda meta: meta.dtype.itemsize,
    "nbytes": lambda meta: prod(meta.shape) * meta.dtype.itemsize,
    "requires_grad": lambda meta: meta.requires_grad,
    "is_leaf": lambda meta: meta.leaf,
}
_ANSWERED_METHODS: dict[str, Any] = {
    "size": _size,
    "stride": _stride,
    "is_contiguous": _is_contiguous,
    "__len__": _length,
    **dict.fromkeys(("dim", "ndimension"), lambda meta: len(meta.shape)),
    **dict.fromkeys(("numel", "nelement"), lambda meta: prod(meta.shape)),
    "element_size": lambda meta: meta.dtype.itemsize,
    **{name: _dtype_says(name) for name in ("is_floating_point", "is_complex", "is_signed")},
    "is_inference": lambda meta: meta.inference,
}


def _settled_first(name: str) -> Any:
    method = getattr(Tensor, name)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.__dict__["_run"].touched(self, name)
        return getattr(self, name)(*args, **kwargs)

    call.__doc__ = method.__doc__
    return call


# past what a masked class does when it is exchanged
set_class = object.__dict__["__class__"].__set__


def _given_class(self: Any, cls: type) -> None:
    """A user gives a pending tensor another class: it is computed first."""
    self.__dict__["_run"].touched(self, "__class__")
    unmask(self)
    set_class(self, cls)


class _MaskedType(type):
    """A masked class passes for the class it stands for, except to `type(t) is Tensor`."""

    stands_for: type

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.__dict__.get("stands_for")

    def __hash__(cls) -> int:
        return hash(cls.__dict__.get("stands_for"))

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls.stands_for(*args, **kwargs)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, cls.stands_for)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.stands_for)


def _reduced(cls: Any) -> tuple:
    return _itself, (cls.stands_for,)


def _itself(cls: type) -> type:
    return cls


_classes: dict[type, type] = {}


def masked_class(cls: type) -> type:
    """The class that tensors of class `cls` have while they are pending."""
    found = _classes.get(cls)
    if found is None:
        found = _classes[cls] = _make(cls)
    return found


def _make(cls: type) -> type:
    namespace: dict[str, Any] = {name: _intercepted(name) for name in _MASKED_NAMES}
    namespace |= {name: _answered(a, name) for name, a in _ANSWERED_PROPERTIES.items()}
    namespace |= {name: _called(a, name) for name, a in _ANSWERED_METHODS.items()}
    for name in _BY_CLASS:
        if hasattr(cls, name):
            namespace[name] = _settled_first(name)
    namespace["__class__"] = property(lambda t: cls, _given_class)
    namespace["_device"] = CPU
    namespace["stands_for"] = cls
    bases = (cls,)
    meta = type(f"_Masked{type(cls).__name__}", (_MaskedType, type(cls)), {})
    copyreg.pickle(meta, _reduced)  # the class itself, if somebody sends it to another process
    made = meta(cls.__name__, bases, namespace)
    made.__module__, made.__qualname__ = cls.__module__, cls.__qualname__
    return made


def meta_of(t: Tensor) -> Meta:
    """What is known of a tensor that is there."""
    frame = t.__dict__
    array = frame["_array"]
    return Meta(
        array.shape, array.dtype, frame.get("_requires_grad", False),
        frame.get("_grad_fn") is None, frame.get("_inference", False),
        bool(array.flags.c_contiguous),
    )  # fmt: skip


def mask(t: Tensor, run: Any, meta: Meta) -> None:
    """Intercept what is read of a tensor; `run.touched` hears of it."""
    frame = t.__dict__
    frame["_run"], frame["_meta"] = run, meta
    set_class(t, masked_class(type(t)))


def settled(t: Tensor) -> Tensor:
    """The tensor itself; if it was pending, it is computed now."""
    getattr(t, "_array")  # noqa: B009
    return t


def delivered(t: Tensor) -> Tensor:
    """The tensor itself; if a segment that is over still owes its value, it has it now.

    Other pending tensors stay what they are.
    """
    run = t.__dict__.get("_run")
    if run is not None and run.closed is not None:
        run.deliver(t)
    return t


def unmask(t: Any) -> None:
    """Give a tensor its own class back."""
    cls = type(t).__dict__.get("stands_for")
    if cls is not None:
        set_class(t, cls)
        frame = t.__dict__
        frame.pop("_run", None)
        frame.pop("_meta", None)


def is_masked(t: Any) -> bool:
    """Whether a tensor is pending."""
    return "stands_for" in type(t).__dict__


def own_class(t: Any) -> type:
    """The class that users see."""
    return type(t).__dict__.get("stands_for") or type(t)
