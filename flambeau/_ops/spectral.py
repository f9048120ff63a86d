"""The short-time Fourier transform and its inverse."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from . import fourier
from .checks import refuse
from .declare import op
from .nn.padding import pad
from .pointwise import mul
from .promote import dtype_of
from .shaping import reshape, transpose

__all__ = ["istft", "stft"]


def _along_last(x: Tensor, start: int, stop: int) -> Tensor:
    lead = tuple((0, n, 1) for n in x._array.shape[:-1])
    return P.slice(x, index=(*lead, (start, stop, 1)))


def _frame_window(name: str, window: Any, length: int, n_fft: int, like: Tensor) -> Tensor:
    """The window, of ones by default, padded on both sides to n_fft points.

    Raises:
        RuntimeError: it has not `length` points.
    """
    if window is None:
        window = P.full(shape=(length,), value=1, dtype=dtype_of(like).to_real().numpy)
    if window._array.ndim != 1 or window._array.size != length:
        raise RuntimeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={length}, but got "
            f"window with size {list(window._array.shape)}"
        )
    left = (n_fft - length) // 2
    return P.pad(window, widths=((left, n_fft - length - left),), value=0)


@op(method=True)
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Fourier transforms of overlapping, windowed frames: (..., frequency, frame).

    Args:
        hop_length: from one frame to the next, n_fft / 4 by default.
        win_length: points of `window`, n_fft by default.
        center: pad the signal so that frame t is centred on t * hop_length.
        onesided: only the frequencies up to the middle; default for real signals.
        return_complex: False gives real and imaginary parts in a last dimension.

    Raises:
        RuntimeError: sizes do not fit, or a real input without `return_complex`.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    complex_ = input._array.dtype.kind == "c" or (
        window is not None and window._array.dtype.kind == "c"
    )
    _check_stft(input, n_fft, hop, length, return_complex, complex_)
    if align_to_window is not None and center:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    taper = _frame_window("stft", window, length, n_fft, input)
    x = input if input._array.ndim == 2 else reshape(input, (1, -1))
    if center:
        half = n_fft // 2
        x = reshape(
            pad(reshape(x, (1, *x._array.shape)), (half, half), pad_mode), (x._array.shape[0], -1)
        )
    size = x._array.shape[-1]
    if not 0 < n_fft <= size:
        raise RuntimeError(
            f"stft({list(input._array.shape)}, n_fft={n_fft}, hop_length={hop}, "
            f"win_length={length}): expected 0 < n_fft <= {size}, but got n_fft={n_fft}"
        )
    frames = mul(P.unfold(x, dim=1, size=n_fft, step=hop), taper)
    one = not complex_ if onesided is None else onesided
    transform = fourier.rfft if one else fourier.fft
    found = transpose(transform(frames, norm="ortho" if normalized else None), 1, 2)
    if input._array.ndim == 1:
        found = P.slice(found, index=(0, *((0, n, 1) for n in found._array.shape[1:])))
    return (
        found if return_complex or (return_complex is None and complex_) else P.view_as_real(found)
    )


def _check_stft(
    input: Tensor, n_fft: int, hop: int, length: int, return_complex: Any, complex_: bool
) -> None:
    if input._array.dtype.kind not in "fc" or not 1 <= input._array.ndim <= 2:
        raise RuntimeError(
            "stft: expected a 1D or 2D tensor of floating or complex values, got "
            f"{dtype_of(input).word}{list(input._array.shape)}"
        )
    if hop <= 0:
        raise RuntimeError(f"stft: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        raise RuntimeError(
            f"stft: expected 0 < win_length <= n_fft, but got win_length={length}, n_fft={n_fft}"
        )
    if return_complex is None and not complex_:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will "
            "further require that return_complex=True in a future PyTorch release."
        )


def _gap_error(envelope: Tensor) -> RuntimeError:
    least = np.abs(envelope._array).min()
    return RuntimeError(f"istft: window overlap add min: {least} (expected > 1e-11)")


@op(method=True)
def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal whose `stft` is `input`: frames are transformed back, windowed, and added up.

    Raises:
        RuntimeError: sizes do not fit, or the squared windows do not cover every point.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    points = n_fft if win_length is None else win_length
    if input._array.dtype.kind != "c":
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    rank, bins = input._array.ndim, input._array.shape[-2] if input._array.ndim > 1 else 0
    one = (bins != n_fft) if onesided is None else onesided
    _check_istft(input, n_fft, hop, points, one, return_complex)
    taper = _frame_window("istft", window, points, n_fft, input)
    x = input if rank == 3 else reshape(input, (1, *input._array.shape))
    spectra = transpose(x, 1, 2)
    norm = "ortho" if normalized else None
    if return_complex:
        frames = fourier.ifft(spectra, norm=norm)
    else:
        half = _along_last(spectra, 0, n_fft // 2 + 1)
        frames = fourier.irfft(half, n_fft, norm=norm)
    signal = _overlapped(mul(frames, taper), hop)
    count = frames._array.shape[1]
    squares = P.expand(P.square(taper), shape=(1, count, n_fft))
    envelope = _overlapped(squares, hop)
    start = n_fft // 2 if center else 0
    whole = signal._array.shape[-1]
    end = start + length if length is not None else (whole - n_fft // 2 if center else whole)
    signal, envelope = (_along_last(t, start, min(end, whole)) for t in (signal, envelope))
    refuse(P.logical_not(P.gt(P.abs(envelope), 1e-11)), lambda: _gap_error(envelope))
    found = signal / envelope  # type: ignore[operator]
    if end > whole:
        found = P.pad(found, widths=((0, 0), (0, end - whole)), value=0)
    if rank == 3:
        return found
    return P.slice(found, index=(0, (0, found._array.shape[1], 1)))


def _overlapped(frames: Tensor, hop: int) -> Tensor:
    """Frames (batch, count, size) added up, each `hop` after the one before."""
    batch, count, size = frames._array.shape
    found = P.permute(frames, dims=(2, 0, 1))
    return P.fold_windows(found, size=((count - 1) * hop + size,), stride=(hop,), dilation=(1,))


def _check_istft(
    input: Tensor, n_fft: int, hop: int, points: int, onesided: bool, return_complex: bool
) -> None:
    shape = input._array.shape
    if not 2 <= len(shape) <= 3 or 0 in shape:
        raise RuntimeError(
            f"istft: expected a nonempty tensor with 2 or 3 dimensions, got {list(shape)}"
        )
    bins = n_fft // 2 + 1 if onesided else n_fft
    if shape[-2] != bins:
        raise RuntimeError(
            "istft: expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match {'n_fft / 2 + 1' if onesided else 'n_fft'} when onesided={onesided}, but got "
            f"{shape[-2]}"
        )
    if not 0 < hop <= points <= n_fft:
        raise RuntimeError(
            f"istft: expected 0 < hop_length <= win_length <= n_fft, got {hop}, {points}, {n_fft}"
        )
    if onesided and return_complex:
        raise RuntimeError("istft: cannot have onesided output if window or input is complex")
