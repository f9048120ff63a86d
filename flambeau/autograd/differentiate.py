"""`backward` and `grad`: the two ways to ask the engine for gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._engine.autograd import backward as engine
from .._engine.autograd.callbacks import Steps, advance, answering
from .._engine.autograd.node import edge_to
from .._engine.autograd.tensor import Tensor
from .._engine.base import dtypes
from .._ops.declare import event

TensorOrTensors = Tensor | Sequence[Tensor]


def _as_tuple(x: Any) -> tuple:
    return (x,) if isinstance(x, Tensor) or x is None else tuple(x)


def _seeds(roots: tuple[Tensor, ...], grads: tuple[Tensor | None, ...]) -> list[Tensor]:
    """One gradient a root, made or checked."""
    if len(grads) != len(roots):
        raise RuntimeError(
            f"got {len(roots)} tensors and {len(grads)} gradients: one gradient a tensor is needed"
        )
    found = []
    for position, (root, grad) in enumerate(zip(roots, grads, strict=True)):
        if edge_to(root) is None:
            raise RuntimeError(
                f"element {position} of tensors does not require grad and does not have a grad_fn"
            )
        if grad is None:
            found.append(engine.implicit_grad(root))
            continue
        if grad._array.shape != root._array.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{position}] has a shape of "
                f"torch.Size({list(grad._array.shape)}) and output[{position}] has a shape of "
                f"torch.Size({list(root._array.shape)})."
            )
        if (grad._array.dtype.kind == "c") != (root._array.dtype.kind == "c"):
            raise RuntimeError(
                "For complex Tensors, both grad_output and output are required to have the same "
                f"dtype. Mismatch in dtype: grad_output[{position}] has a dtype of "
                f"{dtypes.from_numpy(grad._array.dtype)} and output[{position}] has a dtype of "
                f"{dtypes.from_numpy(root._array.dtype)}."
            )
        found.append(engine.as_gradient_of(root, grad))
    return found


@answering
@event("backward")
def backward(
    tensors: TensorOrTensors,
    grad_tensors: TensorOrTensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: TensorOrTensors | None = None,
    inputs: TensorOrTensors | None = None,
) -> None:
    """Add the gradients of `tensors`, weighted by `grad_tensors`, to the leaves' `.grad`.

    Raises:
        RuntimeError: a tensor has no graph, a shape differs, or the graph was freed.

    >>> x = flambeau.ones(2, requires_grad=True)
    >>> backward((x * x).sum()); x.grad
    tensor([2., 2.])
    """
    if grad_variables is not None:
        grad_tensors = grad_variables
    roots = _as_tuple(tensors)
    if inputs is not None:
        inputs = _as_tuple(inputs)
        if not inputs:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
    grads = (None,) * len(roots) if grad_tensors is None else _as_tuple(grad_tensors)
    steps = engine.steps(
        roots,
        _seeds(roots, grads),
        retain_graph=create_graph if retain_graph is None else retain_graph,
        inputs=inputs,  # type: ignore[arg-type]
    )
    return advance(steps, create_graph)


@answering
@event("autograd.grad")
def grad(
    outputs: TensorOrTensors,
    inputs: TensorOrTensors,
    grad_outputs: TensorOrTensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs`, weighted by `grad_outputs`, with respect to `inputs`.

    Args:
        allow_unused: give None for an input that the outputs do not depend on.
        materialize_grads: give zeros instead of that None.

    Raises:
        RuntimeError: an input does not require grad, or is not used and that is not allowed.
        NotImplementedError: `is_grads_batched`.
    """
    if is_grads_batched:
        raise NotImplementedError("grad(): is_grads_batched=True needs vmap, which comes later")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    roots, targets = _as_tuple(outputs), _as_tuple(inputs)
    if not targets:
        raise ValueError("grad requires non-empty inputs.")
    grads = (None,) * len(roots) if grad_outputs is None else _as_tuple(grad_outputs)
    seeds = _seeds(roots, grads)
    for t in targets:
        if edge_to(t) is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    steps = engine.steps(
        roots,
        seeds,
        retain_graph=create_graph if retain_graph is None else retain_graph,
        inputs=targets,
        accumulate=False,
    )
    return advance(_completed(steps, targets, allow_unused, materialize_grads), create_graph)


def _completed(
    steps: Steps, targets: tuple, allow_unused: bool | None, materialize_grads: bool
) -> Steps:
    """The engine's results as `grad` gives them."""
    found = yield from steps
    if materialize_grads:
        return tuple(
            engine.constant_like(t, 0) if g is None else g
            for g, t in zip(found, targets, strict=True)
        )
    if not allow_unused and any(g is None for g in found):
        position = next(i for i, g in enumerate(found) if g is None)
        raise RuntimeError(
            f"The differentiated Tensor at index {position} appears to not have been used in the "
            "graph. Set allow_unused=True if this is the desired behavior."
        )
    return tuple(found)
