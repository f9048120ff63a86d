"""One pass through a DataLoader in the main process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from ...._engine.base import state
from ..sampler import draw_seed
from .fetch import _DatasetKind

if TYPE_CHECKING:
    from ..dataloader import DataLoader


class _BaseDataLoaderIter:
    """What single-process and multi-process iteration share.

    Draws from the loader's generator at the moments PyTorch does: a base seed when made, the
    sampler's own numbers when the first index is asked for.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._index_sampler = loader._index_sampler
        self._drop_last = loader.drop_last
        self._auto_collation = loader._auto_collation
        self._collate_fn = loader.collate_fn
        self._num_workers = loader.num_workers
        self._promised_len = loader._IterableDataset_len_called
        self._sampler_iter = iter(self._index_sampler)
        self._base_seed = draw_seed(loader.generator)
        self._num_yielded = 0
        if loader.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, "
                "then device pinned memory won't be used.",
                stacklevel=4,
            )

    def __iter__(self) -> Iterator[Any]:
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)  # type: ignore[arg-type]

    def __next__(self) -> Any:
        data = self._next_data()
        self._num_yielded += 1
        if self._promised_len is not None and self._num_yielded > self._promised_len:
            self._warn_of_length()
        return data

    def _next_index(self) -> Any:
        return next(self._sampler_iter)

    def _next_data(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} should implement _next_data")

    def _warn_of_length(self) -> None:
        advice = (
            "For multiprocessing data-loading, this could be caused by not properly configuring "
            "the IterableDataset replica at each worker: see "
            "flambeau.utils.data.IterableDataset for an example."
        )
        warnings.warn(
            f"Length of IterableDataset {self._dataset} was reported to be {self._promised_len}"
            f"(when accessing len(dataloader)), but {self._num_yielded} samples have been "
            f"fetched. {advice if self._num_workers else ''}",
            stacklevel=3,
        )

    def __getstate__(self) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Fetches each batch when it is asked for."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        if loader.timeout != 0:
            raise AssertionError(
                "_SingleProcessDataLoaderIter requires timeout == 0: a timeout needs worker "
                "processes (num_workers > 0)"
            )
        self._dataset_fetcher = _DatasetKind.create_fetcher(
            self._dataset_kind,
            self._dataset,
            self._auto_collation,
            self._collate_fn,
            self._drop_last,
        )

    def _next_data(self) -> Any:
        # Samples are made at once, as workers do: what is done for each is no part of a step.
        with state.aside():
            return self._dataset_fetcher.fetch(self._next_index())
