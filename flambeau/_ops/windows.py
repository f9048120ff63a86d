"""Windows that taper a signal: `torch.signal.windows`, and the older ones at the top level."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.autograd.tensor import Tensor
from .._engine.base import defaults, devices, dtypes
from .._engine.base.dtypes import dtype
from .._engine.base.formats import strided
from .._engine.eager.special.bessel import i0
from .arguments import as_dtype_argument, integer
from .creation import finish
from .declare import op
from .promote import as_dtype, literal

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]

_SPACE = "signal.windows"
_HANN = (0.5, 0.5)
_HAMMING = (0.54, 0.46)
_BLACKMAN = (0.42, 0.5, 0.08)
_NUTTALL = (0.3635819, 0.4891775, 0.1365995, 0.0106411)

Shape = Callable[[int], np.ndarray]


def _cosines(a: tuple[float, ...]) -> Shape:
    """a[0] - a[1] cos(t) + a[2] cos(2 t) - ..., t from 0 to 2 pi."""

    def values(count: int) -> np.ndarray:
        t = np.arange(count) * (2 * math.pi / max(count - 1, 1))
        return sum(  # type: ignore[return-value]
            (-1) ** k * weight * np.cos(k * t) for k, weight in enumerate(a)
        )

    return values


def _triangle(count: int) -> np.ndarray:
    return 1 - np.abs(2 * np.arange(count) / max(count - 1, 1) - 1)


def _kaiser(beta: float) -> Shape:
    """I0(beta sqrt(1 - u^2)) / I0(beta), u from -1 to 1."""

    def values(count: int) -> np.ndarray:
        u = 2 * np.arange(count) / max(count - 1, 1) - 1
        return i0(beta * np.sqrt(np.maximum(1 - u * u, 0))) / i0(np.asarray(float(beta)))

    return values


def _made(
    values: Shape, count: int, symmetric: bool, d: dtype, device: Any, requires_grad: bool
) -> Tensor:
    """A symmetric window, or a periodic one: without the last point of one more."""
    if count == 1:
        window = np.ones(1)
    else:
        window = values(count if symmetric else count + 1)[:count]
    t = as_dtype(literal(window.astype(np.float64)), d)
    return finish(t, devices.resolve(device), requires_grad)


def _window(
    values: Shape,
    name: str,
    M: int,
    sym: bool,
    d: Any,
    layout: Any,
    device: Any,
    requires_grad: bool,
) -> Tensor:
    """A window of torch.signal.windows.

    Raises:
        ValueError: M is negative, or the layout or dtype is one it has no windows for.
    """
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout not in (None, strided):
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    d = as_dtype_argument(name, d) or defaults.get_default_dtype()
    if d not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {d}")
    return _made(values, M, sym, d, device, requires_grad)


def _fixed(name: str, values: Shape, doc: str) -> Any:
    """Declare a window without parameters of its own."""

    def function(
        M: int,
        *,
        sym: bool = True,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
    ) -> Tensor:
        return _window(values, name, M, sym, dtype, layout, device, requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{doc}, of M points; `sym=False` gives a periodic one, for spectral analysis."
    )
    return op(namespace=_SPACE)(function)


def _tuned(name: str, parameter: str, default: Any, make: Callable[[Any], Shape], doc: str) -> Any:
    """Declare a window with one parameter: `make` checks it and gives the window's values."""

    def function(
        M: int,
        *,
        sym: bool = True,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        **options: Any,
    ) -> Tensor:
        unknown = options.keys() - {parameter}
        if unknown or default is ... and not options:
            raise TypeError(f"{name}() takes the keyword argument '{parameter}', got {options}")
        shape = make(options.get(parameter, default))
        return _window(shape, name, M, sym, dtype, layout, device, requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{doc}, of M points; `sym=False` gives a periodic one, for spectral analysis."
    )
    return op(namespace=_SPACE)(function)


def _general_cosine(a: Any) -> Shape:
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return _cosines(tuple(a))


def _gaussian(std: float) -> Shape:
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return lambda count: np.exp(-0.5 * ((np.arange(count) - (count - 1) / 2) / std) ** 2)


def _checked_kaiser(beta: float) -> Shape:
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return _kaiser(beta)


bartlett = _fixed("bartlett", _triangle, "A triangle that ends in zeros")
blackman = _fixed("blackman", _cosines(_BLACKMAN), "Blackman's sum of three cosines")
hamming = _fixed("hamming", _cosines(_HAMMING), "Hamming's raised cosine")
hann = _fixed("hann", _cosines(_HANN), "Hann's raised cosine")
nuttall = _fixed("nuttall", _cosines(_NUTTALL), "Nuttall's sum of four cosines")
cosine = _fixed(
    "cosine", lambda count: np.sin((np.arange(count) + 0.5) * (math.pi / max(count, 1))),
    "Half a sine wave",
)  # fmt: skip
general_cosine = _tuned(
    "general_cosine", "a", ..., _general_cosine, "a[0] - a[1] cos(t) + a[2] cos(2 t) - ..."
)
general_hamming = _tuned(
    "general_hamming", "alpha", 0.54, lambda alpha: _cosines((alpha, 1 - alpha)),
    "alpha - (1 - alpha) cos(t)",
)  # fmt: skip
gaussian = _tuned("gaussian", "std", 1.0, _gaussian, "exp(-n^2 / (2 std^2)) about the middle")
kaiser = _tuned("kaiser", "beta", 12.0, _checked_kaiser, "Kaiser's window, of shape `beta`")


@op(namespace=_SPACE)
def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """exp(-|n - center| / tau), of M points; the middle is the center by default.

    Raises:
        ValueError: tau is not positive, or a symmetric window is given a center.
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def values(count: int) -> np.ndarray:
        middle = (count - 1) / 2 if center is None else center
        return np.exp(-np.abs(np.arange(count) - middle) / tau)

    return _window(values, "exponential", M, sym, dtype, layout, device, requires_grad)


def _older(name: str, make: Callable[..., Shape], doc: str) -> Any:
    """Declare one of the windows at PyTorch's top level: `make` takes what follows `periodic`."""

    def function(
        window_length: int,
        periodic: bool = True,
        *parameters: float,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        pin_memory: bool = False,
        requires_grad: bool = False,
        **named: float,
    ) -> Tensor:
        count = integer(name, "window_length", window_length)
        d = as_dtype_argument(name, dtype) or defaults.get_default_dtype()
        if not d.is_floating_point:
            raise RuntimeError(f"{name} expects floating point dtypes, got: {d}")
        if count < 0:
            raise RuntimeError(f"{name} requires non-negative window_length, got {count}")
        return _made(make(*parameters, **named), count, not periodic, d, device, requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}; periodic by default, as spectral analysis needs it."
    return op()(function)


bartlett_window = _older("bartlett_window", lambda: _triangle, "A triangle that ends in zeros")
blackman_window = _older(
    "blackman_window", lambda: _cosines(_BLACKMAN), "Blackman's sum of three cosines"
)
hann_window = _older("hann_window", lambda: _cosines(_HANN), "Hann's raised cosine")
hamming_window = _older(
    "hamming_window", lambda alpha=0.54, beta=0.46: _cosines((alpha, beta)),
    "Hamming's raised cosine, alpha - beta cos(t)",
)  # fmt: skip
kaiser_window = _older(
    "kaiser_window", lambda beta=12.0: _kaiser(beta), "Kaiser's window, of shape `beta`"
)
