"""Differences of neighbours, slopes, and integrals by the trapezoidal rule."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base.shapes import wrap_dim, wrap_dims
from .declare import op
from .joining import cat
from .promote import floating_input

__all__ = ["cumulative_trapezoid", "diff", "gradient", "trapezoid", "trapz"]


@op(method=True, out=True)
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None
) -> Tensor:
    """The n-th differences of neighbours along `dim`.

    Raises:
        RuntimeError: a 0-dim tensor, or a negative n.
    """
    if input._array.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    at = wrap_dim(dim, input._array.ndim)
    if n == 0:
        return P.copy(input, order="K")
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, at) if len(parts) > 1 else input
    for _ in range(min(n, x._array.shape[at])):
        high, low = _neighbours(x, at)
        boolean = x._array.dtype.kind == "b"
        x = P.logical_xor(high, low) if boolean else P.sub(high, low)
    return x


def _neighbours(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Everything but the first, and everything but the last, along `dim`."""
    lead = tuple((0, n, 1) for n in x._array.shape[:dim])
    size = x._array.shape[dim]
    high = P.slice(x, index=(*lead, (min(1, size), size, 1)))
    low = P.slice(x, index=(*lead, (0, max(size - 1, 0), 1)))
    return high, low


def _panels(y: Tensor, x: Any, dx: Any, dim: int) -> tuple[Tensor, int]:
    """The trapezoids under y between neighbouring points."""
    at = wrap_dim(dim, y._array.ndim)
    y = floating_input(y)
    high, low = _neighbours(y, at)
    width: Any = 1.0 if dx is None else dx
    if x is not None:
        points = x
        if points._array.ndim == 1 and y._array.ndim > 1:
            shape = [1] * y._array.ndim
            shape[at] = points._array.shape[0]
            points = points.reshape(shape)
        gaps = wrap_dim(dim, points._array.ndim) if points._array.ndim != y._array.ndim else at
        width = diff(points, dim=gaps)
    return (high + low) * width / 2, at  # type: ignore[operator]


@op()
def trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of y along `dim` by the trapezoidal rule."""
    panels, at = _panels(y, x, dx, dim)
    return P.sum(panels, dims=(at,), keepdim=False)


trapz = trapezoid


@op()
def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The running integral of y along `dim` by the trapezoidal rule."""
    panels, at = _panels(y, x, dx, dim)
    return P.cumsum(panels, dim=at)


_SPACING_ERROR = (
    "torch.gradient expected spacing to be unspecified, a scalar or a list of length equal to "
    "'self.dim() = {ndim}', since dim argument is not given, or of the length of dim, but got a "
    "list of length {count}"
)


@op()
def gradient(
    input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """Slopes along each of `dim` (all by default) by central differences.

    Args:
        spacing: the distance of neighbours, a number for each dim, or their coordinates.
        edge_order: the order of the one-sided differences at both ends, 1 or 2.

    Raises:
        RuntimeError: too few points, or spacing and dim do not fit.
    """
    ndim = input._array.ndim
    dims = tuple(range(ndim)) if dim is None else wrap_dims(dim, ndim)
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    steps = [1 if spacing is None else spacing] * len(dims)
    if isinstance(spacing, (list, tuple)):
        if len(spacing) != len(dims):
            raise RuntimeError(_SPACING_ERROR.format(ndim=ndim, count=len(spacing)))
        steps = list(spacing)
    for d, step in zip(dims, steps, strict=True):
        size = input._array.shape[d]
        if size < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1, but "
                f"dimension {d} has {size}"
            )
        if isinstance(step, Tensor) and step._array.shape != (size,):
            raise RuntimeError(
                "torch.gradient expected each tensor to be on the same device, one-dimensional "
                f"and of the size of its dimension ({size}), got {list(step._array.shape)}"
            )
    x = floating_input(input) if input._array.dtype.kind in "iub" else input
    return tuple(_slopes(x, d, step, edge_order) for d, step in zip(dims, steps, strict=True))


def _slopes(x: Tensor, dim: int, step: Any, edge_order: int) -> Tensor:
    """Weighted means of the slopes between neighbours; the shorter gap counts for more."""
    high, low = _neighbours(x, dim)
    if isinstance(step, Tensor):
        shape = [1] * x._array.ndim
        shape[dim] = -1
        gap: Any = diff(step).reshape(shape)  # type: ignore[attr-defined]
        slope = P.sub(high, low) / gap  # type: ignore[operator]
        after, before = _neighbours(gap, dim)
        share = before / (before + after)
    else:
        slope = P.sub(high, low) / step  # type: ignore[operator]
        share = 0.5
    later, earlier = _neighbours(slope, dim)
    inner = earlier + share * (later - earlier)
    first, last = _ends(slope, dim)
    if edge_order == 2:
        # the line through an end's slope and its inner neighbour's, prolonged to the edge
        near_first, near_last = _ends(inner, dim)
        first, last = 2 * first - near_first, 2 * last - near_last
    return cat([first, inner, last], dim)


def _ends(x: Tensor, dim: int) -> tuple[Any, Any]:
    lead = tuple((0, n, 1) for n in x._array.shape[:dim])
    size = x._array.shape[dim]
    return (P.slice(x, index=(*lead, (0, 1, 1))), P.slice(x, index=(*lead, (size - 1, size, 1))))
