"""Calling a primitive on tensors: `P.mul(a, b)` runs its eager rule and records it on the tape.

This is the one place where tensors meet array rules. Unary and binary elementwise primitives
have a short path of their own: most of an eager op's cost is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import dtypes
from ..base.devices import CPU, device
from ..base.errors import broadcast_error, device_error
from ..eager import RULES
from ..eager.quiet import SETTING, enter, leave
from ..prims import PRIMITIVES, Primitive
from .mode import mode
from .node import PrimitiveNode, edge_to
from .rules.shared import P, filled
from .table import GRADIENTS
from .tensor import Tensor, new, share, wrap
from .views import ViewInfo

ndarray = np.ndarray


def bind(primitive: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Run a primitive on tensors (or numbers): eager rule, wrapping, views, tape."""
    where = _common_device(primitive, inputs)
    arrays = [x._array if isinstance(x, Tensor) else x for x in inputs]
    if where is not CPU:
        from .meta import run_on_meta

        result = run_on_meta(primitive, arrays, params)
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
    several = type(result) is tuple
    outs = tuple(_wrap_result(r, where) for r in (result if several else (result,)))
    if mode.grad:
        record(primitive, inputs, params, outs)
    return outs if several else outs[0]


def _wrap_result(array: Any, where: device) -> Tensor:
    out = wrap(array if type(array) is ndarray else np.asarray(array))
    if where is not CPU:
        out._device, out._plain = where, False
    return out


def _common_device(primitive: Primitive, inputs: tuple[Any, ...]) -> device:
    where = None
    for x in inputs:
        if isinstance(x, Tensor) and x._device is not where:
            if where is None or _is_number_on_cpu(where, inputs):
                where = x._device
            elif not (x._device is CPU and x._array.ndim == 0):
                raise device_error(primitive.name, [where, x._device])
    return where or CPU


def _is_number_on_cpu(where: device, inputs: tuple[Any, ...]) -> bool:
    """Whether all the tensors on the CPU are 0-dim: those go along with any device."""
    return where is CPU and all(
        x._array.ndim == 0 for x in inputs if isinstance(x, Tensor) and x._device is CPU
    )


def record(
    primitive: Primitive, inputs: tuple[Any, ...], params: dict[str, Any], outs: tuple[Tensor, ...]
) -> None:
    """Put a call on the tape, if a gradient can flow through it."""
    gradient = GRADIENTS[primitive.name]
    if gradient is None:
        return
    edges = tuple(
        edge_to(x)
        if isinstance(x, Tensor) and not x._plain and gradient.differentiates(i)
        else None
        for i, x in enumerate(inputs)
    )
    if any(e is not None for e in edges) and any(o._array.dtype.kind in "fcV" for o in outs):
        PrimitiveNode(gradient, edges, inputs, params).attach(outs)


def _wrap_view(primitive: Primitive, base: Tensor, array: ndarray, params: dict) -> Tensor:
    out = share(base, array)
    if mode.grad:
        record(primitive, (base,), params, (out,))
    out._view = ViewInfo.of(base, primitive.name, params)
    out._plain = False
    return out


def _clash(name: str, arrays: list[Any]) -> RuntimeError:
    shapes = [np.shape(a) for a in arrays]
    return broadcast_error(name, shapes[-2] if len(shapes) > 1 else (), shapes[-1])


def _general(primitive: Primitive) -> Callable[..., Any]:
    def call(*inputs: Any, **params: Any) -> Any:
        return bind(primitive, inputs, params)

    return call


def _unary(primitive: Primitive) -> Callable[..., Any]:
    array_rule = RULES[primitive.name]

    def call(a: Tensor, **params: Any) -> Tensor:
        if not a._plain:
            return bind(primitive, (a,), params)
        token = enter(SETTING)
        try:
            array = array_rule(a._array, **params)
        finally:
            leave(token)
        out = new(Tensor)
        out._array = array if type(array) is ndarray else np.asarray(array)
        return out

    return call


def _binary(primitive: Primitive) -> Callable[..., Any]:
    array_rule = RULES[primitive.name]

    def call(a: Any, b: Any) -> Tensor:
        try:
            if not (a._plain and b._plain):
                return bind(primitive, (a, b), {})
            x, y = a._array, b._array
        except AttributeError:  # a Python number
            return bind(primitive, (a, b), {})
        token = enter(SETTING)
        try:
            array = array_rule(x, y)
        except ValueError as error:
            raise _clash(primitive.name, [x, y]) from error
        finally:
            leave(token)
        out = new(Tensor)
        out._array = array if type(array) is ndarray else np.asarray(array)
        return out

    return call


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


def dtype_of(t: Tensor) -> dtypes.dtype:
    """The tensor's dtype."""
    return dtypes.from_numpy(t._array.dtype)
