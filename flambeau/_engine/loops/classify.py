"""What each node of a graph is to the lowering: a view, arithmetic on elements, a reduction ...

Also the dtype that a node computes in, and the Python numbers among its operands, which take the
dtype of the arrays they meet.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ..eager.precision import is_half
from ..graph.ir import REGION_WRITE, Node, Number, Value
from ..prims import PRIMITIVES
from .capabilities import Capabilities
from .indexing import VIEWS

VIEW, ELEMENT, REDUCE, PRODUCT, JOIN, CALL = (
    "view", "element", "reduce", "product", "join", "call",
)  # fmt: skip

name_of = functools.cache(lambda dtype: dtype.name)  # NumPy composes a name at each reading

BOOL = np.dtype(bool)
FLOAT32 = np.dtype(np.float32)
REDUCTIONS = frozenset({"sum", "prod", "amax", "amin", "any", "all", "argmax", "argmin"})
# elements that come from no arithmetic: copies, permuted ones among them, and sources
SOURCES = frozenset({"full", "arange"})
COPIES = frozenset({"copy", "flip"})
_PRODUCT_DTYPES = frozenset({"float32", "float64", "float16", "bfloat16"})
_LOOP_DTYPES = _PRODUCT_DTYPES | {"bool", "int8", "int16", "int32", "int64", "uint8"}
# functions that take some ten times as long as arithmetic
EXPENSIVE = frozenset(
    "exp expm1 log log1p log2 log10 exp2 sin cos tan asin acos atan sinh cosh tanh asinh acosh "
    "atanh sigmoid pow atan2 hypot erf erfc erfinv lgamma digamma remainder fmod "
    "floor_divide".split()
)


def classify(node: Node, capabilities: Capabilities) -> str:
    """One of VIEW, ELEMENT, REDUCE, PRODUCT, JOIN (values side by side) and CALL."""
    values = [*(x for x in node.inputs if isinstance(x, Value)), *node.outputs]
    if any(0 in value.shape for value in values):
        return CALL
    name = node.name
    if name in VIEWS:
        return VIEW
    if not all(name_of(value.dtype) in _LOOP_DTYPES for value in values):
        return CALL
    if name == "cat" or (name == REGION_WRITE and _fits_region(node)):
        return JOIN
    if name in SOURCES or name in COPIES:
        return ELEMENT if _plain_params(node) or name == "full" else CALL
    if name in REDUCTIONS:
        bad = name == "sum" and node.inputs[0].dtype == BOOL
        return CALL if bad or not _plain_params(node) else REDUCE
    if name in ("matmul", "linear"):
        return PRODUCT if _is_product(node, values) else CALL
    primitive = PRIMITIVES.get(name)
    if primitive is None or not primitive.elementwise or node.params.keys() - {"dtype"}:
        return CALL
    return ELEMENT if _has_code(node, capabilities) else CALL


def _fits_region(node: Node) -> bool:
    """Whether a region's new content is of its dtype, and strides lead to the region."""
    base, value = node.inputs
    if not isinstance(value, Value) or value.dtype != base.dtype:
        return False
    return all(name in VIEWS for name, _, _ in node.params["steps"])


def _plain_params(node: Node) -> bool:
    return not any(isinstance(x, Number) for x in node.params.values())


def _is_product(node: Node, values: list[Value]) -> bool:
    dtype = values[0].dtype
    if name_of(dtype) not in _PRODUCT_DTYPES or any(v.dtype != dtype for v in values):
        return False
    return len(node.inputs[0].shape) >= 1


def _has_code(node: Node, capabilities: Capabilities) -> bool:
    if len(node.outputs) != 1 or not any(isinstance(x, Value) for x in node.inputs):
        return False
    found = operand_dtype(node)
    for x in _arithmetic_operands(node):
        if isinstance(x, Value):
            if x.dtype != found:
                return False
        elif not _takes(found, x):
            return False
    result = node.outputs[0].dtype
    expected = node.params.get("dtype", result if result == BOOL else found)
    if result != expected:
        return False
    wide = name_of(computed_in(found))
    count = len(_arithmetic_operands(node))
    asked = ["bool", wide, wide] if node.name == "where" else [wide] * count
    if node.name == "where" and (not isinstance(node.inputs[0], Value) or _not_bool(node)):
        return False
    return capabilities.elementwise(node.name, asked, name_of(computed_in(result)))


def _not_bool(node: Node) -> bool:
    return node.inputs[0].dtype != BOOL


def _arithmetic_operands(node: Node) -> tuple[Any, ...]:
    return node.inputs[1:] if node.name == "where" else node.inputs


def operand_dtype(node: Node) -> np.dtype:
    """The dtype of the arrays that a node does arithmetic on."""
    found = [x.dtype for x in _arithmetic_operands(node) if isinstance(x, Value)]
    return found[0] if found else node.outputs[0].dtype


@functools.cache
def computed_in(dtype: np.dtype) -> np.dtype:
    """Half precision is computed in float32."""
    return FLOAT32 if is_half(dtype) else dtype


def _takes(dtype: np.dtype, x: Any) -> bool:
    """Whether a Python number beside an array of `dtype` means a number of that dtype."""
    if isinstance(x, Number):
        return dtype.kind in "fV" and x.kind is float
    if x is None or isinstance(x, complex):
        return False
    if dtype.kind in "fV":
        return True
    if dtype.kind in "iu" and isinstance(x, int) and not isinstance(x, bool):
        limits = np.iinfo(dtype)
        return limits.min <= x <= limits.max
    return dtype == BOOL and isinstance(x, bool)


def reduced_dims(node: Node) -> tuple[int, ...]:
    """The dimensions that a reduction goes over."""
    return node.params["dims"] if "dims" in node.params else (node.params["dim"],)


def weak_number(x: Any, dtype: np.dtype, exact: bool) -> Any:
    """A Python number as it counts beside an array of `dtype`: half arrays round it first,
    unless the primitive takes it `exact`."""
    if dtype.kind not in "fV":
        return x
    if is_half(dtype) and not exact and math.isfinite(x):
        return float(dtype.type(x))
    return float(x)
