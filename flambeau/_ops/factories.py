"""Further ways to make tensors: like another one (`new_*`), by strides, from two real parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import defaults, devices
from .._engine.base.dtypes import dtype
from .._engine.base.shapes import contiguous_strides
from .arguments import as_dtype_argument, sizes
from .creation import filled, finish, tensor
from .declare import method, op
from .promote import dtype_of, number
from .strided import as_strided

__all__ = ["complex", "empty_permuted", "empty_strided", "polar", "scalar_tensor"]


def _new(name: str, value: Any) -> None:
    """Attach `new_zeros` and its like: a factory with the tensor's dtype and device."""

    def function(
        self: Tensor,
        *given: Any,
        size: Any = None,
        dtype: dtype | None = None,
        device: Any = None,
        requires_grad: bool = False,
        layout: Any = None,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        shape = sizes(name, given if size is None else (size,))
        d = as_dtype_argument(name, dtype) or dtype_of(self)
        where = self._device if device is None else devices.resolve(device)
        return filled(shape, value, d, where, requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{name.removeprefix('new_')}` with this tensor's dtype and device."
    method(name)(function)


_new("new_zeros", 0)
_new("new_ones", 1)
_new("new_empty", 0)


@method()
def new_full(
    self: Tensor,
    size: Any,
    fill_value: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """`full` with this tensor's dtype and device."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()  # type: ignore[attr-defined]
    d = as_dtype_argument("new_full", dtype) or dtype_of(self)
    where = self._device if device is None else devices.resolve(device)
    shape = sizes("new_full", (size,))
    return filled(shape, fill_value, d, where, requires_grad)


@method()
def new_tensor(
    self: Tensor,
    data: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """`tensor(data)` with this tensor's dtype and device."""
    d = as_dtype_argument("new_tensor", dtype) or dtype_of(self)
    where = self._device if device is None else device
    return tensor(data, dtype=d, device=where, requires_grad=requires_grad)


@method()
def new(self: Tensor, *data: Any, device: Any = None) -> Tensor:
    """A tensor of this dtype: of the given sizes, or with the given data."""
    if (
        len(data) == 1
        and isinstance(data[0], (list, tuple, np.ndarray))
        and not hasattr(data[0], "numel")
    ):
        return new_tensor(self, data[0], device=device)
    shape = sizes("new", data) if data else (0,)
    return filled(shape, 0, dtype_of(self), self._device)


@op()
def empty_strided(
    size: Any,
    stride: Any,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor to be written to, with the given strides; flambeau fills it with zeros.

    Raises:
        RuntimeError: there is not one stride a size, or one is negative.
    """
    shape, strides = sizes("empty_strided", (size,)), sizes("empty_strided", (stride,))
    if len(shape) != len(strides):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides "
            f"({len(strides)})"
        )
    if any(n < 0 for n in (*shape, *strides)):
        raise RuntimeError(
            f"Storage size calculation overflowed with sizes={list(shape)} and "
            f"strides={list(strides)}"
        )
    d = as_dtype_argument("empty_strided", dtype) or defaults.get_default_dtype()
    reach = sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    count = 0 if 0 in shape else 1 + reach
    where = devices.resolve(device)
    memory = filled((count,), 0, d, where)
    laid_out = as_strided(memory, shape, strides, 0) if count else P.view(memory, shape=shape)
    return finish(laid_out, where, requires_grad)


@method()
def new_empty_strided(
    self: Tensor,
    size: Any,
    stride: Any,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """`empty_strided` with this tensor's dtype and device."""
    where = self._device if device is None else device
    d = dtype or dtype_of(self)
    return empty_strided(size, stride, dtype=d, device=where, requires_grad=requires_grad)


@op()
def empty_permuted(
    size: Any,
    physical_layout: Any,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor to be written to; `physical_layout` lists its dims from slowest to fastest.

    Raises:
        RuntimeError: the layout is no permutation of the dims.
    """
    shape, order = sizes("empty_permuted", (size,)), tuple(physical_layout)
    if len(shape) != len(order):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(shape)} is not equal to len(physical_layout) = {len(order)}"
        )
    for place, d in enumerate(order):
        if not 0 <= d < len(shape):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but got "
                f"{d} at index {place}).  NB: negative dims not currently supported; file an "
                "issue if you want it."
            )
    if len(set(order)) != len(order):
        raise RuntimeError("Duplicate dim not allowed")
    packed = contiguous_strides([shape[d] for d in order])
    strides = [packed[order.index(d)] for d in range(len(shape))]
    return empty_strided(shape, strides, dtype=dtype, device=device, requires_grad=requires_grad)


@op()
def scalar_tensor(
    s: Any,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """A 0-dim tensor of a number, of the default dtype unless another is given."""
    d = as_dtype_argument("scalar_tensor", dtype) or defaults.get_default_dtype()
    if isinstance(s, Tensor):
        return tensor(s, dtype=d, device=device, requires_grad=requires_grad)
    return filled((), number(s, d), d, devices.resolve(device), requires_grad)


def _check_parts(name: str, first: Tensor, second: Tensor) -> None:
    for x in (first, second):
        if x._array.dtype not in (np.float16, np.float32, np.float64):
            raise RuntimeError(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{dtype_of(first).word} and {dtype_of(second).word}"
            )
    if first._array.dtype != second._array.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {dtype_of(first).word} but got scalar type "
            f"{dtype_of(second).word} for second argument"
        )


@op(out="exact")
def complex(real: Tensor, imag: Tensor) -> Tensor:
    """real + imag * j, elementwise.

    Raises:
        RuntimeError: the dtypes differ or are not floating.
    """
    _check_parts("complex", real, imag)
    return P.make_complex(real, imag)


@op(out=True)
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """The complex numbers of given sizes and angles (radians), elementwise."""
    _check_parts("polar", abs, angle)
    return P.make_complex(P.mul(abs, P.cos(angle)), P.mul(abs, P.sin(angle)))
