"""Comparing gradients with finite differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.autograd.mode import enable_grad, no_grad
from .._engine.autograd.tensor import Tensor, wrap
from .._ops.creation import zeros_like
from ..jit import disabled
from .differentiate import grad


class GradcheckError(RuntimeError):
    """The analytical gradient differs from the numerical one."""


def _differentiable(outputs: Any) -> list[Any]:
    outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    return [o for o in outputs if isinstance(o, Tensor) and o.requires_grad]  # type: ignore


def _check_inputs(inputs: tuple) -> list[Any]:
    found = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]  # type: ignore
    if not found:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the "
            "them have requires_grad=True."
        )
    for x in found:
        if x._array.dtype not in (np.float64, np.complex128):
            warnings.warn(
                "Input requires gradient and is not a double precision floating point or complex. "
                "This check will likely fail if all the inputs are not of double precision "
                "floating point or complex. ",
                stacklevel=3,
            )
    return found


def _numerical(function: Callable[[], list[np.ndarray]], x: Any, eps: float) -> list[np.ndarray]:
    """d(output)/d(x) by central differences: for each output a matrix, x by output."""
    array = x._array
    rows: list[list[np.ndarray]] = []
    steps = [eps, 1j * eps] if array.dtype.kind == "c" else [eps]
    for index in np.ndindex(array.shape):
        slopes = []
        for step in steps:
            kept = array[index].copy()
            array[index] = kept + step
            above = function()
            array[index] = kept - step
            below = function()
            array[index] = kept
            slopes.append([(a - b) / (2 * eps) for a, b in zip(above, below, strict=True)])
        rows.append(_combine(slopes))
    if not rows:
        return [np.zeros((0, o.size)) for o in function()]
    return [np.stack([row[k].reshape(-1) for row in rows]) for k in range(len(rows[0]))]


def _combine(slopes: list[list[np.ndarray]]) -> list[np.ndarray]:
    """For complex x, the conjugate Wirtinger derivative that PyTorch's gradients follow."""
    if len(slopes) == 1:
        return slopes[0]
    return [np.stack([re, im]) for re, im in zip(*slopes, strict=True)]


def _analytical(outputs: list[Any], x: Any, weights: list[Any]) -> np.ndarray:
    found = grad(outputs, x, weights, retain_graph=True, allow_unused=True)[0]
    return (zeros_like(x) if found is None else found).detach()._array


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether gradients of `func` agree with central differences, in double precision.

    Args:
        eps: the step of the differences.
        fast_mode: compare along one random direction only.

    Raises:
        GradcheckError: they differ (with `raise_exception`).
        ValueError: no input requires grad.
    """
    try:
        with disabled():  # inputs are changed through their arrays
            return _gradcheck(func, inputs, eps, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False


def _gradcheck(
    func: Callable[..., Any], inputs: Any, eps: float, atol: float, rtol: float, nondet: float
) -> bool:
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    checked = _check_inputs(inputs)
    with enable_grad():
        outputs = _differentiable(func(*inputs))

    def values() -> list[np.ndarray]:
        with no_grad():
            found = func(*inputs)
        found = found if isinstance(found, (tuple, list)) else (found,)
        floats = [f for f in found if isinstance(f, Tensor) and f._array.dtype.kind in "fc"]
        return [f._array.copy() for f in floats][: len(outputs)]

    for position, x in enumerate(checked):
        numerical = _numerical(values, x, eps)
        for number, out in enumerate(outputs):
            _compare(outputs, number, out, x, numerical[number], (atol, rtol, nondet), position)
    return True


def _compare(
    outputs: list[Any],
    number: int,
    out: Any,
    x: Any,
    numerical: np.ndarray,
    tolerances: tuple[float, float, float],
    position: int,
) -> None:
    atol, rtol, nondet = tolerances
    analytical = []
    units = [1.0, 1j] if out._array.dtype.kind == "c" else [1.0]
    for unit in units:
        for index in np.ndindex(out._array.shape):
            seed = np.zeros(out._array.shape, out._array.dtype)
            seed[index] = unit
            first = _analytical([out], x, [wrap(seed)])
            again = _analytical([out], x, [wrap(seed)])
            if np.abs(first - again).max(initial=0) > nondet:
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same "
                    "input and grad_output multiple times gives different values"
                )
            analytical.append(first.reshape(-1))
    expected = _expected(numerical, out, x)
    found = np.stack(analytical, 1) if analytical else expected
    if not np.allclose(found, expected, rtol, atol, equal_nan=True):
        raise GradcheckError(
            f"Jacobian mismatch for output {number} with respect to input {position},\n"
            f"numerical:{expected}\nanalytical:{found}\n"
        )


def _expected(numerical: np.ndarray, out: Any, x: Any) -> np.ndarray:
    """What backward gives for seeds 1 (and 1j) at each output, from real slopes.

    For a real function L = Re(conj(seed) * out), backward gives dL/dRe(x) + 1j * dL/dIm(x).
    """
    count = x._array.size
    slopes = numerical.reshape(count, -1, out._array.size)  # x, (re, im) of x, output
    units = [1.0, 1j] if out._array.dtype.kind == "c" else [1.0]
    columns = []
    for unit in units:
        real = (np.conj(unit) * slopes).real
        columns.append(real[:, 0] + 1j * real[:, 1] if slopes.shape[1] == 2 else real[:, 0])
    return np.concatenate(columns, axis=1)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether second derivatives of `func` agree with differences of its first ones."""
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    with enable_grad():
        outputs = _differentiable(func(*inputs))
    if grad_outputs is None:
        generator = np.random.default_rng(0)
        grad_outputs = [
            wrap(_random_like(generator, o._array)).requires_grad_()
            for o in outputs  # type: ignore
        ]
    weights = tuple(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
    count = len(weights)

    def first(*args: Any) -> tuple:
        xs, seeds = args[:-count], args[-count:]
        wanted = [x for x in xs if isinstance(x, Tensor) and x.requires_grad]  # type: ignore
        with enable_grad():
            outs = _differentiable(func(*xs))
            found = grad(outs, wanted, list(seeds), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None and g.requires_grad)  # type: ignore

    return gradcheck(
        first,
        (*inputs, *weights),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
    )


def _random_like(generator: np.random.Generator, array: np.ndarray) -> np.ndarray:
    values = generator.uniform(0.5, 1.5, array.shape)
    if array.dtype.kind == "c":
        values = values + 1j * generator.uniform(-1, 1, array.shape)
    return np.asarray(values).astype(array.dtype)
