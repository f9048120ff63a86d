"""Reshaping as a layer."""

from __future__ import annotations

from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn.modules._shown import ShowsFields

__all__ = ["Flatten", "Unflatten"]


class Flatten(ShowsFields):
    """Joins the dimensions ``start_dim`` to ``end_dim`` into one.

    >>> nn.Flatten()(torch.zeros(32, 1, 5, 5)).shape
    torch.Size([32, 25])
    """

    _shown = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)


class Unflatten(ShowsFields):
    """Splits dimension ``dim`` into several.

    Args:
        dim: the dimension.
        unflattened_size: the new sizes; one of them may be -1.

    Raises:
        TypeError: unless ``dim`` is an int and ``unflattened_size`` holds ints.

    >>> nn.Unflatten(1, (2, 5))(torch.zeros(3, 10)).shape
    torch.Size([3, 2, 5])
    """

    _shown = ("dim", "unflattened_size")

    def __init__(self, dim: int, unflattened_size: list[int] | tuple[int, ...]) -> None:
        super().__init__()
        if isinstance(dim, str):
            raise NotImplementedError("Unflatten: named dimensions are not supported; use an int")
        if not isinstance(dim, int):
            raise TypeError("invalid argument type for dim parameter")
        if not isinstance(unflattened_size, tuple | list):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type "
                f"{type(unflattened_size).__name__}"
            )
        for position, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type "
                    f"{type(size).__name__} at pos {position}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)
