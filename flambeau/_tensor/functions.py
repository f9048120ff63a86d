"""Functions at the top level that are Tensor methods, and what can be asked of any tensor."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import check_writable, write_
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._engine.base.dtypes import dtype
from .._ops.declare import method, op
from .._ops.promote import as_dtype, common_dtype
from .._ops.strided import strides_of

# Names that exist as in-place methods and, in PyTorch, also as functions.
_INPLACE = (
    "abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh as_strided asin asinh atan "
    "atanh ceil clamp clamp_max clamp_min clip conj_physical cos cosh deg2rad detach erf erfc exp "
    "exp2 expm1 fill fix floor frac gcd i0 index_put lcm ldexp log log10 log1p log2 logit "
    "nan_to_num neg negative rad2deg reciprocal relu resize_as round rsqrt sigmoid sin sinc sinh "
    "sqrt square tan tanh threshold trunc xlogy zero"
)
_QUERIES = (
    "detach get_device is_complex is_conj is_floating_point is_inference is_neg is_signed numel"
)


def _function(name: str) -> Any:
    def call(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        try:
            found = getattr(input, name)
        except AttributeError:
            if isinstance(input, Tensor):
                raise
            raise TypeError(
                f"{name}(): argument 'input' (position 1) must be Tensor, not "
                f"{type(input).__name__}"
            ) from None
        return found(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The method `Tensor.{name}` as a function."
    return call


__all__ = ["fill", "is_nonzero", "is_same_size", "is_tensor", "result_type"]
for _name in (*(f"{n}_" for n in _INPLACE.split()), *_QUERIES.split()):
    if _name not in __all__:
        globals()[_name] = _function(_name)
        __all__.append(_name)


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


@op(method=True, reads_values=True)
def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not zero. Raises RuntimeError for other sizes."""
    return bool(input)


@op(method=True)
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape."""
    return input._array.shape == other._array.shape


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The dtype of arithmetic between two tensors or numbers.

    >>> flambeau.result_type(flambeau.tensor([1], dtype=flambeau.int8), 1.5)
    torch.float32
    """
    return common_dtype("result_type", tensor1, tensor2)


@op(label="FillBackward0")
def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor of input's shape and dtype that holds one value."""
    return P.copy(input, order="K").fill_(value)  # type: ignore[attr-defined]


@method()
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write one value on the main diagonal; `wrap` starts anew below a tall matrix's end.

    Raises:
        RuntimeError: fewer than two dimensions, or more than two of different sizes.
    """
    shape = self._array.shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    step = sum(strides_of(self._array))
    self.as_strided((min(shape),), (step,)).fill_(fill_value)  # type: ignore[attr-defined]
    step = shape[1] + 1
    if wrap and len(shape) == 2 and shape[0] > step:
        for start in range(step, shape[0], step):
            self[start:].diagonal().fill_(fill_value)  # type: ignore[index]
    return self


@method()
def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Summed over the dimensions that broadcasting `size` to this shape would stretch.

    Raises:
        RuntimeError: `size` does not broadcast to the shape.
    """
    wanted = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    if not wanted:
        return self.sum()  # type: ignore[attr-defined]
    shape = self._array.shape
    lead = len(shape) - len(wanted)
    if lead < 0 or any(n not in (1, m) for n, m in zip(wanted, shape[lead:], strict=True)):
        raise RuntimeError(f"size {{{list(wanted)}}} is not expandable to size {{{list(shape)}}}.")
    dims = (*range(lead), *(d + lead for d, n in enumerate(wanted) if n == 1 != shape[d + lead]))
    if not dims and shape:
        return self
    exact = as_dtype(self, dtypes.int64) if self._array.dtype.kind in "iub" else self
    summed = P.sum(exact, dims=dims, keepdim=True)
    return P.view(summed, shape=wanted) if lead else summed


@method()
def apply_(self: Tensor, callable: Any) -> Tensor:
    """Replace each element by what a Python function gives for it. Slow."""
    check_writable(self)
    new = self.detach().clone()  # type: ignore[attr-defined]
    flat = new._array.reshape(-1)
    for place, value in enumerate(flat.tolist()):
        flat[place] = callable(value)
    new._array[...] = flat.reshape(new._array.shape)
    return write_(self, new, op="apply_")


@method()
def dim_order(self: Tensor) -> tuple[int, ...]:
    """The dims from the slowest to the fastest in memory."""
    strides = strides_of(self._array)
    return tuple(sorted(range(len(strides)), key=lambda d: (-strides[d], d)))


@method()
def storage_type(self: Tensor) -> Any:
    """The class of the typed storage."""
    return type(self.storage())  # type: ignore[attr-defined]
