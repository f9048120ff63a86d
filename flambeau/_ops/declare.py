"""`op`: the one decorator that declares a public operation.

An op is what users call and what the JIT will guard. Declaring it once gives the function, the
Tensor method, the in-place method (`name_`), `out=`, NumPy's argument names (`axis`, `keepdims`),
PyTorch's error for a non-tensor argument, and the name of its node on the tape.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .._engine.autograd.inplace import check_writable, keep_original, write_
from .._engine.autograd.mode import mode
from .._engine.autograd.node import now
from .._engine.autograd.tensor import Tensor, own, storage_of
from .._engine.base import dtypes, state
from .._engine.base.callers import warn_user
from .._engine.base.errors import argument_type_error, cast_error
from .._engine.base.promotion import can_cast

F = TypeVar("F", bound=Callable[..., Any])


class OpDescriptor:
    """What is known of a public op beside its function.

    Attributes:
        name: as users call it, "add", "nn.functional.linear", "add_".
        label: the name its node has on the tape, "AddBackward0".
        inplace: whether it writes into its first argument.
        reads_values: whether its body looks at elements outside primitives, so that what it does
            for one call says nothing about the next.
    """

    __slots__ = ("function", "inplace", "label", "name", "reads_values")

    def __init__(
        self,
        name: str,
        label: str,
        function: Callable[..., Any],
        inplace: bool,
        reads_values: bool = False,
    ):
        self.name = name
        self.label = label
        self.function = function
        self.inplace = inplace
        self.reads_values = reads_values

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def execute(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """The op past its dispatch point: what a call does inline, for those who interpose."""
        function = self.function
        try:
            result = function(*args, **kwargs)
        except (AttributeError, TypeError) as error:
            result = _retry(self, function, args, kwargs, error)
        if isinstance(result, Tensor):
            if not result._plain:
                _finish(result, self.label, args)
        elif isinstance(result, tuple):
            for one in result:
                if isinstance(one, Tensor) and one._view is not None:
                    _own_unless_shared(one, args)
        return result


OPS: dict[str, OpDescriptor] = {}

_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x2": "other"}


def op(
    *,
    name: str | None = None,
    namespace: str = "",
    method: bool = False,
    inplace: bool = False,
    out: bool | str = False,
    aliases: tuple[str, ...] = (),
    label: str | None = None,
    reads_values: bool = False,
    refuses: bool = False,
) -> Callable[[F], F]:
    """Declare a public operation.

    Args:
        name: its public name, the function's own by default.
        namespace: "nn.functional", "linalg" ...; empty for the top level.
        method: also a Tensor method; `aliases` are further names of the method.
        inplace: also a method `name_` that writes the result into its first argument.
        out: accept `out=`, a tensor (or tuple) that the result is written into; "exact" when it
            must have the result's dtype, "separate" when it may not overlap an operand.
        label: the name of its tape node, from the op's name by default.
        reads_values: its body looks at elements of its tensors outside primitives: such an op
            always runs eagerly.
        refuses: it raises for some values of its tensors. A `try` around its call has to see
            that, so a pending result is computed there.
    """

    def declare(function: F) -> F:
        bare = name or function.__name__
        full = f"{namespace}.{bare}" if namespace else bare
        tape_name = label or _label(bare)
        call = _public(OpDescriptor(full, tape_name, function, False, reads_values), out)
        if refuses:
            call = _computed(call)
        if method:
            for public in (bare, *aliases):
                _attach(public, call)
        if inplace:
            writer = _inplace_public(function, bare, tape_name, reads_values)
            for public in (bare, *aliases):
                _attach(public + "_", writer)
        return call  # type: ignore[return-value]

    return declare


def method(name: str | None = None) -> Callable[[F], F]:
    """Decorator: the function is a Tensor method only, and not an op of its own."""

    def attach(function: F) -> F:
        _attach(name or function.__name__, function)
        return function

    return attach


def _attach(name: str, function: Callable[..., Any]) -> None:
    setattr(Tensor, name, function)


def _label(name: str) -> str:
    parts = name.strip("_").split("_")
    return "".join(part[:1].upper() + part[1:] for part in parts) + "Backward0"


def _public(descriptor: OpDescriptor, has_out: bool | str) -> Callable[..., Any]:
    """The function users call: the dispatch point, error translation, and tape label."""
    function, label = descriptor.function, descriptor.label
    OPS[descriptor.name] = descriptor

    def call(*args: Any, **kwargs: Any) -> Any:
        if has_out and "out" in kwargs:
            target = kwargs.pop("out")
            result = call(*args, **kwargs)
            if target is None:
                return result
            if isinstance(has_out, str):
                _check_out(descriptor.name, has_out, target, result, (*args, *kwargs.values()))
            return write_out(descriptor.name, target, result)
        if state.on_op is not None:
            return state.on_op(descriptor, args, kwargs)
        try:
            result = function(*args, **kwargs)
        except (AttributeError, TypeError) as error:
            result = _retry(descriptor, function, args, kwargs, error)
        if type(result) is Tensor:
            if not result._plain:
                _finish(result, label, args)
        elif isinstance(result, tuple):
            for one in result:
                if type(one) is Tensor and one._view is not None:
                    _own_unless_shared(one, args)
        return result

    return functools.update_wrapper(call, function)


def _computed(call: Callable[..., Any]) -> Callable[..., Any]:
    """An op whose result, one tensor, is there when the call is over."""

    def call_now(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        result._array  # noqa: B018  (of a pending tensor, a read)
        return result

    return functools.update_wrapper(call_now, call)


def _finish(result: Tensor, label: str, args: tuple) -> None:
    # the innermost op names the node, as in PyTorch
    if result._grad_fn is not None and not result._grad_fn.label:
        result._grad_fn.label = label
    if result._view is not None:
        _own_unless_shared(result, args)


def _own_unless_shared(result: Tensor, args: tuple) -> None:
    """A view of memory that no argument has is no view to the user: composing made it one."""
    for x in args:
        for one in x if isinstance(x, (tuple, list)) else (x,):
            if isinstance(one, Tensor) and one._storage is result._storage:
                return
    own(result)


def _inplace_public(
    function: Callable[..., Any], bare: str, label: str, reads_values: bool
) -> Callable[..., Any]:
    def run(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not self._plain:
            check_writable(self)
        start = now() if mode.grad else 0
        result = function(self, *args, **kwargs)
        if result._grad_fn is not None and result is not self:
            result._grad_fn.label = result._grad_fn.label or label
            if mode.grad:
                keep_original(self, result, start)
        return write_(self, result, op=bare + "_")

    run.__name__ = run.__qualname__ = bare + "_"
    run.__doc__ = f"In-place version of `{bare}`: writes the result into this tensor."
    return _public(OpDescriptor(bare + "_", label, run, True, reads_values), False)


def _retry(
    descriptor: OpDescriptor,
    function: Callable[..., Any],
    args: tuple,
    kwargs: dict[str, Any],
    error: Exception,
) -> Any:
    """NumPy's argument names get a second try; a non-tensor gets PyTorch's TypeError."""
    if isinstance(error, TypeError):
        if "unexpected keyword argument" in str(error) and _NUMPY_NAMES.keys() & kwargs.keys():
            renamed = {_NUMPY_NAMES.get(key, key): value for key, value in kwargs.items()}
            if renamed.keys() != kwargs.keys():
                return descriptor.execute(args, renamed)
        raise error
    if getattr(error, "name", None) in ("_plain", "_array", "_grad_fn", "_requires_grad"):
        raise _not_a_tensor(descriptor, function, args, kwargs, error) from None
    raise error


def event(name: str) -> Callable[[F], F]:
    """Decorator: calls of the function pass the dispatch point as an op's do, and nothing else.

    For what works on tensors without being declared as an op: Tensor's own methods, `backward`.
    """

    def declare(function: F) -> F:
        descriptor = EventDescriptor(name, function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if state.on_op is not None:
                return state.on_op(descriptor, args, kwargs)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return declare


class EventDescriptor(OpDescriptor):
    """What passes the dispatch point without being an op: it is run as it is."""

    __slots__ = ()

    def __init__(self, name: str, function: Callable[..., Any]):
        super().__init__(name, "", function, False)

    def execute(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)


def _not_a_tensor(
    descriptor: OpDescriptor,
    function: Callable[..., Any],
    args: tuple,
    kwargs: dict[str, Any],
    error: Exception,
) -> Exception:
    """Find which argument was to be a tensor and was not."""
    offender = getattr(error, "obj", None)
    names = list(inspect.signature(function).parameters)
    named = [*zip(names, args, strict=False), *kwargs.items()]
    for position, (argument, value) in enumerate(named, 1):
        if value is offender:
            return argument_type_error(descriptor.name, argument, position, "Tensor", value)
        if isinstance(value, (list, tuple)) and any(item is offender for item in value):
            return argument_type_error(
                descriptor.name, argument, position, "tuple of Tensors", value
            )
    return error


def _check_out(name: str, demands: str, target: Any, result: Any, operands: tuple) -> None:
    """What some ops ask of `out=` beyond a dtype that results can be cast to."""
    if isinstance(target, (tuple, list)):
        for one, value in zip(target, result, strict=True):
            _check_out(name, demands, one, value, operands)
        return
    if "exact" in demands and target._array.dtype != result._array.dtype:
        wanted, got = (dtypes.from_numpy(t._array.dtype) for t in (result, target))
        raise RuntimeError(
            f"{name}(): Expected out tensor to have dtype {wanted}, but got {got} instead"
        )
    if "separate" in demands:
        for x in operands:
            several = x if isinstance(x, (tuple, list)) else (x,)
            for part in several:
                if isinstance(part, Tensor) and _share(part, target):
                    raise RuntimeError(
                        "unsupported operation: some elements of the input tensor and the "
                        "written-to tensor refer to a single memory location. Please clone() the "
                        "tensor before performing the operation."
                    )


def _share(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors lie in the same storage and their bytes overlap."""
    if a is b:
        return True
    return storage_of(a) is storage_of(b) and np.may_share_memory(a._array, b._array)


def _check_distinct(target: Tensor) -> None:
    array = target._array
    if array.size and any(
        step == 0 and size > 1 for step, size in zip(array.strides, array.shape, strict=True)
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )


def write_out(name: str, target: Any, result: Any) -> Any:
    """Put results where `out=` says, resizing as PyTorch does.

    Raises:
        RuntimeError: a result requires grad, or cannot be cast to the target's dtype.
    """
    if isinstance(target, (tuple, list)):
        for one, value in zip(target, result, strict=True):
            write_out(name, one, value)
        return result._make(target) if hasattr(result, "_make") else tuple(target)
    if not isinstance(target, Tensor):
        raise argument_type_error(name, "out", 0, "Tensor", target)
    if mode.grad and (result._requires_grad or target._requires_grad):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic "
            "differentiation, but one of the arguments requires grad."
        )
    found = dtypes.from_numpy(result._array.dtype)
    wanted = dtypes.from_numpy(target._array.dtype)
    if not can_cast(found, wanted):
        raise cast_error(found, wanted)
    if target._device is not result._device:
        raise RuntimeError(
            f"{name}(): expected out tensor to be on {result._device}, but it is on "
            f"{target._device}"
        )
    _check_distinct(target)
    if target._array.shape != result._array.shape:
        _resize_for(name, target, result)
    return write_(target, result.detach(), op=name)


def _resize_for(name: str, target: Tensor, result: Tensor) -> None:
    if target._array.size:
        warn_user(
            f"An output with one or more elements was resized since it had shape "
            f"{list(target._array.shape)}, which does not match the required output shape "
            f"{list(result._array.shape)}. This behavior is deprecated, and in a future release "
            "outputs will not be resized unless they have zero elements. Reset the out tensor "
            "with out.resize_(0) first.",
        )
    target.resize_(result._array.shape)  # type: ignore[attr-defined]
