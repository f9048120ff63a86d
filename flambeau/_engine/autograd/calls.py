"""Calling a primitive on tensors: `P.mul(a, b)` runs its eager rule and records it on the tape.

This is the one place where tensors meet array rules. Unary and binary elementwise primitives
have a short path of their own: most of an eager op's cost is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import state
from ..base.devices import CPU, device
from ..base.errors import broadcast_error, device_error
from ..eager import RULES
from ..eager.precision import EXACT_BESIDE_NUMBERS, beside_number
from ..eager.quiet import SETTING, enter, leave
from ..prims import PRIMITIVES, Primitive
from . import mode as modes
from .mode import mode
from .node import PrimitiveNode
from .rules.shared import P, filled
from .table import GRADIENTS, Gradient
from .tensor import Tensor, new, share, wrap
from .views import ViewInfo

ndarray = np.ndarray


def bind(primitive: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Run a primitive on tensors (or numbers): eager rule, wrapping, views, tape."""
    arrays = []
    where = CPU
    for x in inputs:
        if isinstance(x, Tensor):
            arrays.append(x._array)
            if x._device is not CPU:
                where = x._device
        else:
            arrays.append(x)
    if where is not CPU:
        result = _run_elsewhere(primitive, inputs, arrays, params, where)
    else:
        token = enter(SETTING)
        try:
            result = RULES[primitive.name](*arrays, **params)
        except ValueError as error:
            if primitive.elementwise:
                raise _clash(primitive.name, arrays) from error
            raise
        finally:
            leave(token)
    if primitive.view:
        return _wrap_view(primitive, inputs[0], result, params)
    if type(result) is tuple:
        outs = tuple([_wrap_result(r, where) for r in result])
        if mode.grad:
            record(primitive, inputs, params, outs)
        if modes.watched_regions:
            watched(primitive, inputs, params, outs)
        return outs
    out = _wrap_result(result, where)
    if mode.grad:
        record(primitive, inputs, params, (out,))
    if modes.watched_regions:
        watched(primitive, inputs, params, (out,))
    return out


def _run_elsewhere(
    primitive: Primitive, inputs: tuple, arrays: list[Any], params: dict, where: device
) -> Any:
    """Run off the CPU; 0-dim CPU tensors may come along.

    Raises:
        RuntimeError: the operands are on different devices.
    """
    from .meta import run_on_meta

    for x in inputs:
        if isinstance(x, Tensor) and x._device is not where and x._array.ndim:
            raise device_error(primitive.name, [x._device, where])
    return run_on_meta(primitive, arrays, params)


def _wrap_result(array: Any, where: device) -> Tensor:
    out = wrap(array if type(array) is ndarray else np.asarray(array))
    if where is not CPU:
        out._device, out._plain = where, False
    return out


def watched(
    primitive: Primitive, inputs: tuple[Any, ...], params: dict[str, Any], outs: tuple[Tensor, ...]
) -> None:
    """A primitive has run while some thread is in inference mode, or records a segment.

    Results of this thread's inference mode may never enter the tape.
    """
    if mode.inference:
        for out in outs:
            out._inference, out._plain = True, False
    if state.on_primitive is not None:
        state.on_primitive(primitive, inputs, params, outs)


def record(
    primitive: Primitive, inputs: tuple[Any, ...], params: dict[str, Any], outs: tuple[Tensor, ...]
) -> None:
    """Put a call on the tape, if a gradient can flow through it."""
    gradient = GRADIENTS[primitive.name]
    if gradient is None:
        return
    edges = []
    mask, bit = 0, 1
    for x, flows in zip(inputs, gradient.flows(len(inputs)), strict=True):
        edge = None
        if flows and isinstance(x, Tensor) and not x._plain:
            if x._view is not None:
                x._view.refresh(x)
            if x._requires_grad:
                node = x._grad_fn
                edge = (x, 0) if node is None else (node, x._output_index)
                mask += bit
        edges.append(edge)
        bit += bit
    if mask:
        for out in outs:
            if out._array.dtype.kind in "fcV":
                PrimitiveNode(gradient, tuple(edges), mask, inputs, params, outs)
                return


def _wrap_view(primitive: Primitive, base: Tensor, result: Any, params: dict) -> Any:
    several = type(result) is tuple
    outs = tuple([share(base, array) for array in result]) if several else (share(base, result),)
    if mode.grad and not base._plain:
        record(primitive, (base,), params, outs)
    for number, out in enumerate(outs):
        out._view = ViewInfo.of(base, primitive.name, params, number if several else None)
        out._plain = False
    if state.on_primitive is not None:
        state.on_primitive(primitive, (base,), params, outs)
    return outs if several else outs[0]


def _clash(name: str, arrays: list[Any]) -> RuntimeError:
    shapes = [np.shape(a) for a in arrays]
    return broadcast_error(name, shapes[-2] if len(shapes) > 1 else (), shapes[-1])


def _general(primitive: Primitive) -> Callable[..., Any]:
    def call(*inputs: Any, **params: Any) -> Any:
        return bind(primitive, inputs, params)

    return call


def _record_one(
    gradient: Gradient | None, inputs: tuple, arrays: tuple, params: dict[str, Any], out: Tensor
) -> None:
    """`record` for one elementwise result: what is never asked of such nodes is left out.

    Shapes and dtypes are kept of the operands that gradients flow to, and of no others.
    """
    if gradient is None or out._array.dtype.kind not in "fcV":
        return
    edges: list[Any] = []
    metas: list[Any] = []
    mask, bit = 0, 1
    for x, array, flows in zip(inputs, arrays, gradient.each_flows, strict=True):
        edge = meta = None
        if not isinstance(x, Tensor):
            meta = x
        elif flows and not x._plain:
            if x._view is not None:
                x._view.refresh(x)
            if x._requires_grad:
                node = x._grad_fn
                edge = (x, 0) if node is None else (node, x._output_index)
                meta = (array.shape, array.dtype)
                mask += bit
        edges.append(edge)
        metas.append(meta)
        bit += bit
    if mask:
        PrimitiveNode.of_one(gradient, edges, metas, mask, inputs, params, out)


def _unary(primitive: Primitive) -> Callable[..., Any]:
    array_rule = RULES[primitive.name]
    gradient = GRADIENTS[primitive.name]

    def call(a: Tensor, **params: Any) -> Tensor:
        plain = a._plain
        if not plain and a._device is not CPU:
            return bind(primitive, (a,), params)
        token = enter(SETTING)
        try:
            array = array_rule(a._array, **params)
        finally:
            leave(token)
        out = new(Tensor)
        out._array = array if type(array) is ndarray else np.asarray(array)
        if not plain and mode.grad:
            _record_one(gradient, (a,), (a._array,), params, out)
        if modes.watched_regions:
            watched(primitive, (a,), params, (out,))
        return out

    return call


def _binary(primitive: Primitive) -> Callable[..., Any]:
    array_rule = RULES[primitive.name]
    gradient = GRADIENTS[primitive.name]
    exact = primitive.name in EXACT_BESIDE_NUMBERS

    def call(a: Any, b: Any) -> Tensor:
        x, y, plain = a, b, True
        if isinstance(a, Tensor):
            x, plain = a._array, a._plain
        if isinstance(b, Tensor):
            y, plain = b._array, plain and b._plain
        if not plain and not _both_on_cpu(a, b):
            return bind(primitive, (a, b), {})
        token = enter(SETTING)
        try:
            if type(x) is float or type(y) is float:
                array = beside_number(array_rule, x, y, exact)
            else:
                array = array_rule(x, y)
        except ValueError as error:
            raise _clash(primitive.name, [x, y]) from error
        finally:
            leave(token)
        out = new(Tensor)
        out._array = array if type(array) is ndarray else np.asarray(array)
        if not plain and mode.grad:
            _record_one(gradient, (a, b), (x, y), {}, out)
        if modes.watched_regions:
            watched(primitive, (a, b), {}, (out,))
        return out

    return call


def _both_on_cpu(a: Any, b: Any) -> bool:
    return getattr(a, "_device", CPU) is CPU and getattr(b, "_device", CPU) is CPU


def _callable_for(primitive: Primitive) -> Callable[..., Any]:
    if primitive.elementwise and len(primitive.operands) == 1:
        return _unary(primitive)
    if primitive.elementwise and len(primitive.operands) == 2:
        return _binary(primitive)
    return _general(primitive)


def complete() -> None:
    """Give every declared primitive its callable; families declared later call this again."""
    for name, primitive in PRIMITIVES.items():
        if name not in P.__dict__:
            call = _callable_for(primitive)
            call.__name__ = call.__qualname__ = name
            P.__dict__[name] = call


complete()


def constant_like(t: Tensor, value: float) -> Tensor:
    """A tensor filled with `value`, of t's shape, dtype and device."""
    return filled(t, t._array.shape, value)
