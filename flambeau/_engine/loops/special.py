"""Primitives that are kernels of their own: which calls have native code, and their Special.

Conventions between these descriptions and `llvm.special`:

- A kernel's arguments are, in order: the state of the generator, where the primitive draws
  (an OBJECT buffer over `GeneratorState.memory()`, 625 uint32); the operands that are Values;
  the results.
- An operand that is no Value (a Python number, a Number, None) is a parameter "operand0",
  "operand1" ... by its place among the operands; dtypes are given by name. The first operand of
  index_put, scatter and scatter_add may be a Python number: the result starts as full of it.
- Operands may have any strides. Results are C-contiguous and overlap no operand, with one
  exception: the result of a primitive in IN_PLACE may be at the very address of its first
  operand, if that has the same layout; the kernel sees it and makes no copy.
- A kernel that meets an index out of range returns the fault code OUT_OF_RANGE. It may have
  written to its result then, but not if it is one of IN_PLACE: these check all indices first.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..graph.ir import Node, Number, Value, values_of
from ..prims.resampling import Taps
from .kernel import Special

OUT_OF_RANGE = 1  # the fault code of an index that eager refuses
_MOST_TAPS = 4096  # of a resampling
STATE_WORDS = 625  # a generator's memory: 624 words of the twister and the position among them

# The result may take the place of the first operand.
IN_PLACE = frozenset({"index_put", "scatter", "scatter_add", "scatter_reduce"})

Layout = Callable[[Value], tuple[int, ...]]

_REAL = frozenset({"float32", "float64"})
_MOVED = _REAL | {
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "float16",
    "bfloat16", "complex64",
}  # fmt: skip
_DRAWN = _REAL | {"int8", "int16", "int32", "int64", "uint8"}
_SUMMED = _REAL | {"int32", "int64"}


def special(node: Node, layout: Layout) -> Special:
    """The kernel of a node that `supports` accepts.

    Args:
        layout: the strides, in elements, of a value's memory.
    """
    values = (*values_of(node.inputs), *node.outputs)
    arguments = [(value.dtype.name, value.shape, layout(value)) for value in values]
    params = {key: _hashable(value) for key, value in node.params.items() if key != "generator"}
    if node.params.get("generator") is not None:
        arguments.insert(0, ("uint32", (STATE_WORDS,), (1,)))
    for place, operand in enumerate(node.inputs):
        if not isinstance(operand, Value):
            params[f"operand{place}"] = _hashable(operand)
    return Special(node.name, tuple(arguments), tuple(sorted(params.items())))


def supports(node: Node) -> bool:
    """Whether a primitive call has native code among the Specials."""
    check = _CHECKS.get(node.name)
    if check is None or any(0 in value.shape for value in node.outputs):
        return False
    return check(node)


def _hashable(value: Any) -> Any:
    if isinstance(value, Number):
        return ("number", value.position)
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, Taps):
        weights = None if value.weights is None else tuple(value.weights.tolist())
        return (
            value.size, tuple(value.sources.tolist()), weights, tuple(value.starts.tolist()),
        )  # fmt: skip
    return tuple(map(_hashable, value)) if isinstance(value, (tuple, list)) else value


# --- which calls ---------------------------------------------------------------------------


def _static(node: Node) -> bool:
    return not any(isinstance(x, Number) for x in (*node.inputs, *node.params.values()))


def _of(dtypes: frozenset[str]) -> Callable[[Node], bool]:
    """Every operand is a Value, and they and the first result have one dtype, one of `dtypes`."""

    def check(node: Node) -> bool:
        dtype = node.outputs[0].dtype
        return (
            _static(node)
            and dtype.name in dtypes
            and all(isinstance(x, Value) and x.dtype == dtype for x in node.inputs)
        )

    return check


def _indexed(first: int, last: int | None = None) -> Callable[[Node], bool]:
    """Operands `first` to `last` are integer index tensors, and the others have one dtype."""

    def check(node: Node) -> bool:
        dtype = node.outputs[0].dtype
        indices = node.inputs[first:last]
        others = [x for x in node.inputs if all(x is not i for i in indices)]
        adds = node.name in ("scatter_add", "scatter_reduce") or node.params.get("accumulate")
        return (
            _static(node)
            and dtype.name in (_SUMMED if adds else _MOVED)
            and all(isinstance(i, Value) and i.dtype.kind in "iu" for i in indices)
            and all(x.dtype == dtype for x in others if isinstance(x, Value))
            and all(x is not None for x in others)
        )

    return check


def _nll(node: Node) -> bool:
    dtype, target = node.outputs[0].dtype, node.inputs[1]
    reals = [x for x in (node.inputs[0], *node.inputs[2:]) if x is not None]
    return (
        _static(node)
        and dtype.name in _REAL
        and isinstance(target, Value)
        and target.dtype.kind in "iu"
        and all(isinstance(x, Value) and x.dtype == dtype for x in reals)
    )


def _drawing(*numbers: str, dtypes: frozenset[str] = _REAL) -> Callable[[Node], bool]:
    """Draws of `dtypes` whose parameters, but for those of `numbers`, are static."""

    def check(node: Node) -> bool:
        params = {key: value for key, value in node.params.items() if key not in numbers}
        return (
            not any(isinstance(value, Number) for value in params.values())
            and node.params.get("generator") is not None
            and node.outputs[0].dtype.name in dtypes
        )

    return check


def _normal(node: Node) -> bool:
    """Sixteen or more, which leave no number over for the next call."""
    many = prod(node.params["shape"]) >= 16 and not node.params["serial"]
    return many and _drawing()(node)


def _integers(node: Node) -> bool:
    low, high = node.params["low"], node.params["high"]
    if low is None or high is None or not _drawing(dtypes=_DRAWN)(node):
        return False
    if node.outputs[0].dtype.kind == "f":  # bounds that are exact
        return max(abs(low), abs(high)) <= 1 << 24
    return high - low < 1 << 63


def _permutation(node: Node) -> bool:
    count = node.params["count"]
    return _drawing(dtypes=_SUMMED - _REAL)(node) and count < 1 << 27


def _convolution(node: Node) -> bool:
    """Real numbers, something to sum over, and borders that are not negative."""
    whole = all(0 not in x.shape for x in node.inputs)
    return whole and _of(_REAL)(node) and all(low >= 0 for low, _ in node.params["padding"])


def _pooling(node: Node) -> bool:
    """Real numbers, and positions that fit 32 bits."""
    rank = len(node.params["kernel" if "kernel" in node.params else "size"])
    shape = node.inputs[0].shape
    return _of(_REAL)(node) and prod(shape[len(shape) - rank :]) < 1 << 30


def _resample(node: Node) -> bool:
    """Taps that are few enough to be written down in the kernel."""
    return _of(_REAL)(node) and len(node.params["taps"].sources) <= _MOST_TAPS


_CHECKS: dict[str, Callable[[Node], bool]] = {
    "nll_loss": _nll,
    "nll_loss_grad": _nll,
    "embedding": _indexed(1),
    "gather": _indexed(1),
    "index": _indexed(1),
    "index_put": _indexed(2),
    "scatter": _indexed(1, 2),
    "scatter_add": _indexed(1, 2),
    "scatter_reduce": _indexed(1, 2),
    "cumsum": _of(_SUMMED),
    "cumprod": _of(_SUMMED),
    "copy": _of(_MOVED),
    "cat": _of(_MOVED),
    "pad": _of(_MOVED),
    "flip": _of(_MOVED),
    "unslice": _of(_MOVED),
    "check_index": lambda node: node.inputs[0].dtype.kind in "iu" and _static(node),
    "random_uniform": _drawing(),
    "random_normal": _normal,
    "random_bernoulli": _drawing("p"),
    "dropout_mask": _drawing("keep", "scale"),
    "random_integers": _integers,
    "random_permutation": _permutation,
    "convolution": _convolution,
    "convolution_input_grad": _convolution,
    "convolution_weight_grad": _convolution,
    "resample": _resample,
    "max_pool": _pooling,
    "window_sum": _pooling,
    "fold_windows": _pooling,
}
