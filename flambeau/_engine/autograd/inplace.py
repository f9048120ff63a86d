"""`write_`: the one primitive that changes memory. Every in-place op is an op plus `write_`."""

from __future__ import annotations

import numpy as np

from ..base import dtypes, state
from ..base.devices import CPU
from ..base.errors import cast_error
from ..base.promotion import can_cast
from .calls import P, constant_like
from .mode import mode
from .node import Edge, Node, PrimitiveNode, edge_to, saved_result
from .tensor import Tensor, storage_of, wrap
from .views import replay


def check_writable(t: Tensor, value_requires_grad: bool = False) -> None:
    """Whether grad mode allows an in-place write to `t`, of a value that may require grad.

    Raises:
        RuntimeError: a leaf that requires grad, a view of one, a view made under no_grad or by
            a call with several results, or an inference tensor outside inference mode.
    """
    if t._plain:
        return
    if t._inference and not mode.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can "
            "make a clone to get a normal tensor before doing inplace update."
        )
    if not mode.grad:
        return
    view = t._view
    if view is not None:
        view.refresh(t)
        if not (t._requires_grad or view.base._requires_grad or value_requires_grad):
            return
        if view.creation != "default":
            raise RuntimeError(_CREATION_ERRORS[view.creation])
        if t._requires_grad and view.base._grad_fn is None:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation."
            )
    elif t._requires_grad and t._grad_fn is None:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )


_CREATION_ERRORS = {
    "no_grad": "A view was created in no_grad mode and is being modified inplace with grad mode "
    "enabled. Given that this use case is ambiguous and error-prone, it is forbidden. You can "
    "clarify your code by moving both the view and the inplace either both inside the no_grad "
    "block (if you don't want the inplace to be tracked) or both outside (if you want the "
    "inplace to be tracked).",
    "inference": "A view was created in inference mode and is being modified inplace with grad "
    "mode enabled. Make both the view and the write inside, or both outside, inference mode.",
    "several": "Output of a function that returns multiple views is a view and is being modified "
    "inplace. Such functions do not allow the output views to be modified inplace. You should "
    "replace the inplace operation by an out-of-place one.",
}


def keep_original(t: Tensor, result: Tensor, since: int) -> None:
    """Let nodes made since `since` that saved `t` keep a copy: `t` is about to be overwritten.

    So `x.mul_(w)` can give w's gradient, which needs what x was.
    """
    node = result._grad_fn
    stack = [node] if node is not None else []
    copy = None
    while stack:
        node = stack.pop()
        if node.sequence < since:
            continue
        if isinstance(node, PrimitiveNode):
            for position, saved in node.saved.items():
                if saved[0] is t:
                    copy = P.copy(wrap(t._array), order="K")._array if copy is None else copy
                    node.saved[position] = (None, copy, None, 0)
        stack.extend(e[0] for e in node.edges if e is not None and isinstance(e[0], Node))


def write_(t: Tensor, value: Tensor, *, op: str = "copy_", checked: bool = False) -> Tensor:
    """Copy `value` (broadcast, converted) into t's memory, and give t its history.

    Args:
        checked: skip the rule that a result may not drop to a lower dtype category.

    Raises:
        RuntimeError: shapes do not fit, dtypes do not convert, or grad mode forbids the write.
    """
    if not t._plain:
        check_writable(t, value._requires_grad and t._array.dtype.kind in "fcV")
    target, source = t._array, value._array
    _check_shape(target.shape, source.shape, op)
    if source.dtype is not target.dtype and not checked:
        found, wanted = dtypes.from_numpy(source.dtype), dtypes.from_numpy(target.dtype)
        if not can_cast(found, wanted):
            raise cast_error(found, wanted)
    plain = (t._plain and value._plain) or not mode.grad
    if not plain:  # before the memory changes: the value may be a view of it
        before, written = edge_to(t), _as_written(t, value)
        after = edge_to(written)
    if state.tracer is not None:
        state.tracer.before_write(t, source)
    if t._device is CPU:
        _copy(target, source, one_value=op in ("fill_", "zero_"))
    storage = storage_of(t)
    storage.version += 1
    if not plain:
        _rebase(t, written, (before, after), made=written is value, overwrites=op == "copy_")
    return t


def _check_shape(target: tuple[int, ...], source: tuple[int, ...], op: str) -> None:
    if target == source:
        return
    lead = len(target) - len(source)
    if lead < 0 or any(s not in (1, n) for n, s in zip(target[lead:], source, strict=True)):
        raise RuntimeError(
            f"{op}: output with shape {list(target)} doesn't match the broadcast shape "
            f"{list(source)}"
        )


def _copy(target: np.ndarray, source: np.ndarray, one_value: bool = False) -> None:
    if not target.flags.writeable:
        raise RuntimeError(
            "the tensor's memory is read-only (it came from a read-only NumPy array or file); "
            "clone() it before writing"
        )
    if (
        target.size
        and not one_value  # which may be written to many names of one element
        and 0 in target.strides
        and any(n > 1 and not step for n, step in zip(target.shape, target.strides, strict=True))
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )
    if source.dtype.kind == "c" and target.dtype.kind not in "cb":
        source = source.real
    if source.dtype is target.dtype:
        np.copyto(target, source)
        return
    with np.errstate(all="ignore"):
        np.copyto(target, source, casting="unsafe")


def _rebase(
    t: Tensor, written: Tensor, edges: tuple[Edge, Edge], *, made: bool, overwrites: bool
) -> None:
    """Give t the history of what was written into it; `edges` lead to t's old one and to that.

    With `overwrites` the value is not made from t, whose old history gets a gradient of zero.
    `made`: `written` is the value itself, and not a conversion of it.
    """
    before, after = edges
    view = t._view
    if view is None:
        if after is None and before is None:
            return
        if before is not None and (overwrites or after is None):
            t._grad_fn, t._output_index = _Overwrite(edges), 0
        elif made and written._grad_fn is not None and written._view is None:
            t._grad_fn, t._output_index = written._grad_fn, written._output_index
            _save_written(t, written, t._grad_fn)
        else:
            t._grad_fn, t._output_index = _Overwrite((None, after)), 0
        t._requires_grad, t._plain = True, False
        return
    base = view.base
    base_edge = edge_to(base)
    if base_edge is None and after is None:
        view.version = storage_of(t).version
        return
    node = CopySlices((base_edge, after), view.steps)
    base._grad_fn, base._output_index = node, 0
    base._requires_grad, base._plain = True, False
    view.refresh(t)


def _as_written(t: Tensor, value: Tensor) -> Tensor:
    """`value` in t's dtype and shape, differentiably."""
    if edge_to(value) is None:
        return value
    if value._array.dtype != t._array.dtype:
        value = P.convert(value, dtype=t._array.dtype)
    if value._array.shape != t._array.shape:
        value = P.expand(value, shape=t._array.shape)
    return value


def _save_written(t: Tensor, value: Tensor, node: Node | None) -> None:
    """A node that saved its result now means t's memory: a later write must be noticed."""
    if isinstance(node, PrimitiveNode) and node.saved_out:
        for index, saved in enumerate(node.saved_out):
            if saved[1] is value._array and t._array.dtype == value._array.dtype:
                changed = saved_result(t)
                saved_out = list(node.saved_out)
                saved_out[index] = changed
                node.saved_out = tuple(saved_out)


class _Overwrite(Node):
    """A differentiable tensor was overwritten: what it was gets a gradient of zero."""

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        g = grads[0]
        if g is None:
            return (None, None)
        before, after = self.edges
        zero = None if before is None else constant_like(g, 0)
        return (zero, None if after is None else g)

    def name(self) -> str:
        return self.label or "CopyBackwards"


class CopySlices(Node):
    """The history of a base after a write through one of its views."""

    def __init__(self, edges: tuple[Edge, ...], steps: tuple):
        super().__init__(edges)
        self.steps = steps  # and not the view, which holds the base, which holds this node

    def name(self) -> str:
        return "torch::autograd::CopySlices"

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        g = grads[0]
        if g is None:
            return (None, None)
        if not g._array.flags.c_contiguous:
            g = P.copy(g, order="C")  # the view steps need not fit another layout
        inside = replay(self.steps, g) if self.edges[1] is not None else None
        outside = None
        if self.edges[0] is not None:
            outside = P.copy(g, order="C")
            region = replay(self.steps, outside)
            write_(region, constant_like(region, 0))
        return (outside, P.copy(inside, order="K") if inside is not None else None)
