"""Gradients of reductions, scans and softmax."""

from __future__ import annotations

from typing import Any

from ..table import gradient, joint_gradient, no_gradient
from .shared import P, conj, elements, filled, spread, zeros_like

gradient("sum", lambda g, a_shape, dims, keepdim: spread(g, a_shape, dims, keepdim))
gradient("prod", lambda g, a, out, dims, keepdim: _prod(g, a, out, dims, keepdim))
gradient("amax", lambda g, a, out, dims, keepdim: _extreme(g, a, out, dims, keepdim))
gradient("amin", lambda g, a, out, dims, keepdim: _extreme(g, a, out, dims, keepdim))
gradient("cumsum", lambda g, dim: _reversed_cumsum(g, dim))
gradient("cumprod", lambda g, a, out, dim: _cumprod(g, a, out, dim))
gradient("logcumsumexp", lambda g, a, out, dim: _logcumsumexp(g, a, out, dim))
for _name in ("softmax", "safe_softmax"):
    gradient(
        _name,
        lambda g, out, dim: (
            out * (g - P.sum(g * out, dims=(dim,), keepdim=True))
            if out._array.ndim
            else zeros_like(g)
        ),
    )
gradient(
    "log_softmax",
    lambda g, out, dim: (
        g - P.exp(out) * P.sum(g, dims=(dim,), keepdim=True) if out._array.ndim else zeros_like(g)
    ),
)
no_gradient("any", "all", "argmax", "argmin", "xor_all")


def _extreme(g: Any, a: Any, out: Any, dims: Any, keepdim: bool) -> Any:
    """Equal shares to all elements that attain the extreme."""
    hit = P.eq(a, spread(out, a._array.shape, dims, keepdim))
    hit = P.convert(hit, dtype=a._array.dtype)
    count = P.sum(hit, dims=dims, keepdim=True)
    return spread(g, a._array.shape, dims, keepdim) * (hit / count)


def _prod(g: Any, a: Any, out: Any, dims: Any, keepdim: bool) -> Any:
    """The product of the others, exact also where elements are zero."""
    shape = a._array.shape
    if not shape:
        return g
    if not (elements(a) == 0).any():
        return spread(g * conj(out), shape, dims, keepdim) / conj(a)
    others = _product_of_others(a, dims)
    return spread(g, shape, dims, keepdim) * conj(others)


def _product_of_others(a: Any, dims: Any) -> Any:
    """Exclusive products from the left and from the right, along the dims made one."""
    shape = a._array.shape
    kept = tuple(d for d in range(len(shape)) if d not in dims)
    order = kept + tuple(dims)
    moved = P.copy(P.permute(a, dims=order), order="C")
    lead = tuple(shape[d] for d in kept)
    flat = P.view(moved, shape=(*lead, -1 if moved._array.size else 0))
    last = len(lead)
    left = _exclusive_product(flat, last)
    right = P.flip(_exclusive_product(P.flip(flat, dims=(last,)), last), dims=(last,))
    back = P.view(left * right, shape=tuple(shape[d] for d in order))
    inverse = tuple(order.index(d) for d in range(len(shape)))
    return P.permute(back, dims=inverse)


def _exclusive_product(x: Any, dim: int) -> Any:
    shape = x._array.shape
    ones = filled(x, (*shape[:dim], 1, *shape[dim + 1 :]), 1)
    index = (*((0, n, 1) for n in shape[:dim]), (0, shape[dim] - 1, 1))
    return P.cumprod(P.cat(ones, P.slice(x, index=index), dim=dim), dim=dim)


def _reversed_cumsum(g: Any, dim: int) -> Any:
    if g._array.ndim == 0:
        return g
    return P.flip(P.cumsum(P.flip(g, dims=(dim,)), dim=dim), dims=(dim,))


def _cumprod(g: Any, a: Any, out: Any, dim: int) -> Any:
    if g._array.ndim == 0:
        return g
    if not (elements(a) == 0).any():
        return _reversed_cumsum(g * conj(out), dim) / conj(a)
    return _cumprod_with_zeros(g, a, dim)


def _cumprod_with_zeros(g: Any, a: Any, dim: int) -> Any:
    """Sum over k of g[k] * product of a[..k] without a[i], one i at a time."""
    count = a._array.shape[dim]
    lead = tuple((0, n, 1) for n in a._array.shape[:dim])

    def part(x: Any, start: int, stop: int) -> Any:
        return P.slice(x, index=(*lead, (start, stop, 1)))

    columns = []
    for i in range(count):
        one = filled(a, part(a, i, i + 1)._array.shape, 1)
        without = P.cat(part(a, 0, i), one, part(a, i + 1, count), dim=dim)
        tail = part(P.cumprod(without, dim=dim), i, count)
        weighted = part(g, i, count) * conj(tail)
        columns.append(P.sum(weighted, dims=(dim,), keepdim=True))
    return P.cat(*columns, dim=dim)


def _logcumsumexp(g: Any, a: Any, out: Any, dim: int) -> Any:
    if g._array.ndim == 0:
        return g
    # out grows along dim: subtracting its maximum keeps the exponentials finite
    complex_ = out._array.dtype.kind == "c"
    peak = P.amax(P.real_part(out) if complex_ else out, dims=(dim,), keepdim=True)
    if complex_:
        peak = P.convert(peak, dtype=out._array.dtype)
    scaled = g * conj(P.exp(peak - out))
    return _reversed_cumsum(scaled, dim) * conj(P.exp(a - peak))


def _scatter_back(gs: Any, outs: Any, a_shape: Any, dim: int) -> tuple:
    g, index = gs[0], outs[1]
    if not a_shape:
        return (g,)
    return (P.scatter_add(zeros_like(g), index, g, dim=dim),)


joint_gradient("cummax", _scatter_back)
joint_gradient("cummin", _scatter_back)
