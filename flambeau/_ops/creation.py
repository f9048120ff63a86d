"""Creating tensors: from data, and filled with constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.exposure import take_in
from .._engine.autograd.meta import empty_array
from .._engine.autograd.mode import mode
from .._engine.autograd.tensor import Tensor, mark_requires_grad, share, wrap
from .._engine.base import defaults, devices, dtypes
from .._engine.base.devices import CPU, device
from .._engine.base.dtypes import dtype
from .arguments import as_dtype_argument, sizes
from .declare import op
from .draws import inverse, memory_order
from .promote import dtype_of, literal

__all__ = [
    "as_tensor", "empty", "empty_like", "eye", "from_numpy", "full", "full_like", "ones",
    "ones_like", "tensor", "zeros", "zeros_like",
]  # fmt: skip


def finish(t: Tensor, where: device, requires_grad: bool) -> Tensor:
    """Give a fresh tensor its device and its grad flag.

    Raises:
        RuntimeError: grad is asked for and the dtype is neither floating nor complex.
    """
    if where is not CPU:
        t._device, t._plain = where, False
    if mode.inference:
        t._inference, t._plain = True, False
    if requires_grad:
        if dtype_of(t).category < dtypes.FLOATING:
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients"
            )
        mark_requires_grad(t)
    return t


def filled(
    shape: tuple[int, ...], value: Any, d: dtype, where: device, requires_grad: bool = False
) -> Tensor:
    """A fresh tensor of one value."""
    if any(size < 0 for size in shape):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}"
        )
    if where is not CPU:
        t = wrap(empty_array(shape, d.numpy))
    else:
        t = P.full(shape=shape, value=value, dtype=d.numpy)
    return finish(t, where, requires_grad)


def _factory(name: str, value: Any, doc: str) -> Any:
    def function(
        *size: Any,
        out: Tensor | None = None,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        pin_memory: bool = False,
        requires_grad: bool = False,
        memory_format: Any = None,
        names: Any = None,
    ) -> Tensor:
        if "size" in (names or {}):
            size = names["size"]
        shape = sizes(name, size)
        if out is not None:
            d = dtype_of(out) if dtype is None else dtype
            return into(out, filled(shape, value, d, out._device))
        d = as_dtype_argument(name, dtype) or defaults.get_default_dtype()
        return filled(shape, value, d, devices.resolve(device), requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op()(function)


def into(out: Tensor, value: Tensor) -> Tensor:
    from .declare import write_out

    return write_out("out", out, value)


zeros = _factory("zeros", 0, "A tensor of zeros.\n\n>>> flambeau.zeros(2)\ntensor([0., 0.])\n")
ones = _factory("ones", 1, "A tensor of ones.\n\n>>> flambeau.ones(2)\ntensor([1., 1.])\n")
empty = _factory("empty", 0, "A tensor to be written to; flambeau fills it with zeros.")


@op()
def full(
    size: Any,
    fill_value: Any,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    names: Any = None,
) -> Tensor:
    """A tensor of one value; the value's kind gives the dtype when none is given.

    >>> flambeau.full((2,), 7)
    tensor([7, 7])
    """
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    shape = sizes("full", (size,) if isinstance(size, (tuple, list)) else size)
    d = as_dtype_argument("full", dtype) or (dtype_of(out) if out is not None else None)
    if d is None:
        d = dtype_of_number(fill_value)
    result = filled(shape, fill_value, d, devices.resolve(device), requires_grad)
    return result if out is None else into(out, result)


def dtype_of_number(value: Any) -> dtype:
    """The dtype a Python number gives a new tensor."""
    found = dtypes.of_scalar(value)
    if found is dtypes.float64:
        return defaults.get_default_dtype()
    if found is dtypes.complex128:
        return defaults.default_complex()
    if found is None:
        raise TypeError(f"a number is expected, not {type(value).__name__}")
    return found


def _like(name: str, value: Any) -> Any:
    def function(
        input: Tensor,
        *,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        pin_memory: bool = False,
        requires_grad: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        return _filled_like(name, input, value, dtype, device, requires_grad)

    function.__name__ = function.__qualname__ = f"{name}_like"
    function.__doc__ = f"`{name}` with the shape, dtype, layout and device of `input`."
    return op()(function)


def _filled_like(
    name: str, input: Tensor, value: Any, d: Any, where: Any, requires_grad: bool
) -> Tensor:
    d = as_dtype_argument(name, d) or dtype_of(input)
    place = input._device if where is None else devices.resolve(where)
    shape = input._array.shape
    order = memory_order(input._array) if place is CPU and input._device is CPU else None
    if order is None:
        return filled(shape, value, d, place, requires_grad)
    t = P.full(shape=tuple(shape[dim] for dim in order), value=value, dtype=d.numpy)
    return finish(P.permute(t, dims=inverse(order)), place, requires_grad)


zeros_like = _like("zeros", 0)
ones_like = _like("ones", 1)
empty_like = _like("empty", 0)


@op()
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of one value with the shape, dtype and device of `input`."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    return _filled_like("full", input, fill_value, dtype, device, requires_grad)


def tensor(
    data: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data`: numbers, nested sequences, arrays or tensors.

    Raises:
        ValueError: the nesting is ragged.
        TypeError: the data are not numbers.

    >>> flambeau.tensor([[1, 2], [3, 4]]).dtype
    torch.int64
    """
    d = as_dtype_argument("tensor", dtype)
    where = devices.resolve(device) if device is not None or not isinstance(data, Tensor) else None
    array = canonical(np.array(array_from(data, d), copy=True, order="C"))
    t = wrap(array if where is None or where is CPU else empty_array(array.shape, array.dtype))
    return finish(t, where or data._device, requires_grad)


def array_from(data: Any, d: dtype | None = None) -> np.ndarray:
    """The array that `tensor(data, dtype=d)` holds; may share memory with `data`."""
    if isinstance(data, Tensor):
        array = data._array
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        if array.dtype.byteorder not in "=|":
            raise ValueError(
                "given numpy array has byte order different from the native byte "
                "order. Conversion between byte orders is currently not supported."
            )
        dtypes.from_numpy(array.dtype)
    else:
        return _array_from_python(data, d)
    return (
        array
        if d is None or array.dtype == d.numpy
        else P.convert(wrap(array), dtype=d.numpy)._array
    )


def _array_from_python(data: Any, d: dtype | None) -> np.ndarray:
    if _holds_tensors(data):
        data = _without_tensors(data)
    if d is None and isinstance(data, (list, tuple)) and hasattr(data, "__len__") and len(data):
        first = data[0]
        if isinstance(first, (np.ndarray, np.generic)):
            return np.array(data)
    try:
        array = np.array(data)
    except ValueError as error:
        raise ValueError(
            "expected sequence of equal length at every dimension: the nested sequence is ragged"
        ) from error
    except OverflowError as error:
        raise RuntimeError(f"Overflow when unpacking long long: {error}") from error
    if array.dtype.kind not in "biufc":
        raise _bad_data(data, array)
    if array.size == 0 and array.dtype == np.float64:
        array = array.astype((d or defaults.get_default_dtype()).numpy)
    if d is None:
        d = _default_for(array)
    too_wide = array.dtype.kind == "u" and array.dtype.itemsize == 8
    if too_wide and d.category == dtypes.INTEGER and d is not dtypes.uint64:
        raise RuntimeError("Overflow when unpacking long long")
    if array.dtype.kind == "i" and d.category == dtypes.INTEGER and d.itemsize < 8:
        _check_range(array, d)
    if array.dtype.kind == "c" and not d.is_complex:
        raise TypeError("can't convert complex to a real dtype")
    with np.errstate(all="ignore"):
        return array.astype(d.numpy)


def _check_range(array: np.ndarray, d: dtype) -> None:
    info = np.iinfo(d.numpy)
    if array.size and (array.max() > info.max or array.min() < info.min):
        raise RuntimeError(f"value cannot be converted to type {d.numpy.name} without overflow")


def _default_for(array: np.ndarray) -> dtype:
    kind = array.dtype.kind
    if kind == "b":
        return dtypes.bool_
    if kind in "iu":
        return dtypes.int64
    return defaults.get_default_dtype() if kind == "f" else defaults.default_complex()


def _holds_tensors(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        if any(isinstance(x, Tensor) for x in data):
            return True
        data = data[0]
    return isinstance(data, Tensor)


def _without_tensors(data: Any) -> Any:
    """Nested sequences with each tensor replaced by its values."""
    if isinstance(data, Tensor):
        if data._array.size != 1 and data._array.ndim == 0:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return data._array.tolist()
    if isinstance(data, (list, tuple)):
        return [_without_tensors(x) for x in data]
    return data


def _bad_data(data: Any, array: np.ndarray) -> Exception:
    if isinstance(data, str):
        return TypeError("new(): invalid data type 'str'")
    if data is None:
        return RuntimeError("Could not infer dtype of NoneType")
    flat = array.reshape(-1)
    kind = type(flat[0]).__name__ if flat.size else type(data).__name__
    if kind.startswith("str"):
        return ValueError(f"too many dimensions '{kind[:3]}'")
    return RuntimeError(f"Could not infer dtype of {kind}")


def as_tensor(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """A tensor over `data`, sharing its memory where dtype and device allow."""
    d = as_dtype_argument("as_tensor", dtype)
    if isinstance(data, Tensor):
        return data.to(dtype=d or dtype_of(data), device=device or data._device)  # type: ignore
    if isinstance(data, np.ndarray):
        t = from_numpy(data)
        return t.to(dtype=d or dtype_of(t), device=device)  # type: ignore[attr-defined]
    return tensor(data, dtype=d, device=device)


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares memory with a NumPy array.

    Raises:
        TypeError: it is not an array, or its dtype has no counterpart.
        ValueError: strides are negative, or bytes are not in native order.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Conversion between byte orders is currently not supported."
        )
    dtypes.from_numpy(ndarray.dtype)
    if any(s < 0 for s in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    plain = ndarray if type(ndarray) is np.ndarray else ndarray.view(np.ndarray)
    return take_in(canonical(plain))


def canonical(array: np.ndarray) -> np.ndarray:
    """The array with its dtype as the one object that ops compare by identity.

    NumPy makes another, equal object when it unpickles an array.
    """
    d = dtypes.from_numpy(array.dtype).numpy
    return array if array.dtype is d else array.view(d)


@op()
def eye(
    n: int,
    m: int | None = None,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """A matrix with ones on its diagonal.

    Raises:
        RuntimeError: a size is negative.
    """
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"n must be greater or equal to 0, got {n if n < 0 else m}")
    d = as_dtype_argument("eye", dtype) or (
        dtype_of(out) if out is not None else defaults.get_default_dtype()
    )
    t = finish(literal(np.eye(n, m, dtype=d.numpy)), devices.resolve(device), requires_grad)
    return t if out is None else into(out, t)


def detached(t: Tensor) -> Tensor:
    """A tensor over the same memory, without history."""
    return share(t, t._array)
