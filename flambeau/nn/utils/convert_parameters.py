"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.joining import cat

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _one_device(parameters: list[Tensor]) -> None:
    if len({parameter.device for parameter in parameters}) > 1:
        raise TypeError(
            "Found two parameters on different devices, this is currently not supported."
        )


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all parameters in one vector (differentiable).

    >>> nn.utils.parameters_to_vector([torch.zeros(2, 3), torch.ones(1)]).shape
    torch.Size([7])
    """
    listed = list(parameters)
    _one_device(listed)
    return cat([parameter.reshape(-1) for parameter in listed])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Cut ``vec`` into pieces that become the data of the parameters (they share its memory)."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    listed = list(parameters)
    _one_device(listed)
    start = 0
    for parameter in listed:
        stop = start + parameter.numel()
        parameter.data = vec[start:stop].view(parameter.shape).data
        start = stop
