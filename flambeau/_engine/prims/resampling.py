"""Resampling along one dimension: each result is a weighted sum of a few elements.

One primitive serves linear, cubic and area interpolation, adaptive averaging, and padding by
reflection, replication or wrapping; its adjoint is itself with the taps transposed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from .primitive import Aval, declare


class Taps:
    """A sparse matrix by rows: which elements each result reads, and with what weights.

    Attributes:
        size: the number of elements read from.
        sources: the positions read, of all results one after the other.
        weights: one for each position; None means that all are 1.
        starts: where each result's positions begin.
    """

    def __init__(
        self, size: int, sources: np.ndarray, weights: np.ndarray | None, starts: np.ndarray
    ):
        self.size = size
        self.sources = sources
        self.weights = weights
        self.starts = starts

    @classmethod
    def rows(cls, size: int, rows: Sequence[tuple[np.ndarray, np.ndarray | None]]) -> Taps:
        """From (positions, weights) of each result in turn."""
        counts = [len(sources) for sources, _ in rows]
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        sources = np.concatenate([sources for sources, _ in rows])
        if any(weights is None for _, weights in rows):
            return cls(size, sources, None, starts)
        return cls(size, sources, np.concatenate([w for _, w in rows]), starts)  # type: ignore

    @property
    def count(self) -> int:
        """The number of results."""
        return len(self.starts)

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """How many elements each result reads."""
        return np.diff(self.starts, append=len(self.sources))

    @functools.cached_property
    def uniform(self) -> int | None:
        """That number, where it is the same for all results."""
        lengths = self.lengths
        return int(lengths[0]) if len(lengths) and (lengths == lengths[0]).all() else None

    @functools.cached_property
    def transposed(self) -> Taps:
        """The taps of the adjoint: results and elements exchanged."""
        order = np.argsort(self.sources, kind="stable")
        results = np.repeat(np.arange(self.count), self.lengths)
        counts = np.bincount(self.sources, minlength=self.size)
        found = Taps(
            self.count,
            results[order],
            None if self.weights is None else self.weights[order],
            np.cumsum(counts) - counts,
        )
        found.__dict__["transposed"] = self
        return found


def _resample(a: Aval, *, taps: Taps, dim: int) -> Aval:
    return Aval((*a.shape[:dim], taps.count, *a.shape[dim + 1 :]), a.dtype)


declare("resample", "a", "taps dim", shape=_resample)
