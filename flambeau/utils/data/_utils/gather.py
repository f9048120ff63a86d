"""The fast path: whole batches of a TensorDataset by one fancy index a tensor.

The order, the random numbers drawn and the results are those of fetching sample by sample and
stacking; whatever is out of the ordinary is left to that path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...._engine.autograd.tensor import Tensor
from ...._engine.base.devices import CPU
from ..dataset import Subset, TensorDataset
from ..sampler import BatchSampler, RandomSampler, SequentialSampler, WeightedRandomSampler
from .collate import default_collate, default_collate_fn_map, made
from .fetch import _DatasetKind
from .iterators import _SingleProcessDataLoaderIter

if TYPE_CHECKING:
    from ..dataloader import DataLoader

_BLOCK_SAMPLERS = (SequentialSampler, RandomSampler, WeightedRandomSampler)
_TENSOR_ROW = TensorDataset.__getitem__
_UNCHANGED_COLLATION = dict(default_collate_fn_map)


def can_gather(loader: DataLoader[Any]) -> bool:
    """Whether fetching and collating have no user code in them, and tensors have no history."""
    if (
        loader._dataset_kind != _DatasetKind.Map
        or not loader._auto_collation
        or loader.collate_fn is not default_collate
        or default_collate_fn_map != _UNCHANGED_COLLATION
    ):
        return False
    dataset = loader.dataset
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return (
        isinstance(dataset, TensorDataset)
        and type(dataset).__getitem__ is _TENSOR_ROW
        and not hasattr(dataset, "__getitems__")
        and all(map(_is_plain, dataset.tensors))
    )


def _is_plain(tensor: Any) -> bool:
    getattr(tensor, "_array", None)  # if it was pending, it has its own class from here on
    return type(tensor) is Tensor and tensor._device is CPU and not tensor.requires_grad


class _TensorDataLoaderIter(_SingleProcessDataLoaderIter):
    """Gathers each batch when it is asked for."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        dataset: Any = self._dataset
        self._chosen: np.ndarray | None = None
        while type(dataset) is Subset:
            outer = np.asarray(dataset.indices, dtype=np.intp)
            self._chosen = outer if self._chosen is None else outer[self._chosen]
            dataset = dataset.dataset
        self._tensor_dataset: TensorDataset = dataset
        self._checked_tensors = dataset.tensors
        sampler = self._index_sampler
        if type(sampler) is BatchSampler and type(sampler.sampler) in _BLOCK_SAMPLERS:
            self._sampler_iter = _batches_of_blocks(sampler)

    def __next__(self) -> Any:
        positions = next(self._sampler_iter)
        self._num_yielded += 1
        tensors = self._tensor_dataset.tensors
        if tensors is self._checked_tensors:
            try:
                rows = positions if type(positions) is np.ndarray else _row_numbers(positions)
                if self._chosen is not None:
                    rows = self._chosen[rows]
                return [made(_gather(tensor._array, rows)) for tensor in tensors]
            except (IndexError, TypeError, ValueError):
                pass  # fetching sample by sample knows what to do, or what to say
        if isinstance(positions, np.ndarray):
            positions = positions.tolist()
        return self._dataset_fetcher.fetch(positions)


def _row_numbers(positions: Any) -> np.ndarray:
    rows = np.asarray(positions)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise TypeError("not a list of integers")
    return rows


def _gather(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if array.flags.c_contiguous:
        return array.take(rows, 0)
    # Here take would copy the whole array first.
    return np.ascontiguousarray(array[rows])


def _batches_of_blocks(sampler: BatchSampler) -> Iterator[np.ndarray]:
    """The batches of ``iter(sampler)``, as arrays, drawing blocks no earlier than it does."""
    size = sampler.batch_size
    rest = np.empty(0, np.intp)
    for drawn in sampler.sampler._blocks():  # type: ignore[union-attr]
        block = np.concatenate([rest, drawn]) if rest.size else drawn
        full = len(block) - len(block) % size
        for start in range(0, full, size):
            yield block[start : start + size]
        rest = block[full:]
    if rest.size and not sampler.drop_last:
        yield rest
