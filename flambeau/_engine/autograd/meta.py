"""Tensors without data: shapes and dtypes flow through primitives, numbers do not."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.errors import broadcast_error
from ..eager import RULES
from ..prims import Primitive
from ..prims.primitive import Aval


def empty_array(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array over memory that is reserved but never touched."""
    return np.empty(shape, dtype)


def run_on_meta(primitive: Primitive, arrays: list[Any], params: dict[str, Any]) -> Any:
    """A primitive's result without its numbers.

    Views are stride arithmetic, so their eager rules serve. Where a row has no shape rule the
    eager rule runs on zeros, which costs time and is right where the shape depends on shapes.
    """
    if primitive.view:
        return RULES[primitive.name](*arrays, **params)
    if primitive.shape is None:
        if primitive.name == "nonzero":
            raise NotImplementedError(
                f"{primitive.name}: the result's shape depends on data, and a meta tensor has none"
            )
        zeros = [np.zeros(a.shape, a.dtype) if isinstance(a, np.ndarray) else a for a in arrays]
        return RULES[primitive.name](*zeros, **params)
    avals = [Aval(a.shape, a.dtype) if isinstance(a, np.ndarray) else a for a in arrays]
    try:
        result = primitive.shape(*avals, **params)
    except ValueError as error:
        shapes = [np.shape(a) for a in arrays]
        raise broadcast_error(primitive.name, shapes[0], shapes[-1]) from error
    if isinstance(result, Aval):
        return empty_array(result.shape, result.dtype)
    return tuple(empty_array(r.shape, r.dtype) for r in result)
