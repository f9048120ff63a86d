"""Jacobians, Hessians and their products with vectors, all by reverse mode.

A Jacobian-vector product is had by differentiating the vector-Jacobian product with respect to
its vector (the "double backward trick").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine.autograd.calls import constant_like
from .._engine.autograd.mode import enable_grad
from .._engine.autograd.tensor import Tensor
from .._ops.joining import stack
from .._ops.shaping import reshape
from .differentiate import grad


def _tuple(x: Any, what: str) -> tuple[tuple, bool]:
    """A tuple of tensors, and whether it was one already.

    Raises:
        TypeError: something in it is not a tensor.
    """
    several = isinstance(x, (tuple, list))
    found = tuple(x) if several else (x,)
    for position, item in enumerate(found):
        if not isinstance(item, Tensor):
            raise TypeError(
                f"The {what} given to the function must be Tensors, but element {position} has "
                f"type {type(item)}."
            )
    return found, several


def _prepared(inputs: tuple, create_graph: bool) -> tuple:
    """Inputs as differentiable tensors: of the caller's graph when that is to be kept."""
    if create_graph:
        return tuple(x.view(x.shape) if x.requires_grad else _leaf(x) for x in inputs)
    return tuple(_leaf(x) for x in inputs)


def _leaf(x: Any) -> Any:
    return x.detach().requires_grad_()


def _unwrap(found: tuple, several: bool) -> Any:
    return found if several else found[0]


def _zeros_for(found: tuple, like: tuple, strict: bool, what: str) -> tuple:
    """Zeros in place of missing gradients.

    Raises:
        RuntimeError: `strict`, and one is missing.
    """
    if strict and any(g is None for g in found):
        position = next(i for i, g in enumerate(found) if g is None)
        raise RuntimeError(
            f"The output of the user-provided function is independent of input "
            f"{position}. This is not allowed in strict mode ({what})."
        )
    return tuple(constant_like(x, 0) if g is None else g for g, x in zip(found, like, strict=True))


def _gradients(
    outputs: tuple, inputs: tuple, weights: Any, create_graph: bool
) -> tuple[Tensor | None, ...]:
    used: list[tuple[Any, Any]] = [
        (o, w)
        for o, w in zip(outputs, weights or (None,) * len(outputs), strict=True)
        if o.requires_grad
    ]
    if not used:
        return (None,) * len(inputs)
    return grad(
        [o for o, _ in used],
        inputs,
        None if weights is None else [w for _, w in used],
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
    )


def _finish(x: Any, create_graph: bool) -> Any:
    if isinstance(x, tuple):
        return tuple(_finish(item, create_graph) for item in x)
    return x if create_graph else x.detach()


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """func(inputs), and the product of `v` with the Jacobian of `func`.

    Raises:
        RuntimeError: `v` is missing for an output of several elements, or `strict` fails.
    """
    with enable_grad():
        xs, several = _tuple(inputs, "inputs")
        xs = _prepared(xs, create_graph)
        outputs, several_out = _tuple(func(*xs), "outputs")
        weights = _weights(outputs, v, "vjp")
        found = _gradients(outputs, xs, weights, create_graph)
        found = _zeros_for(found, xs, strict, "vjp")
    return (
        _finish(_unwrap(outputs, several_out), create_graph),
        _finish(_unwrap(found, several), create_graph),
    )


def _weights(like: tuple, v: Any, what: str) -> tuple:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"The vector v can only be None if the function or its input has a single "
                f"element ({what})."
            )
        return (constant_like(like[0], 1),)
    weights, _ = _tuple(v, "v")
    for position, (w, x) in enumerate(zip(weights, like, strict=True)):
        if w.shape != x.shape:
            raise RuntimeError(
                f"v has invalid size: should be {x.shape} but got {w.shape} (element {position})"
            )
    return weights


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """func(inputs), and the product of the Jacobian of `func` with `v`."""
    with enable_grad():
        xs, _ = _tuple(inputs, "inputs")
        xs = _prepared(xs, create_graph)
        vectors = _weights(xs, v, "jvp")
        outputs, several_out = _tuple(func(*xs), "outputs")
        dummies = tuple(constant_like(o, 0).requires_grad_() for o in outputs)  # type: ignore
        inner = _zeros_for(_gradients(outputs, xs, dummies, True), xs, strict, "jvp")
        found = _gradients(inner, dummies, vectors, create_graph)
        found = _zeros_for(found, outputs, strict, "jvp")
    return (
        _finish(_unwrap(outputs, several_out), create_graph),
        _finish(_unwrap(found, several_out), create_graph),
    )


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of `func`: for each output and input, a tensor of their shapes joined.

    Raises:
        ValueError: an unknown strategy.

    >>> jacobian(lambda x: x * 2, flambeau.ones(2))
    tensor([[2., 0.],
            [0., 2.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError("Expected strategy to be either 'forward-mode' or 'reverse-mode'.")
    with enable_grad():
        xs, several = _tuple(inputs, "inputs")
        xs = _prepared(xs, create_graph)
        outputs, several_out = _tuple(func(*xs), "outputs")
        rows = tuple(_jacobian_of(out, xs, create_graph, strict) for out in outputs)
        rows = tuple(_unwrap(row, several) for row in rows)
    return _finish(_unwrap(rows, several_out), create_graph)


def _jacobian_of(out: Any, xs: tuple, create_graph: bool, strict: bool) -> tuple:
    flat = out.reshape(-1)
    rows = []
    for element in range(flat.numel()):
        found = _gradients((flat[element],), xs, None, create_graph)
        rows.append(_zeros_for(found, xs, strict, "jacobian"))
    if not rows:
        return tuple(constant_like(x, 0).expand((*out.shape, *x.shape)) for x in xs)  # type: ignore
    return tuple(
        reshape(stack([row[i] for row in rows]), (*out.shape, *x.shape)) for i, x in enumerate(xs)
    )


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The matrix of second derivatives of a scalar function."""
    _, several = _tuple(inputs, "inputs")

    def gradient(*xs: Any) -> Any:
        value = func(*xs)
        _check_scalar(value)
        found = jacobian(func, xs, create_graph=True, strict=strict)
        return tuple(g.reshape(x.shape) for g, x in zip(found, xs, strict=True))

    found = jacobian(gradient, tuple(inputs) if several else (inputs,), create_graph, strict)
    return found if several else found[0][0]


def _check_scalar(value: Any) -> None:
    if isinstance(value, tuple) or value.numel() != 1:
        raise RuntimeError(
            "The Tensor returned by the function given to hessian should contain a single element"
        )


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """func(inputs), and the product of `v` with the Hessian of a scalar `func`."""
    return _hessian_product(func, inputs, v, create_graph, strict, "vhp")


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """func(inputs), and the product of the Hessian of a scalar `func` with `v`."""
    return _hessian_product(func, inputs, v, create_graph, strict, "hvp")


def _hessian_product(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool, what: str
) -> tuple[Any, Any]:
    """The Hessian is symmetric, so both products are the gradient of gradient . v."""
    with enable_grad():
        xs, several = _tuple(inputs, "inputs")
        xs = _prepared(xs, create_graph)
        value = func(*xs)
        _check_scalar(value)
        vectors = _weights(xs, v, what)
        first = _zeros_for(_gradients((value,), xs, None, True), xs, strict, what)
        found = _gradients(first, xs, vectors, create_graph)
        found = _zeros_for(found, xs, strict, what)
    return _finish(value, create_graph), _finish(_unwrap(found, several), create_graph)
