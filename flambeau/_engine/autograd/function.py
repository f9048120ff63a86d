"""Custom functions: a forward and a backward written by the user."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .calls import constant_like
from .mode import mode, no_grad
from .node import Edge, Node, Saved, edge_to, freed_error, saved_result, unpack
from .tensor import Tensor, share, version_of, wrap


class FunctionContext:
    """What `forward` leaves for `backward`; users may set attributes of their own."""

    # weakly, for the node holds the context
    _node: weakref.ref[FunctionNode] | None = None
    _to_save: tuple = ()
    _saved: tuple | None = None
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
        if self._node is None:  # still in forward, or nothing to differentiate
            return self._to_save
        node = self._node()
        if node is None:
            raise freed_error()
        return node.unpacked()

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


class FunctionNode(Node):
    """The tape's record of a custom function."""

    opaque = True

    def __init__(self, function: type[Function], context: FunctionContext, edges: tuple[Edge, ...]):
        super().__init__(edges)
        self.function = function
        self.context = context
        self.label = f"{function.__name__}Backward"
        self.saved: list[tuple[Saved, Edge | int] | None] = []
        self.out_templates: list[Tensor] = []

    def save(self, outs: list[Tensor]) -> None:
        """Keep what forward asked to keep; results without a reference cycle."""
        own = {id(o) for o in outs}
        for t in self.context._to_save:
            if t is None:
                self.saved.append(None)
            elif id(t) in own:
                # a result: the number stands for this node, which may not hold itself
                self.saved.append((saved_result(t), t._output_index))
            else:
                self.saved.append(((t, None, None, version_of(t)), edge_to(t)))
        self.context._to_save = ()

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

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        if self.released:
            raise freed_error()
        if self.context._materialize:
            grads = [
                constant_like(template, 0) if g is None else g
                for g, template in zip(grads, self.out_templates, strict=True)
            ]
        found = self.function.backward(self.context, *grads)
        results = found if isinstance(found, tuple) else (found,)
        return self._checked(results)

    def _checked(self, results: tuple) -> tuple[Tensor | None, ...]:
        count = len(self.edges)
        if len(results) > count and all(r is None for r in results[count:]):
            results = results[:count]
        if len(results) != count:
            raise RuntimeError(
                f"function {self.label} returned an incorrect number of gradients (expected "
                f"{count}, got {len(results)})"
            )
        for position, (edge, result) in enumerate(zip(self.edges, results, strict=True)):
            if edge is not None and result is not None and not isinstance(result, Tensor):
                raise TypeError(
                    f"expected Variable or None (got {type(result).__name__}) as gradient "
                    f"{position} of {self.label}"
                )
        return tuple(
            None if edge is None else result
            for edge, result in zip(self.edges, results, strict=True)
        )

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
        edges = tuple(edge_to(a) if isinstance(a, Tensor) else None for a in args)
        tracked = mode.grad and any(e is not None for e in edges)
        context.needs_input_grad = tuple(e is not None for e in edges)
        separate = cls.setup_context is not Function.setup_context
        with no_grad():
            if separate:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(context, args, output)
            else:
                output = cls.forward(context, *args, **kwargs)
        if not tracked:
            context._node = None
            return output
        return _record(cls, context, edges, args, output)


def _record(
    function: type[Function],
    context: FunctionContext,
    edges: tuple[Edge, ...],
    args: tuple,
    output: Any,
) -> Any:
    """Put the call on the tape, and give its results their history."""
    node = FunctionNode(function, context, edges)
    several = isinstance(output, tuple)
    outs: list[Any] = list(output) if several else [output]
    plain = {id(t) for t in context._non_differentiable}
    dirty = {id(t) for t in context._dirty}
    for index, out in enumerate(outs):
        if not isinstance(out, Tensor):
            continue
        if id(out) not in dirty and any(out is a for a in args):
            outs[index] = out = share(out, out._array)
        if id(out) in plain or out._array.dtype.kind not in "fcV":
            continue
        out._grad_fn, out._output_index = node, index
        out._requires_grad, out._plain = True, False
    node.outputs = len(outs)
    node.out_templates = [_template(o) for o in outs]
    node.save([o for o in outs if isinstance(o, Tensor)])
    context._node = weakref.ref(node)
    return tuple(outs) if several else outs[0]


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
