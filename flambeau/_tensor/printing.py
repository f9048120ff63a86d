"""How tensors print: the same text as PyTorch's, character for character."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._engine.autograd.tensor import Tensor
from .._engine.base import defaults, dtypes
from .._engine.base.devices import CPU
from .._ops.declare import method


@dataclass
class _Options:
    """What `set_printoptions` sets.

    Attributes:
        precision: digits after the point.
        threshold: tensors of more elements are summarised.
        edgeitems: elements shown at either end of a summarised dimension.
        linewidth: characters in a line.
        sci_mode: scientific notation always, never, or (None) where it helps.
    """

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


options = _Options()
_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print.

    Args:
        precision: digits after the point (4).
        threshold: tensors with more elements are summarised (1000).
        edgeitems: elements shown at either end of a summarised dimension (3).
        linewidth: characters in a line (80).
        profile: "default", "short" or "full": a starting point for the others.
        sci_mode: scientific notation always or never; None decides by the numbers.
    """
    if profile is not None:
        start = _PROFILES[profile]
        options.precision, options.threshold = start.precision, start.threshold
        options.edgeitems, options.linewidth = start.edgeitems, start.linewidth
    given = {
        "precision": precision, "threshold": threshold, "edgeitems": edgeitems,
        "linewidth": linewidth,
    }  # fmt: skip
    for name, value in given.items():
        if value is not None:
            setattr(options, name, value)
    options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The print settings, by name."""
    return dict(vars(options))


class printoptions:
    """A context in which tensors print with other settings: arguments as `set_printoptions`."""

    def __init__(self, **settings: Any):
        self.settings = settings

    def __enter__(self) -> None:
        self.before = get_printoptions()
        set_printoptions(**self.settings)

    def __exit__(self, *exc: object) -> None:
        for name, value in self.before.items():
            setattr(options, name, value)


Format = Callable[[Any], str]


def _format_for(values: np.ndarray) -> tuple[Format, int]:
    """How to write one number so that all line up, and the width of the widest."""
    if values.dtype.kind not in "f":
        width = max((len(_plain(v)) for v in values.tolist()), default=1)
        return (lambda v: _plain(v).rjust(width)), width
    wide = values.astype(np.float64)
    counted = wide[np.isfinite(wide) & (wide != 0)]
    if not counted.size:
        # all of them zero, infinite or NaN: nothing to line up
        return _float_format(1, "whole"), 1
    style = _style(counted, whole=_whole(counted))
    width = max(max(len(_float_text(v, style)) for v in counted.tolist()), 1)
    return _float_format(width, style), width


def _whole(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return bool((finite == np.ceil(finite)).all())


def _plain(value: Any) -> str:
    return str(value)


def _style(counted: np.ndarray, whole: bool) -> str:
    """ "whole" numbers end in a point, "fixed" have digits after it, "scientific" an exponent."""
    sizes = np.abs(counted)
    largest, smallest = sizes.max(), sizes.min()
    with np.errstate(all="ignore"):
        spread = largest / smallest > 1000.0
    helps = bool(spread or largest > 1.0e8 or (not whole and smallest < 1.0e-4))
    if helps if options.sci_mode is None else options.sci_mode:
        return "scientific"
    return "whole" if whole else "fixed"


def _float_text(value: float, style: str) -> str:
    if style == "scientific":
        return f"{value:.{options.precision}e}"
    if style == "whole":
        return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
    return f"{value:.{options.precision}f}"


def _float_format(width: int, style: str) -> Format:
    return lambda value: _float_text(value, style).rjust(width)


def _formatter(array: np.ndarray) -> tuple[Format, int]:
    """The format for an array's elements, and the width of one."""
    flat = array.reshape(-1)
    if array.dtype.kind != "c":
        return _format_for(flat)
    (real, real_width), (imag, imag_width) = _format_for(flat.real), _format_for(flat.imag)

    def write(value: complex) -> str:
        below = imag(value.imag).lstrip()
        sign = "" if below.startswith("-") else "+"
        return real(value.real) + sign + below + "j"

    return write, real_width + imag_width + 1


_MORE: Any = object()  # stands for the elements left out


def _shown(items: Sequence[Any], summarise: bool) -> list[Any]:
    """The items, those in the middle replaced by one mark."""
    edge = options.edgeitems
    if not summarise or len(items) <= 2 * edge:
        return list(items)
    return [*items[:edge], _MORE, *(items[len(items) - edge :] if edge else [])]


def _vector(values: Sequence[Any], indent: int, summarise: bool, write: Format, width: int) -> str:
    """One row, broken into lines that fit."""
    length = width + 2
    in_a_line = max(1, (options.linewidth - indent) // length)
    words = [" ..." if v is _MORE else write(v) for v in _shown(values, summarise)]
    lines = [words[i : i + in_a_line] for i in range(0, len(words), in_a_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(map(", ".join, lines)) + "]"


def _nested(values: Any, ndim: int, indent: int, summarise: bool, write: Format, width: int) -> str:
    if ndim == 0:
        return write(values)
    if ndim == 1:
        return _vector(values, indent, summarise, write, width)
    blocks = [
        "..." if v is _MORE
        else _nested(v, ndim - 1, indent + 1, summarise, write, width)
        for v in _shown(values, summarise)
    ]  # fmt: skip
    return "[" + ("," + "\n" * (ndim - 1) + " " * (indent + 1)).join(blocks) + "]"


def _edges(array: np.ndarray) -> np.ndarray:
    """The elements that a summary shows: only they decide the format."""
    for dim, size in enumerate(array.shape):
        if size > 2 * options.edgeitems:
            edge = options.edgeitems
            kept = np.r_[np.arange(edge), np.arange(size - edge, size)]
            array = array.take(kept, axis=dim)
    return array


def _elements(array: np.ndarray, indent: int) -> str:
    if array.dtype.kind == "V" or array.dtype == np.float16:
        array = array.astype(np.float32)
    summarise = array.size > options.threshold
    write, width = _formatter(_edges(array) if summarise else array)
    return _nested(_lists(array, summarise), array.ndim, indent, summarise, write, width)


def _lists(array: np.ndarray, summarise: bool) -> Any:
    """Nested lists of Python numbers; what a summary leaves out is not converted."""
    if array.ndim == 0 or not summarise:
        return array.tolist()
    edge = options.edgeitems
    if array.shape[0] <= 2 * edge:
        return [_lists(part, True) for part in array]
    ends = [_lists(array[i], True) for i in (*range(edge), *range(-edge, 0))]
    return _Ends(ends[:edge], ends[edge:], array.shape[0])


class _Ends(Sequence):
    """The two ends of a long sequence."""

    def __init__(self, first: list[Any], last: list[Any], length: int):
        self.first, self.last, self.length = first, last, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        return self.first if index.start is None else self.last


def _suffixes(t: Tensor, shown_size: bool, dtype_known: bool) -> list[str]:
    """What follows the elements: device, size, dtype, and what autograd knows."""
    found = []
    if t._device is not CPU:
        found.append(f"device='{t._device}'")
    if shown_size:
        found.append(f"size={tuple(t._array.shape)}")
    if not dtype_known:
        found.append(f"dtype={dtypes.from_numpy(t._array.dtype)}")
    try:
        if t.grad_fn is not None:  # type: ignore[attr-defined]
            name = t.grad_fn.name().rpartition("::")[2]  # type: ignore[attr-defined]
            found.append(f"grad_fn=<{name}>")
        elif t.requires_grad:  # type: ignore[attr-defined]
            found.append("requires_grad=True")
    except RuntimeError:  # a view that has lost its history can still be looked at
        found.append("grad_fn=<Invalid>")
    return found


def _is_usual(d: dtypes.dtype, empty: bool) -> bool:
    """Whether a reader knows the dtype from the elements alone."""
    usual: tuple[dtypes.dtype, ...] = (defaults.get_default_dtype(),)
    if not empty:
        usual += (defaults.default_complex(), dtypes.int64, dtypes.bool_)
    return d in usual


def text_of(t: Tensor) -> str:
    """What `repr(tensor)` gives.

    >>> flambeau.ones(2, 2)
    tensor([[1., 1.],
            [1., 1.]])
    """
    plain = type(t) is Tensor or type(t).__name__ == "Parameter"
    prefix = "tensor(" if plain else f"{type(t).__name__}("
    array, d = t._array, dtypes.from_numpy(t._array.dtype)
    if t._device is not CPU:
        body, suffixes = "...", _suffixes(t, True, d is defaults.get_default_dtype())
    elif not array.size:
        body, suffixes = "[]", _suffixes(t, array.ndim != 1, _is_usual(d, empty=True))
    else:
        body = _elements(array, len(prefix))
        suffixes = _suffixes(t, False, _is_usual(d, empty=False))
    return _closed(prefix, body, suffixes)


def _closed(prefix: str, body: str, suffixes: list[str]) -> str:
    """The suffixes on the last line as far as they fit, then on lines of their own."""
    parts = [prefix + body]
    last_line = len(parts[0]) - parts[0].rfind("\n") + 1
    for suffix in suffixes:
        if last_line + len(suffix) + 2 > options.linewidth:
            parts.append(",\n" + " " * len(prefix) + suffix)
            last_line = len(prefix) + len(suffix)
        else:
            parts.append(", " + suffix)
            last_line += len(suffix) + 2
    return "".join(parts) + ")"


@method()
def __repr__(self: Tensor, *, tensor_contents: str | None = None) -> str:
    return text_of(self)


@method()
def __format__(self: Tensor, spec: str) -> str:
    """0-dim tensors format as the number they hold."""
    if self._array.ndim == 0 and self._device is CPU and type(self) is Tensor:
        return format(self.item(), spec)  # type: ignore[attr-defined]
    return object.__format__(self, spec)
