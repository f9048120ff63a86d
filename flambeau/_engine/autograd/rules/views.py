"""Gradients of views."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..table import gradient, joint_gradient
from .shared import P, filled

_INT64 = np.dtype(np.int64)

gradient("alias", lambda g: g)
gradient("view", lambda g, a_shape: reshaped(g, a_shape))
gradient(
    "permute", lambda g, dims: P.permute(g, dims=tuple(dims.index(d) for d in range(len(dims))))
)
# the engine sums the stretched dimensions back
gradient("expand", lambda g: g)
gradient("slice", lambda g, a_shape, index: P.unslice(g, shape=a_shape, index=index))
gradient(
    "diagonal",
    lambda g, a_shape, offset, dim1, dim2: _placed(
        g, a_shape, lambda z: P.diagonal(z, offset=offset, dim1=dim1, dim2=dim2)
    ),
)
gradient(
    "unfold",
    lambda g, a_shape, dim, size, step: _placed(
        g, a_shape, lambda z: P.unfold(z, dim=dim, size=size, step=step)
    ),
)
gradient(
    "as_strided",
    lambda g, shape, strides, offset, layout: _strided_back(g, shape, strides, offset, layout),
)
gradient("view_as_real", lambda g: P.view_as_complex(P.copy(g, order="C")))
gradient("view_as_complex", lambda g: P.view_as_real(P.copy(g, order="C")))
gradient("view_dtype", lambda g, a_dtype: P.view_dtype(g, dtype=a_dtype.numpy))
joint_gradient("split", lambda gs, dim, squeeze: (_joined(gs, dim, squeeze),))


def _joined(gs: Any, dim: int, squeeze: bool) -> Any:
    """The gradients of a split's pieces, side by side."""
    if not squeeze:
        return P.cat(*gs, dim=dim)
    shape = gs[0]._array.shape
    if dim < len(shape):  # one view of the whole instead of one a piece
        whole = P.cat(*gs, dim=dim)
        return P.view(whole, shape=(*shape[:dim], len(gs), *shape[dim:]))
    lead = tuple((0, n, 1) for n in shape)
    return P.cat(*[P.slice(g, index=(*lead, None)) for g in gs], dim=dim)


def reshaped(g: Any, shape: tuple[int, ...]) -> Any:
    """A view of g in another shape, of a copy where memory does not allow it."""
    try:
        return P.view(g, shape=shape)
    except ValueError:
        return P.view(P.copy(g, order="C"), shape=shape)


def _placed(g: Any, shape: tuple[int, ...], view: Any) -> Any:
    """Zeros of `shape` with g added where `view` looks."""
    positions = _positions(g, shape, view)
    return _put(g, shape, positions)


def _positions(g: Any, shape: tuple[int, ...], view: Any) -> Any:
    """The flat position in `shape` of each element that `view` looks at."""
    count = 1
    for size in shape:
        count *= size
    flat = P.arange(start=0, step=1, count=count, dtype=_INT64)
    return view(P.view(flat, shape=shape))


def _put(g: Any, shape: tuple[int, ...], positions: Any) -> Any:
    count = 1
    for size in shape:
        count *= size
    flat = reshaped(g, (g._array.size,))
    index = reshaped(positions, (g._array.size,))
    return P.view(P.scatter_add(filled(g, (count,), 0), index, flat, dim=0), shape=shape)


def _strided_back(g: Any, shape: Any, strides: Any, offset: int, layout: Any) -> Any:
    """Through the operand's own memory layout: scatter g into it, then read the operand's view."""
    own_shape, own_strides, own = layout
    count = max(_reach(own_shape, own_strides, own), _reach(shape, strides, own + offset))
    flat = ((count,), (1,), 0)
    positions = P.arange(start=0, step=1, count=count, dtype=_INT64)
    index = P.as_strided(positions, shape=shape, strides=strides, offset=own + offset, layout=flat)
    memory = P.scatter_add(
        filled(g, (count,), 0),
        reshaped(index, (index._array.size,)),
        reshaped(g, (g._array.size,)),
        dim=0,
    )
    seen = P.as_strided(memory, shape=own_shape, strides=own_strides, offset=own, layout=flat)
    return P.copy(seen, order="K")


def _reach(shape: Any, strides: Any, offset: int) -> int:
    """How many elements of memory a view needs, counted from the storage's start."""
    return offset + 1 + sum(max(n - 1, 0) * s for n, s in zip(shape, strides, strict=True))
