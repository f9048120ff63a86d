"""A tensor's side of autograd: requires_grad, grad, backward, hooks, detach."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from .. import autograd as _autograd
from .._engine.autograd.callbacks import AccumulationHooks, GradientHooks, RetainedGradient
from .._engine.autograd.data import data_of, replace_data
from .._engine.autograd.events import Event, happen
from .._engine.autograd.hooks import RemovableHandle
from .._engine.autograd.node import Node
from .._engine.autograd.tensor import Tensor, mark_requires_grad, share
from .._engine.base import dtypes, state
from .._ops.declare import event, method


def _refresh(self: Tensor) -> None:
    if self._view is not None:
        self._view.refresh(self)


def _get_requires_grad(self: Tensor) -> bool:
    if self._view is not None:
        self._view.refresh(self, strict=False)
    return self._requires_grad


def _set_requires_grad(self: Tensor, wanted: bool) -> None:
    if not isinstance(wanted, (bool, int)):
        raise RuntimeError("requires_grad must be a bool")
    if not self.is_leaf:  # type: ignore[attr-defined]
        if wanted:
            return
        raise RuntimeError(
            "you can only change requires_grad flags of leaf variables. If you want to use a "
            "computed variable in a subgraph that doesn't require differentiation use "
            "var_no_grad = var.detach()."
        )
    if wanted and self.dtype.category < dtypes.FLOATING:  # type: ignore[attr-defined]
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    if wanted and self.is_inference():  # type: ignore[attr-defined]
        raise RuntimeError(
            "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
        )
    if state.tracer is None or not state.tracer.set_flag(self, bool(wanted)):
        mark_requires_grad(self, bool(wanted))


def _get_grad_fn(self: Tensor) -> Node | None:
    _refresh(self)
    return self._grad_fn


def _get_grad(self: Tensor) -> Tensor | None:
    return self._grad


def _set_grad(self: Tensor, grad: Tensor | None) -> None:
    if state.tracer is not None and state.tracer.set_grad(self, grad):
        return
    if grad is None:
        self._grad = None
        return
    if not isinstance(grad, Tensor):
        raise TypeError(
            f"assigned grad expected to be a Tensor or None but got grad of type "
            f"{type(grad).__name__}"
        )
    if grad is self:
        raise RuntimeError("can't assign Variable as its own grad")
    if grad._array.dtype != self._array.dtype:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype '{grad.dtype}' to a tensor "  # type: ignore
            f"with dtype '{self.dtype}'. Please ensure that the gradient and the tensor have the "  # type: ignore
            "same dtype"
        )
    if grad._device is not self._device:
        raise RuntimeError(
            f"attempting to assign a gradient with device type '{grad._device}' to a tensor with "
            f"device type '{self._device}'. Please ensure that the gradient and the tensor are on "
            "the same device"
        )
    if grad._array.shape != self._array.shape:
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(grad._array.shape)}' to a tensor of "
            f"size '{list(self._array.shape)}'. Please ensure that the gradient and the tensor "
            "are the same size"
        )
    self._grad = grad


def _del_grad(self: Tensor) -> None:
    _set_grad(self, None)


def _set_data(self: Tensor, new: Tensor) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(new).__name__}")
    if self.requires_grad and new.dtype.category < dtypes.FLOATING:  # type: ignore[attr-defined]
        raise RuntimeError(
            "data set to a tensor that requires gradients must be floating point or complex dtype"
        )
    replace_data(self, new)


def _is_leaf(self: Tensor) -> bool:
    _refresh(self)
    return self._grad_fn is None


def _is_view(self: Tensor) -> bool:
    return self._view is not None and self._root is None


def _base(self: Tensor) -> Tensor | None:
    view = self._view
    return view.base if view is not None and _is_view(self) else None


Tensor.requires_grad = property(_get_requires_grad, _set_requires_grad)  # type: ignore
Tensor.grad = property(_get_grad, _set_grad, _del_grad)  # type: ignore
Tensor.grad_fn = property(_get_grad_fn)  # type: ignore
Tensor.data = property(data_of, _set_data)  # type: ignore
Tensor.is_leaf = property(_is_leaf)  # type: ignore
Tensor.output_nr = property(lambda self: self._output_index)  # type: ignore
Tensor.retains_grad = property(lambda self: self._retains_grad)  # type: ignore
Tensor._base = property(_base)  # type: ignore
method("_is_view")(_is_view)


@method()
def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Set `requires_grad` in place."""
    self.requires_grad = requires_grad  # type: ignore[attr-defined]
    return self


@method()
@event("detach")
def detach(self: Tensor) -> Tensor:
    """A tensor over the same memory that is not part of the graph."""
    return share(self, self._array)


@method()
def detach_(self: Tensor) -> Tensor:
    """Leave the graph, in place. Raises RuntimeError for a view."""
    _refuse_view(self.__dict__)
    return happen(DETACH, self)


def _refuse_view(frame: dict[str, Any]) -> None:
    if frame.get("_view") is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using "
            "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
            "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
            "these gradients."
        )


def _detach_in_place(self: Tensor) -> Tensor:
    _refuse_view(self.__dict__)  # it was pending, perhaps
    if self._requires_grad:
        if state.tracer is not None:
            state.tracer.failed("a tensor leaves its graph in place")
        self._grad_fn, self._output_index = None, 0
        mark_requires_grad(self, False)
    return self


DETACH = Event("detach_", _detach_in_place)


@method()
def backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of this tensor, weighted by `gradient`, to the leaves' `.grad`.

    Args:
        gradient: same shape as this tensor; may be left out for a tensor of one element.
        retain_graph: keep what was saved, for another backward; `create_graph` by default.
        create_graph: make the gradients differentiable themselves.
        inputs: only these tensors' `.grad` grow.

    Raises:
        RuntimeError: nothing requires grad, shapes differ, or the graph was freed.
    """
    _autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)


@method()
def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook(grad)` whenever this tensor's gradient is computed; it may return another.

    Raises:
        RuntimeError: the tensor does not require grad.
    """
    if not self.requires_grad:  # type: ignore[attr-defined]
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if not self.is_leaf:  # type: ignore[attr-defined]
        hooks = GradientHooks()
        happen(WATCH, self, hooks)
        return RemovableHandle(hooks, hook)
    _hooks_change()
    if self._hooks is None:
        self._hooks = GradientHooks()
    return RemovableHandle(self._hooks, hook, on_remove=_hooks_change)


def _hooks_change() -> None:
    """A leaf is about to get a hook, or to lose one: what is recorded may not fit it any more."""
    state.settle()
    state.changed()


def _watch(t: Tensor, hooks: GradientHooks) -> None:
    """Let hooks see the gradient of a computed tensor, as it is now."""
    _refresh(t)
    node = t._grad_fn
    assert node is not None
    if node.retained is None:
        node.retained = {}
    node.retained.setdefault(t._output_index, []).append(hooks)


WATCH = Event("register_hook", _watch, brings=True)


@method()
def register_post_accumulate_grad_hook(
    self: Tensor, hook: Callable[[Tensor], None]
) -> RemovableHandle:
    """Call `hook(tensor)` after a backward has added to this leaf's `.grad`.

    Raises:
        RuntimeError: the tensor is not a leaf, or does not require grad.
    """
    if not self._requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._grad_fn is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    _hooks_change()
    if self._post_accumulate_hooks is None:
        self._post_accumulate_hooks = AccumulationHooks()
    return RemovableHandle(self._post_accumulate_hooks, hook, on_remove=_hooks_change)


@method()
def retain_grad(self: Tensor) -> None:
    """Keep the gradient of a computed tensor in its `.grad`. Leaves do so anyway."""
    if not self.requires_grad:  # type: ignore[attr-defined]
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self.is_leaf or self.__dict__.get("_retains_grad"):  # type: ignore[attr-defined]
        return
    self.__dict__["_retains_grad"] = True
    held = weakref.ref(self)

    def keep(grad: Any) -> None:
        owner = held()
        if owner is not None:
            # a copy: the engine may pass the same gradient on
            before = owner.__dict__.get("_grad")
            owner.__dict__["_grad"] = grad.clone() if before is None else before + grad

    hooks = RetainedGradient({0: keep})
    happen(WATCH, self, hooks)
