"""Layouts and memory formats: names that PyTorch's signatures take."""

from __future__ import annotations

from collections.abc import Sequence


class _Named:
    """A name under `torch`; pickles refer to it."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(_Named):
    """How a tensor stores its elements; `strided` is the only one that flambeau has."""


class memory_format(_Named):
    """The order in memory of a dense tensor's dimensions."""


strided = layout("strided")
# names only, so that programs can ask `t.layout == torch.sparse_coo`: no tensor has them
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")

_DIMENSIONS = {channels_last: 4, channels_last_3d: 5}


def channels_last_order(wanted: memory_format | None, shape: Sequence[int]) -> tuple | None:
    """The dims from slowest to fastest (batch, space, channels); None for the other formats.

    Raises:
        RuntimeError: the format asks for another number of dimensions.
    """
    ndim = _DIMENSIONS.get(wanted)  # type: ignore[arg-type]
    if ndim is None:
        return None
    if len(shape) != ndim:
        raise RuntimeError(
            f"required rank {ndim} tensor to use {wanted!r:.40} format".replace("torch.", "")
        )
    return (0, *range(2, ndim), 1)
