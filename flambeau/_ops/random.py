"""Random tensors from a size: uniform, normal, integers, permutations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base import defaults, devices, dtypes, shapes
from .._engine.base.dtypes import dtype
from ..random import Generator, state_of
from .arguments import as_dtype_argument, check_tensor, integer, sizes
from .creation import finish
from .declare import op, write_out
from .draws import (
    draw,
    draw_like,
    integer_bounds,
    memory_order,
    normal_parameters,
    uniform_bounds,
    unsupported,
)
from .promote import dtype_of

__all__ = [
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
]


def _parameters(name: str, d: dtype, generator: Any, in_order: bool = True) -> tuple[str, dict]:
    """The primitive behind `rand` or `randn`, and its parameters."""
    if name.startswith("randn"):
        how = normal_parameters(d, 0.0, 1.0, state_of(generator), serial=not in_order)
        return "random_normal", how
    return "random_uniform", uniform_bounds(d, 0.0, 1.0, state_of(generator))


def _output_dtype(name: str, given: Any, out: Tensor | None, usual: dtype) -> dtype:
    d = as_dtype_argument(name, given)
    if out is None:
        return usual if d is None else d
    if d is not None and d is not dtype_of(out):
        raise RuntimeError(
            f"dtype {d.word} does not match dtype of out parameter ({dtype_of(out).word})"
        )
    return dtype_of(out)


def _from_size(name: str, doc: str) -> Callable[..., Tensor]:
    def function(
        *size: Any,
        generator: Generator | None = None,
        out: Tensor | None = None,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        pin_memory: bool = False,
        requires_grad: bool = False,
        **named: Any,
    ) -> Tensor:
        shape = _size(name, size, named)
        d = _output_dtype(name, dtype, out, defaults.get_default_dtype())
        where = devices.resolve(device)
        primitive, how = _parameters(name, d, generator)
        drawn = draw(primitive, shape, d, where, **how)
        if out is not None:
            return write_out(name, out, drawn)
        return finish(drawn, where, requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op()(function)


def _size(name: str, size: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    """The size, given by position or as `size=`.

    Raises:
        TypeError: neither or something unknown is given.
    """
    if "size" in named and not size:
        size = (named.pop("size"),)
    if named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
    if not size:
        raise TypeError(f"{name}() received an invalid combination of arguments: size is missing")
    return sizes(name, size)


rand = _from_size(
    "rand",
    """Uniform numbers from [0, 1): 24 random bits each, 53 for float64.

    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.rand(2)
    tensor([0.4963, 0.7682])
    """,
)
randn = _from_size(
    "randn",
    """Standard normal numbers, by the Box-Muller transform.

    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.randn(2)
    tensor([ 1.5410, -0.2934])
    """,
)


def _like(name: str, doc: str) -> Callable[..., Tensor]:
    def function(
        input: Tensor,
        *,
        generator: Generator | None = None,
        dtype: dtype | None = None,
        layout: Any = None,
        device: Any = None,
        pin_memory: bool = False,
        requires_grad: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        check_tensor(name, "input", 1, input)
        d = as_dtype_argument(name, dtype) or dtype_of(input)
        in_order = memory_order(input._array) is None
        primitive, how = _parameters(name, d, generator, in_order)
        return _drawn_like(input, primitive, d, device, requires_grad, how)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return op()(function)


def _drawn_like(
    input: Tensor, primitive: str, d: dtype, where: Any, requires_grad: bool, how: dict[str, Any]
) -> Tensor:
    place = input._device if where is None else devices.resolve(where)
    if place is input._device:
        drawn = draw_like(input, primitive, d, **how)
    else:
        drawn = draw(primitive, input._array.shape, d, place, **how)
    return finish(drawn, place, requires_grad)


rand_like = _like("rand_like", "Uniform numbers from [0, 1) in the shape and dtype of `input`.")
randn_like = _like("randn_like", "Standard normal numbers in the shape and dtype of `input`.")


@op()
def randint(
    *bounds_and_size: Any,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Tensor:
    """Integers from [low, high): `randint(high, size)` or `randint(low, high, size)`.

    Args:
        dtype: int64 by default; floating dtypes hold integer values.

    Raises:
        RuntimeError: low >= high, or the dtype cannot hold the bounds.

    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.randint(10, (4,))
    tensor([4, 9, 3, 0])
    """
    low, high, shape = _bounds_and_size(list(bounds_and_size), named)
    d = _output_dtype("randint", dtype, out, dtypes.int64)
    where = devices.resolve(device)
    drawn = draw(
        "random_integers", shape, d, where, **integer_bounds(d, low, high, state_of(generator))
    )
    if out is not None:
        return write_out("randint", out, drawn)
    return finish(drawn, where, requires_grad)


def _bounds_and_size(given: list[Any], named: dict[str, Any]) -> tuple[int, int, tuple[int, ...]]:
    if given and "size" not in named:
        named["size"] = given.pop()
    bounds = {"high": given[0]} if len(given) == 1 else dict(zip(("low", "high"), given))
    found = {"low": 0} | bounds | named
    if (
        found.keys() != {"low", "high", "size"}
        or len(given) > 2
        or bounds.keys() & named.keys()
        or not isinstance(found["size"], (tuple, list))
    ):
        raise TypeError(
            "randint() received an invalid combination of arguments: expected (int high, tuple "
            "of ints size) or (int low, int high, tuple of ints size)"
        )
    low, high = (_long(integer("randint", name, found[name])) for name in ("low", "high"))
    return low, high, sizes("randint", (found["size"],))


def _long(value: int) -> int:
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("Overflow when unpacking long long")
    return value


@op()
def randint_like(
    input: Tensor,
    low: int | None = None,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Integers from [low, high) in the shape and dtype of `input`: `(input, [low], high)`."""
    check_tensor("randint_like", "input", 1, input)
    if high is None:
        low, high = 0, low
    first = _long(integer("randint_like", "low", 0 if low is None else low))
    last = _long(integer("randint_like", "high", high))
    d = as_dtype_argument("randint_like", dtype) or dtype_of(input)
    how = integer_bounds(d, first, last, state_of(generator))
    return _drawn_like(input, "random_integers", d, device, requires_grad, how)


@op()
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """The integers 0 to n - 1 in random order.

    Raises:
        RuntimeError: n is negative, or n - 1 does not fit the dtype.

    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.randperm(4)
    tensor([2, 0, 1, 3])
    """
    count = integer("randperm", "n", n)
    d = _output_dtype("randperm", dtype, out, dtypes.int64)
    where = devices.resolve(device)
    if d.is_complex or d.category == dtypes.BOOL:
        raise unsupported("randperm", d)
    if d.category == dtypes.INTEGER and count > np.iinfo(d.numpy).max + 1:
        raise RuntimeError(f"value cannot be converted to type {d.name}_t without overflow")
    if count < 0 or where is not devices.CPU:
        drawn = draw("random_uniform", (count,), d, where)  # an error, or no numbers at all
    else:
        drawn = P.random_permutation(count=count, dtype=d.numpy, generator=state_of(generator))
    if out is not None:
        return write_out("randperm", out, drawn)
    return finish(drawn, where, requires_grad)


@op()
def normal(
    mean: Tensor | float,
    std: Tensor | float = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers with a mean and a standard deviation each, or (given `size`) in common.

    Args:
        mean, std: tensors that broadcast together, or numbers.
        size: the result's size, when both are numbers.

    Raises:
        RuntimeError: a standard deviation is negative.

    >>> flambeau.normal(0.0, 1.0, (2, 3)).shape
    torch.Size([2, 3])
    """
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        drawn = _normal_around(mean, std, generator)
        return drawn if out is None else write_out("normal", out, drawn)
    if size is None:
        raise TypeError(
            "normal() received an invalid combination of arguments: two numbers need a size"
        )
    d = _output_dtype("normal", dtype, out, defaults.get_default_dtype())
    where = devices.resolve(device)
    how = normal_parameters(d, mean, std, state_of(generator))
    drawn = draw("random_normal", sizes("normal", (size,)), d, where, **how)
    return finish(drawn, where, requires_grad) if out is None else write_out("normal", out, drawn)


def _normal_around(mean: Any, std: Any, generator: Generator | None) -> Tensor:
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    shape = shapes.broadcast(*(t._array.shape for t in tensors), op="normal")
    d = dtype_of(tensors[0])
    if d.is_complex:
        raise NotImplementedError(
            "normal: flambeau draws complex numbers by size only; scale and shift them yourself"
        )
    normal_parameters(d, 0.0, 0.0 if isinstance(std, Tensor) else std, state_of(generator))
    return P.sample_normal(mean, std, shape=shape, dtype=d.numpy, generator=state_of(generator))
