"""Random numbers shaped by tensors: in-place fills, and samples with a parameter an element."""

from __future__ import annotations

from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.inplace import write_
from .._engine.autograd.tensor import Tensor
from .._engine.base import shapes
from .._engine.base.dtypes import BOOL, FLOATING
from ..random import Generator, state_of
from .arguments import check_tensor, integer
from .declare import op
from .draws import (
    draw,
    fill_,
    integer_bounds,
    inverse,
    largest_integer,
    memory_order,
    normal_parameters,
    prepare_write,
    uniform_bounds,
    unsupported,
)
from .promote import dtype_of

__all__ = [
    "_sample_dirichlet",
    "_standard_gamma",
    "_standard_gamma_grad",
    "bernoulli",
    "binomial",
    "multinomial",
    "poisson",
]

_LONG_MIN = -(1 << 63)
_ABSENT: Any = object()


@op(method=True)
def uniform_(
    input: Tensor, low: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform numbers from [low, to).

    >>> flambeau.zeros(2).uniform_(1, 1)
    tensor([1., 1.])
    """
    how = uniform_bounds(dtype_of(input), low, to, state_of(generator))
    return fill_(input, "uniform_", "random_uniform", **how)


@op(method=True)
def normal_(
    input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers."""
    serial = not input._array.flags.c_contiguous
    how = normal_parameters(dtype_of(input), mean, std, state_of(generator), serial)
    return fill_(input, "normal_", "random_normal", **how)


@op(method=True)
def random_(
    input: Tensor,
    low: int | None = None,
    to: Any = _ABSENT,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with integers: from [low, to), or [0, low), or all that the dtype holds exactly.

    `random_(low, None)` goes from `low` to the largest of those.

    Raises:
        RuntimeError: the range is empty, or the dtype cannot hold it.
    """
    d, state = dtype_of(input), state_of(generator)
    how: dict[str, Any]
    if low is None:
        if d.is_complex or d.name in ("uint16", "uint32", "uint64"):
            raise unsupported("random_kernel_cpu", d)
        how = {"low": None, "high": None, "generator": state}
    elif to is None and low == _LONG_MIN:
        if d.name not in ("int64", "float64", "float32", "bfloat16"):
            raise RuntimeError(
                "random_full_64_bits_range_kernel_cpu handles only int64, double, float and "
                "bfloat16"
            )
        how = {"low": low, "high": None, "generator": state}
    else:
        first, last = (0, low) if to is _ABSENT else (low, to)
        last = largest_integer(d) + 1 if last is None else last
        how = integer_bounds(d, first, last, state)
    return fill_(input, "random_", "random_integers", **how)


@op(method=True)
def exponential_(
    input: Tensor, lambd: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with exponential numbers of density lambd * exp(-lambd x)."""
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    check_continuous("Exponential", input)
    return fill_(
        input, "exponential_", "random_exponential", rate=lambd, generator=state_of(generator)
    )


def check_continuous(distribution: str, t: Tensor) -> None:
    """Raises RuntimeError when the tensor does not hold real floating numbers."""
    if dtype_of(t).category != FLOATING:
        raise RuntimeError(
            f"{distribution} distribution is a continuous probability distribution. dtype must "
            f"be a floating point but you specified {dtype_of(t).word}"
        )


@op(method=True)
def geometric_(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with geometric numbers: the trial of the first success, each of probability p."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    d = dtype_of(input)
    if d.is_complex or d.category == BOOL:
        raise unsupported("geometric_cpu", d)
    return fill_(input, "geometric_", "random_geometric", p=p, generator=state_of(generator))


@op(method=True)
def log_normal_(
    input: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with exp of normal numbers; mean and std are those of the exponents."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    if dtype_of(input).category != FLOATING:
        raise unsupported("log_normal_cpu", dtype_of(input))
    how = {"mean": float(mean), "std": float(std), "generator": state_of(generator)}
    return fill_(input, "log_normal_", "random_log_normal", **how)


@op(method=True)
def cauchy_(
    input: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with Cauchy numbers, median + sigma tan(pi (u - 1/2))."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    check_continuous("Cauchy", input)
    how = {"median": float(median), "sigma": float(sigma), "generator": state_of(generator)}
    return fill_(input, "cauchy_", "random_cauchy", **how)


@op(method=True)
def bernoulli_(
    input: Tensor, p: Tensor | float = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill with ones of probability p and zeros; p is a number or broadcasts to the tensor.

    Raises:
        RuntimeError: a probability lies outside [0, 1].
    """
    if dtype_of(input).is_complex:
        raise unsupported("bernoulli_scalar_cpu_", dtype_of(input))
    if not isinstance(p, Tensor):
        return fill_(input, "bernoulli_", "random_bernoulli", **_probability(p, generator))
    prepare_write(input)
    drawn = _ones_and_zeros(p.expand(input._array.shape), memory_order(input._array), generator)
    return write_(input, drawn.detach(), op="bernoulli_", checked=True)


def _probability(p: float, generator: Generator | None) -> dict[str, Any]:
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    return {"p": float(p), "generator": state_of(generator)}


def _ones_and_zeros(p: Tensor, order: Any, generator: Generator | None) -> Tensor:
    """Ones with probability p each, drawn with the dims in `order`."""
    if dtype_of(p).is_complex:
        raise unsupported("bernoulli_tensor_cpu_self_", dtype_of(p))
    if dtype_of(p).category != FLOATING:
        raise unsupported("bernoulli_tensor_cpu_p_", dtype_of(p))
    state = state_of(generator)
    if order is None:
        return P.sample_bernoulli(p, generator=state)
    return P.sample_bernoulli(p.permute(order), generator=state).permute(inverse(order))


@op(method=True, out=True)
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Ones with the probabilities that `input` holds, else zeros, in input's dtype.

    Args:
        p: one probability for all elements, instead of input's.

    Raises:
        RuntimeError: a probability lies outside [0, 1].

    >>> flambeau.bernoulli(flambeau.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    if p is not None:
        how = _probability(p, generator)
        return draw("random_bernoulli", input._array.shape, dtype_of(input), input._device, **how)
    return _ones_and_zeros(input, None, generator)


@op()
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson numbers with the rates that `input` holds.

    Raises:
        RuntimeError: a rate is negative.
    """
    _check_floating("poisson_cpu", input)
    return P.sample_poisson(input, generator=state_of(generator))


@op()
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` trials succeed, with probability `prob` each; they broadcast.

    Raises:
        ValueError: a dtype is not floating.
        RuntimeError: the dtypes differ.
    """
    for name, t in (("count", count), ("prob", prob)):
        check_tensor("binomial", name, 1, t)
        if dtype_of(t).category != FLOATING:
            raise ValueError(
                f"binomial only supports floating-point dtypes for {name}, got: {dtype_of(t).word}"
            )
    if dtype_of(count) is not dtype_of(prob):
        raise RuntimeError(f"Found dtype {dtype_of(prob).word} but expected {dtype_of(count).word}")
    shape = shapes.broadcast(count._array.shape, prob._array.shape, op="binomial")
    return P.sample_binomial(count.expand(shape), prob.expand(shape), generator=state_of(generator))


@op(method=True, out="exact")
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn with the weights that each row of `input` holds.

    Args:
        input: weights, non-negative, in one row or several; they need not sum to one.
        replacement: whether an index may be drawn twice in a row.

    Raises:
        RuntimeError: the weights are no distribution, or too few for `num_samples`.

    >>> flambeau.multinomial(flambeau.tensor([0.0, 1.0]), 1)
    tensor([1])
    """
    count = integer("multinomial", "num_samples", num_samples)
    if input.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if dtype_of(input).category != FLOATING:
        raise RuntimeError(
            "multinomial only supports floating-point dtypes for input, got: "
            f"{dtype_of(input).word}"
        )
    if count <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and count > input._array.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    return P.multinomial(
        input, num_samples=count, replacement=replacement, generator=state_of(generator)
    )


def _check_floating(kernel: str, t: Tensor) -> None:
    if dtype_of(t).category != FLOATING:
        raise unsupported(kernel, dtype_of(t))


@op()
def _standard_gamma(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Gamma numbers of rate one with the concentrations that `input` holds."""
    _check_exact("gamma_cpu", input)
    return P.sample_gamma(input, generator=state_of(generator))


@op()
def _standard_gamma_grad(input: Tensor, output: Tensor) -> Tensor:
    """d output / d input, where `output` was drawn by `_standard_gamma(input)`."""
    return P.gamma_slope(input, output)


@op()
def _sample_dirichlet(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Dirichlet numbers with the concentrations along the last dimension of `input`."""
    _check_exact("dirichlet", input)
    return P.sample_dirichlet(input, generator=state_of(generator))


def _check_exact(kernel: str, t: Tensor) -> None:
    _check_floating(kernel, t)
    if dtype_of(t).itemsize == 2:
        raise unsupported(kernel, dtype_of(t))
