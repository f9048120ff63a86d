"""torch.fft: one row a transform, in one, two and n dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import defaults, devices
from .._engine.base.dtypes import dtype
from .._engine.base.shapes import wrap_dim, wrap_dims
from .arguments import as_dtype_argument
from .creation import finish
from .declare import op
from .promote import as_dtype, dtype_of, floating_input, literal

_SPACE = "fft"
_INVERSE = {None: "backward", "backward": "backward", "forward": "forward", "ortho": "ortho"}


def _scale(norm: str | None, count: int, forward: bool) -> float:
    """The factor of a transform over `count` points.

    Raises:
        RuntimeError: an unknown normalisation.
    """
    mode = _INVERSE.get(norm)
    if mode is None:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if mode == "ortho":
        return 1.0 / math.sqrt(count)
    return 1.0 / count if (mode == "forward") == forward else 1.0


def _input(name: str, x: Tensor, *, complex_: bool) -> Tensor:
    if x._array.dtype.itemsize == 2 and x._array.dtype.kind in "fV":
        raise RuntimeError(f"Unsupported dtype {dtype_of(x).word} for torch.fft.{name}")
    x = floating_input(x)
    if complex_ and x._array.dtype.kind != "c":
        return as_dtype(x, dtype_of(x).to_complex())
    if not complex_ and x._array.dtype.kind == "c":
        raise RuntimeError(f"{name} expects a real input tensor, but got {dtype_of(x).word}")
    return x


def _resized(name: str, x: Tensor, dims: tuple[int, ...], sizes: tuple[int, ...]) -> Tensor:
    """Cut or padded with zeros to the sizes of the transform."""
    shape = x._array.shape
    wanted = dict(zip(dims, sizes, strict=True))
    for n in sizes:
        if n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
    if any(n < shape[d] for d, n in wanted.items()):
        x = P.slice(x, index=tuple((0, min(n, wanted.get(d, n)), 1) for d, n in enumerate(shape)))
    if any(n > shape[d] for d, n in wanted.items()):
        widths = tuple((0, max(0, wanted.get(d, n) - n)) for d, n in enumerate(x._array.shape))
        x = P.pad(x, widths=widths, value=0)
    return x


def _dims_and_sizes(x: Tensor, s: Any, dim: Any) -> tuple[tuple[int, ...], list[int | None]]:
    """The dims of a transform and its sizes (None: the tensor's own)."""
    ndim = x._array.ndim
    if isinstance(s, int):
        s = (s,)
    if dim is None:
        dims = tuple(range(ndim)) if s is None else tuple(range(ndim - len(s), ndim))
        if s is not None and len(s) > ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions."
            )
    else:
        given = (dim,) if isinstance(dim, int) else tuple(dim)
        try:
            dims = wrap_dims(given, ndim)
        except RuntimeError:
            raise RuntimeError("FFT dims must be unique") from None
        if ndim == 0 and given:
            raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if s is not None and len(s) != len(dims):
        raise RuntimeError(
            "When given, dim and shape arguments must have the same length, got "
            f"{len(dims)} and {len(s)}"
        )
    sizes: list[int | None] = (
        [None if n == -1 else n for n in s] if s is not None else ([None] * len(dims))
    )
    return dims, sizes


def _complex_to_complex(name: str, x: Tensor, s: Any, dim: Any, norm: Any, forward: bool) -> Tensor:
    x = _input(name, x, complex_=True)
    dims, wanted = _dims_and_sizes(x, s, dim)
    sizes = tuple(x._array.shape[d] if n is None else n for d, n in zip(dims, wanted, strict=True))
    x = _resized(name, x, dims, sizes)
    if not dims:
        return P.copy(x, order="K")
    return P.fft(x, dims=dims, scale=_scale(norm, math.prod(sizes), forward), forward=forward)


def _real_to_half(name: str, x: Tensor, s: Any, dim: Any, norm: Any, forward: bool) -> Tensor:
    x = _input(name, x, complex_=False)
    dims, wanted = _dims_and_sizes(x, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    sizes = tuple(x._array.shape[d] if n is None else n for d, n in zip(dims, wanted, strict=True))
    x = _resized(name, x, dims, sizes)
    return P.fft_real(x, dims=dims, scale=_scale(norm, math.prod(sizes), forward), forward=forward)


def _half_to_real(name: str, x: Tensor, s: Any, dim: Any, norm: Any, forward: bool) -> Tensor:
    x = _input(name, x, complex_=True)
    dims, wanted = _dims_and_sizes(x, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    last = wanted[-1]
    size = 2 * (x._array.shape[dims[-1]] - 1) if last is None else last
    if size < 1:
        raise RuntimeError(f"Invalid number of data points ({size}) specified")
    sizes = [x._array.shape[d] if n is None else n for d, n in zip(dims, wanted, strict=True)]
    sizes[-1] = size // 2 + 1
    x = _resized(name, x, dims, tuple(sizes))
    count = math.prod(sizes[:-1]) * size
    return P.fft_to_real(
        x, dims=dims, size=size, scale=_scale(norm, count, forward), forward=forward
    )


# name of the one-dimensional transform: how it works, the sign, what it does
_TRANSFORMS = {
    "fft": (_complex_to_complex, True, "The discrete Fourier transform"),
    "ifft": (_complex_to_complex, False, "The inverse discrete Fourier transform"),
    "rfft": (_real_to_half, True, "The transform of a real signal, its first half"),
    "irfft": (_half_to_real, False, "The real signal whose transform's first half is given"),
    "hfft": (_half_to_real, True, "The real transform of a Hermitian signal's first half"),
    "ihfft": (_real_to_half, False, "The first half of the Hermitian signal of a real transform"),
}


def _one(name: str) -> Any:
    run, forward, doc = _TRANSFORMS[name]

    def function(input: Tensor, n: int | None = None, dim: int = -1, norm: Any = None) -> Tensor:
        return run(name, input, None if n is None else (n,), dim, norm, forward)

    return _declared(name, function, f"{doc} along `dim`, of `n` points.")


def _several(base: str, suffix: str, default: Any) -> Any:
    run, forward, doc = _TRANSFORMS[base]
    name = base + suffix

    def function(input: Tensor, s: Any = None, dim: Any = default, norm: Any = None) -> Tensor:
        if run is _real_to_half and not forward or run is _half_to_real and forward:
            return _hermitian(name, input, s, dim, norm)
        return run(name, input, s, dim, norm, forward)

    where = "the last two dimensions" if suffix == "2" else "several dimensions"
    return _declared(name, function, f"{doc}, over {where}.")


def _declared(name: str, function: Any, doc: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(namespace=_SPACE, out=True)(function)


def _hermitian(name: str, x: Tensor, s: Any, dim: Any, norm: Any) -> Tensor:
    """Only the last dimension is halved; the others are transformed with the same sign."""
    forward = name.startswith("hfft")
    if forward:
        return _half_to_real(name, x, s, dim, norm, True)
    return _real_to_half(name, x, s, dim, norm, False)


fft, ifft, rfft, irfft, hfft, ihfft = (_one(name) for name in _TRANSFORMS)
fft2, ifft2, rfft2, irfft2, hfft2, ihfft2 = (_several(name, "2", (-2, -1)) for name in _TRANSFORMS)
fftn, ifftn, rfftn, irfftn, hfftn, ihfftn = (_several(name, "n", None) for name in _TRANSFORMS)


def _frequencies(name: str, make: Any, doc: str) -> Any:
    def function(
        n: int,
        d: float = 1.0,
        *,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
    ) -> Tensor:
        wanted = as_dtype_argument(name, dtype) or defaults.get_default_dtype()
        values = make(n, d).astype(wanted.numpy)
        return finish(literal(values), devices.resolve(device), requires_grad)

    return _declared(name, function, doc)


fftfreq = _frequencies("fftfreq", np.fft.fftfreq, "The frequencies of `fft`'s n coefficients.")
rfftfreq = _frequencies("rfftfreq", np.fft.rfftfreq, "The frequencies of `rfft`'s coefficients.")


def _shifted(name: str, doc: str, backwards: bool) -> Any:
    def function(input: Tensor, dim: Any = None) -> Tensor:
        ndim = input._array.ndim
        dims = tuple(range(ndim)) if dim is None else wrap_dims(dim, ndim)
        for d in dims:
            size = input._array.shape[d]
            turn = size // 2 if backwards else (size + 1) // 2
            lead = tuple((0, n, 1) for n in input._array.shape[:d])
            tail = P.slice(input, index=(*lead, (turn, size, 1)))
            input = P.cat(tail, P.slice(input, index=(*lead, (0, turn, 1))), dim=wrap_dim(d, ndim))
        return input

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op(namespace=_SPACE)(function)


fftshift = _shifted("fftshift", "The zero frequency moved to the middle.", False)
ifftshift = _shifted("ifftshift", "`fftshift` undone.", True)
