"""Primitives of several steps written as elementwise steps and reductions, which fuse.

softmax and its kin, standardize, nll_loss and the recurrent cells' gates: each is a few lines
here, in the arithmetic of its eager rule, and becomes (a part of) one kernel with whatever
surrounds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from ..base.shapes import contiguous_strides
from ..eager import RULES
from ..graph.ir import REGION_WRITE, Graph, Node, Operand, Value
from .building import INT64, Builder, renamed, with_nodes

Rule = Callable[[Builder, Node], tuple[Value, ...]]


def decompose(graph: Graph) -> Graph:
    """The graph without the primitives that this file takes apart."""
    builder = Builder()
    by: dict[Value, Value] = {}
    for node in graph.nodes:
        node = renamed(node, by)
        rule = _RULES.get(node.name)
        if rule is None or not all(_filled(x) for x in (*node.inputs, *node.outputs)):
            builder.nodes.append(node)
            continue
        builder.event = node.event
        made = rule(builder, node)
        if not made:
            builder.nodes.append(node)
            continue
        for old, new in zip(node.outputs, made, strict=True):
            by[old] = builder.convert(new, old.dtype)
    return with_nodes(graph, builder.nodes, by)


def _filled(x: Operand) -> bool:
    return not isinstance(x, Value) or 0 not in x.shape


def _shifted(b: Builder, node: Node) -> tuple[Value, tuple[int, ...]]:
    """The operand less its maximum along the dimension: exponentials of it cannot overflow."""
    a = b.widened(node.inputs[0])
    dims = (node.params["dim"],) if a.shape else ()
    return b.call("sub", a, b.call("amax", a, dims=dims, keepdim=True)), dims


def _softmax(b: Builder, node: Node) -> tuple[Value, ...]:
    shifted, dims = _shifted(b, node)
    each = b.call("exp", shifted)
    # one division a row: a total is at least 1, so its reciprocal loses half a unit at most
    return (b.call("mul", each, b.call("reciprocal", b.total(each, dims))),)


def _safe_softmax(b: Builder, node: Node) -> tuple[Value, ...]:
    a, dims = b.widened(node.inputs[0]), (node.params["dim"],)
    most = b.call("amax", a, dims=dims, keepdim=True)
    most = b.call("where", b.call("eq", most, -inf), 0.0, most)
    each = b.call("exp", b.call("sub", a, most))
    total = b.total(each, dims)
    total = b.call("where", b.call("eq", total, 0.0), 1.0, total)
    return (b.call("mul", each, b.call("reciprocal", total)),)


def _log_softmax(b: Builder, node: Node) -> tuple[Value, ...]:
    shifted, dims = _shifted(b, node)
    return (b.call("sub", shifted, b.call("log", b.total(b.call("exp", shifted), dims))),)


def _standardize(b: Builder, node: Node) -> tuple[Value, ...]:
    a, dims = b.widened(node.inputs[0]), node.params["dims"]
    mean = b.mean(a, dims)
    centred = b.call("sub", a, mean)
    var = b.mean(b.call("square", centred), dims)
    deviation = b.call("sqrt", b.call("add", var, float(node.params["eps"])))
    return b.call("mul", centred, b.call("reciprocal", deviation)), mean, var


# --- negative log likelihood ---------------------------------------------------------------------


def _hits(b: Builder, node: Node, target: Value, shape: tuple[int, ...]) -> tuple[Value, Any]:
    """Where an element of `shape` is its target's; and where a target counts, if some may not."""
    dim = 1 if len(shape) > 1 else 0
    classes, ignored = shape[dim], node.params["ignore_index"]
    target = b.convert(target, INT64)
    params = {"low": 0, "high": classes, "ignored": ignored}
    b.nodes.append(Node("check_index", (target,), params, (), node.event))
    counted = b.call("ne", target, ignored)
    if 0 <= ignored < classes:
        target = b.call("where", counted, target, -1)
    column = b.call("arange", start=0, step=1, count=classes, dtype=INT64)
    column = b.view(column, (classes, *(1,) * (len(shape) - dim - 1)))
    spread = (*target.shape[:dim], 1, *target.shape[dim:])
    return b.call("eq", column, b.view(target, spread)), counted


def _nll_loss(b: Builder, node: Node) -> tuple[Value, ...]:
    a, target, weight = node.inputs
    if weight is not None:
        return ()
    a = b.widened(a)
    hit, counted = _hits(b, node, target, a.shape)
    dim = 1 if len(a.shape) > 1 else 0
    picked = b.call("neg", b.total(b.call("where", hit, a, 0), (dim,), keepdim=False))
    every = tuple(range(len(target.shape)))
    total = b.total(b.convert(counted, a.dtype), every, keepdim=False)
    if node.params["reduction"] == "none":
        return picked, total
    loss = b.total(picked, every, keepdim=False)
    return b.call("div", loss, total) if node.params["reduction"] == "mean" else loss, total


def _nll_loss_grad(b: Builder, node: Node) -> tuple[Value, ...]:
    g, target, weight, total = node.inputs
    if weight is not None:
        return ()
    g, total, shape = b.widened(g), b.widened(total), node.params["shape"]
    each = b.call("neg", g)
    if node.params["reduction"] == "mean":
        each = b.call("div", each, total)
    elif node.params["reduction"] == "none":
        dim = 1 if len(shape) > 1 else 0
        each = b.view(each, (*target.shape[:dim], 1, *target.shape[dim:]))
    hit, _ = _hits(b, node, target, shape)
    return (b.call("where", hit, each, 0),)


# --- writes to parts of a value ------------------------------------------------------------------


def region_of(array: np.ndarray, steps: Sequence[tuple[str, dict, int | None]]) -> np.ndarray:
    """The part of an array that view steps lead to."""
    for name, params, number in steps:
        made = RULES[name](array, **params)
        array = made if number is None else made[number]
    return array


def _region_write(b: Builder, node: Node) -> tuple[Value, ...]:
    """What is written gets the region's shape and dtype: then the write is a copy."""
    base, value = node.inputs
    shape = region_of(_shell(base), node.params["steps"]).shape
    if not isinstance(value, Value):
        value = b.full(shape, value, base.dtype)
    value = b.convert(value, base.dtype)
    if value.shape != shape:
        value = b.add("expand", (value,), {"shape": shape}, shape, base.dtype)
    if value is node.inputs[1]:
        return ()
    return (b.add(REGION_WRITE, (base, value), node.params, base.shape, base.dtype),)


def _shell(value: Value) -> np.ndarray:
    """An array of a value's shape and dtype that takes no memory; for its strides only."""
    strides = [s * value.dtype.itemsize for s in contiguous_strides(value.shape)]
    return np.lib.stride_tricks.as_strided(np.zeros(1, value.dtype), value.shape, strides)


# --- recurrent cells -----------------------------------------------------------------------------


def _parts(b: Builder, a: Value, size: int) -> list[Value]:
    """`a` in pieces of `size` along its last dimension."""
    lead = tuple((0, n, 1) for n in a.shape[:-1])
    starts = range(0, a.shape[-1], size)
    return [b.slice(a, (*lead, (start, start + size, 1))) for start in starts]


# The steps of a cell that its gradient needs again are made once for both. Kept are the gates then
# instead of their sum: as much memory. The gradient's operands are the cell's own, and not those of
# an earlier computation of it, which checkpointing would have given back.


def _lstm_steps(b: Builder, x: Value, h: Value, c: Value) -> tuple[Value, ...]:
    """The gates i, f, g and o, the new cell, and its tanh."""

    def make() -> tuple[Value, ...]:
        cell = b.widened(c)
        i, f, g, o = _parts(b, b.call("add", b.widened(x), b.widened(h)), cell.shape[-1])
        i, f, o = (b.call("sigmoid", part) for part in (i, f, o))
        g = b.call("tanh", g)
        new = b.call("add", b.call("mul", f, cell), b.call("mul", i, g))
        return i, f, g, o, new, b.call("tanh", new)

    return b.once(("lstm", x, h, c), make)


def _lstm_gates(b: Builder, node: Node) -> tuple[Value, ...]:
    _, _, _, o, new, squashed = _lstm_steps(b, *node.inputs)
    return b.call("mul", o, squashed), new


def _product(b: Builder, *factors: Value) -> Value:
    out = factors[0]
    for factor in factors[1:]:
        out = b.call("mul", out, factor)
    return out


def _rest(b: Builder, a: Value) -> Value:
    """1 - a."""
    return b.call("sub", 1.0, a)


def _cat(b: Builder, *parts: Value) -> Value:
    return b.call("cat", *parts, dim=len(parts[0].shape) - 1)


def _lstm_gates_grad(b: Builder, node: Node) -> tuple[Value, ...]:
    i, f, g, o, _, squashed = _lstm_steps(b, *node.inputs[2:])
    g_h, g_c, c = (b.widened(node.inputs[place]) for place in (0, 1, 4))
    slope = _rest(b, b.call("square", squashed))
    g_c = b.call("add", g_c, _product(b, g_h, o, slope))
    of_x = _cat(
        b,
        _product(b, g_c, g, i, _rest(b, i)),
        _product(b, g_c, c, f, _rest(b, f)),
        _product(b, g_c, i, _rest(b, b.call("square", g))),
        _product(b, g_h, squashed, o, _rest(b, o)),
    )
    return of_x, b.call("mul", g_c, f)


def _gru_steps(b: Builder, x: Value, hidden: Value) -> tuple[Value, ...]:
    """The gates r, z and n, and the hidden part of n before r."""

    def make() -> tuple[Value, ...]:
        size = x.shape[-1] // 3
        x_parts, h_parts = (_parts(b, b.widened(part), size) for part in (x, hidden))
        r, z = (b.call("sigmoid", b.call("add", x_parts[p], h_parts[p])) for p in range(2))
        n = b.call("tanh", b.call("add", x_parts[2], b.call("mul", r, h_parts[2])))
        return r, z, n, h_parts[2]

    return b.once(("gru", x, hidden), make)


def _gru_gates(b: Builder, node: Node) -> tuple[Value, ...]:
    x, hidden, h = node.inputs
    _, z, n, _ = _gru_steps(b, x, hidden)
    return (b.call("add", n, b.call("mul", z, b.call("sub", b.widened(h), n))),)


def _gru_gates_grad(b: Builder, node: Node) -> tuple[Value, ...]:
    _, x, hidden, _ = node.inputs
    r, z, n, h_n = _gru_steps(b, x, hidden)
    g, h = b.widened(node.inputs[0]), b.widened(node.inputs[3])
    g_n = _product(b, g, _rest(b, z), _rest(b, b.call("square", n)))
    g_r = _product(b, g_n, h_n, r, _rest(b, r))
    g_z = _product(b, g, b.call("sub", h, n), z, _rest(b, z))
    of_x = _cat(b, g_r, g_z, g_n)
    of_hidden = _cat(b, g_r, g_z, b.call("mul", g_n, r))
    return of_x, of_hidden, b.call("mul", g, z)


_RULES: dict[str, Rule] = {
    "softmax": _softmax, "safe_softmax": _safe_softmax, "log_softmax": _log_softmax,
    "standardize": _standardize,
    REGION_WRITE: _region_write,
    "nll_loss": _nll_loss, "nll_loss_grad": _nll_loss_grad, "lstm_gates": _lstm_gates,
    "lstm_gates_grad": _lstm_gates_grad, "gru_gates": _gru_gates,
    "gru_gates_grad": _gru_gates_grad,
}  # fmt: skip
