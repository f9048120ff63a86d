"""Custom functions: a forward and a backward written by the user."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..base import state
from .calls import constant_like
from .events import Event, happen, watched
from .mode import mode, no_grad
from .node import Edge, Node, Saved, edge_to, freed_error, saved_result, unpack
from .tensor import Tensor, share, version_of, wrap


class FunctionContext:
    """What `forward` leaves for `backward`; users may set attributes of their own."""

    # weakly, for the node holds the context
    _node: weakref.ref[FunctionNode] | None = None
    _function: type[Function]
    _attached = False  # whether the call is on the tape, or on that of a replay
    _to_save: tuple = ()
    _non_differentiable: tuple = ()
    _dirty: tuple = ()
    _materialize = True
    needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for backward; they come back as `saved_tensors`."""
        self._to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Accepted for forward-mode differentiation, which flambeau does by double backward."""

    @property
    def saved_tensors(self) -> tuple:
        """What `save_for_backward` kept.

        Raises:
            RuntimeError: the graph was freed, or a saved tensor was changed in place.
        """
        if not self._attached:  # still in forward, or nothing to differentiate
            return self._to_save
        return happen(UNPACK, self)

    saved_variables = saved_tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """These results never require grad."""
        self._non_differentiable = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """These inputs were changed in place and are returned."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients reach backward as zeros (the default) or as None."""
        self._materialize = value

    def called(self, grads: tuple) -> tuple[Tensor | None, ...]:
        """The user's backward.

        Raises:
            RuntimeError: it gave another number of gradients than there are operands, or
                something that is no tensor.
        """
        found = self._function.backward(self, *grads)
        results = found if isinstance(found, tuple) else (found,)
        return _checked(self._function, self.needs_input_grad, results)


class FunctionNode(Node):
    """The tape's record of a custom function."""

    opaque = True

    def __init__(self, context: FunctionContext, operands: tuple[Tensor | None, ...]):
        super().__init__(tuple(None if a is None else edge_to(a) for a in operands))
        self.inputs = [None if a is None else (a._array.shape, a._array.dtype) for a in operands]
        self.context = context
        self.label = _label(context._function)
        self.saved: list[tuple[Saved, Edge | int] | None] = []
        self.out_templates: list[Tensor] = []

    def save(self, wanted: tuple, outs: list[Any]) -> None:
        """Keep what forward asked to keep; results, given by number, without a reference cycle."""
        for t in wanted:
            if t is None:
                self.saved.append(None)
            elif isinstance(t, int):
                # the number stands for this node, which may not hold itself
                self.saved.append((saved_result(outs[t]), outs[t]._output_index))
            else:
                self.saved.append(((t, None, None, version_of(t)), edge_to(t)))

    def unpacked(self) -> tuple:
        """The saved tensors, checked for in-place changes."""
        if self.released:
            raise freed_error()
        return tuple(
            None
            if kept is None
            else unpack(kept[0], self, f"saved tensor {i}", self._edge(kept[1]))
            for i, kept in enumerate(self.saved)
        )

    def _edge(self, kept: Edge | int) -> Edge:
        return (self, kept) if isinstance(kept, int) else kept

    def prepared(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        """The gradients as backward wants them."""
        if self.released:
            raise freed_error()
        if not self.context._materialize:
            return tuple(grads)
        return tuple(
            constant_like(template, 0) if g is None else g
            for g, template in zip(grads, self.out_templates, strict=True)
        )

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        return self.context.called(self.prepared(grads))

    def release(self) -> None:
        if self.saved:
            self.saved, self.released = [], True

    # what users call on `grad_fn` of a custom function
    @property
    def saved_tensors(self) -> tuple:
        """What `save_for_backward` kept."""
        return self.unpacked()

    def __getattr__(self, name: str) -> Any:
        if name == "context":
            raise AttributeError(name)
        return getattr(self.context, name)


def _label(function: type[Function]) -> str:
    return f"{function.__name__}Backward"


def _checked(
    function: type[Function], needs: tuple[bool, ...], results: tuple
) -> tuple[Tensor | None, ...]:
    count = len(needs)
    if len(results) > count and all(r is None for r in results[count:]):
        results = results[:count]
    if len(results) != count:
        raise RuntimeError(
            f"function {_label(function)} returned an incorrect number of gradients (expected "
            f"{count}, got {len(results)})"
        )
    for needed, result in zip(needs, results, strict=True):
        if needed and result is not None and not isinstance(result, Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(result).__name__})")
    return tuple(result if needed else None for needed, result in zip(needs, results, strict=True))


class Function:
    """Base of custom differentiable functions.

    Subclasses define static methods `forward(ctx, *args)` and `backward(ctx, *grads)`, or
    `forward(*args)` and `setup_context(ctx, inputs, output)`; users call `apply`.

    >>> class Double(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         return grad * 2
    >>> Double.apply(flambeau.ones(1))
    tensor([2.])
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; subclasses override this."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Leave in `ctx` what backward needs; overriding it frees `forward` of `ctx`."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Gradients of the inputs from gradients of the outputs; subclasses override this."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method."
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        vjp = cls.__dict__.get("vjp")
        if vjp is not None and "backward" not in cls.__dict__:
            cls.backward = vjp  # type: ignore[method-assign]

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run the function, recording it when an input requires grad."""
        context = FunctionContext()
        context._function = cls
        context.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)  # type: ignore[attr-defined]
        tracked = mode.grad and any(context.needs_input_grad)
        separate = cls.setup_context is not Function.setup_context
        with no_grad():
            if separate:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(context, args, output)
            else:
                output = cls.forward(context, *args, **kwargs)
        return _attached(context, args, output) if tracked else output


def _attached(context: FunctionContext, args: tuple, output: Any) -> Any:
    """Put the call on the tape; its output with a history."""
    outs = output if isinstance(output, tuple) else (output,)
    plain = {id(t) for t in context._non_differentiable}
    dirty = {id(t) for t in context._dirty}
    own = {id(t): number for number, t in enumerate(outs) if isinstance(t, Tensor)}
    for a in args:  # an operand that is returned is still an operand
        if id(a) not in dirty:
            own.pop(id(a), None)
    layout = _Layout(
        tuple(id(t) in plain for t in outs), tuple(id(t) in dirty for t in outs),
        context._materialize,
        watched() and all(t.__class__ == Tensor for t in outs if isinstance(t, Tensor)),
    )  # fmt: skip
    found = happen(
        ATTACH, context._function, context,
        tuple(a if isinstance(a, Tensor) else None for a in args),
        tuple(t if isinstance(t, Tensor) else None for t in outs),
        tuple(own.get(id(t), t) for t in context._to_save), layout,
    )  # fmt: skip
    context._to_save, context._attached = (), True
    made = tuple(_annotated(now, t) for now, t in zip(found, outs, strict=True))
    return made if isinstance(output, tuple) else made[0]


class _Layout(NamedTuple):
    """How a call is to be put on the tape.

    Attributes:
        plain: which results never require grad; `dirty`, which are operands that were changed.
        materialize: whether backward wants zeros for missing gradients.
        renew: whether results are new objects, as in a segment, or get their history in place.
    """

    plain: tuple[bool, ...]
    dirty: tuple[bool, ...]
    materialize: bool
    renew: bool


def _annotated(made: Tensor | None, t: Any) -> Any:
    """A result with the attributes that the user gave to what forward returned."""
    if made is None:
        return t
    if made is not t:
        made.__dict__.update({k: v for k, v in t.__dict__.items() if not k.startswith("_")})
    return made


def _attach(
    function: type[Function], context: FunctionContext, args: tuple, outs: tuple, saved: tuple,
    layout: _Layout,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """Put a call on the tape; its results, with their history."""
    if any(layout.dirty) and state.tracer is not None:
        state.tracer.failed("a custom function that changes its operands")
    node = FunctionNode(context, args)
    made: list[Any] = list(outs)
    for index, out in enumerate(outs):
        if out is None:
            continue
        if not layout.dirty[index] and any(out is a for a in args):
            made[index] = out = share(out, out._array)
        elif layout.renew and not layout.dirty[index]:
            view = out._view
            made[index] = out = share(out, out._array)
            if view is not None:
                out._view, out._plain = view, False
        if layout.plain[index] or out._array.dtype.kind not in "fcV":
            continue
        out._grad_fn, out._output_index = node, index
        out._requires_grad, out._plain = True, False
    node.outputs = len(outs)
    node.out_templates = [_template(o) for o in made]
    node.save(saved, made)
    context._node = weakref.ref(node)
    return tuple(made)


def _unpack(context: FunctionContext) -> tuple:
    node = None if context._node is None else context._node()
    if node is None:
        raise freed_error()
    return node.unpacked()


ATTACH = Event("autograd.Function", _attach, brings=True)
UNPACK = Event("saved_tensors", _unpack)


def _template(out: Any) -> Any:
    """A stand-in for an output's shape and dtype that holds no memory of it."""
    if not isinstance(out, Tensor):
        return None
    zero = np.zeros((), out._array.dtype)
    return wrap(np.broadcast_to(zero, out._array.shape))


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for `backward`: differentiating its result is an error, not a wrong number."""

    @functools.wraps(function)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        with no_grad():
            found = function(ctx, *grads)
        if not mode.grad or not any(isinstance(g, Tensor) and g._requires_grad for g in grads):
            return found
        several = isinstance(found, tuple)
        results = [
            _forbid(r) if isinstance(r, Tensor) else r for r in (found if several else (found,))
        ]
        return tuple(results) if several else results[0]

    return wrapper


def _forbid(t: Tensor) -> Tensor:
    out = share(t, t._array)
    out._grad_fn, out._requires_grad, out._plain = _Forbidden(()), True, False
    return out


class _Forbidden(Node):
    """Differentiating a result of a once-differentiable function."""

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )

    def name(self) -> str:
        return "DelayedError"


__all__ = ["Function", "FunctionContext", "once_differentiable"]
