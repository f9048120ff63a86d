"""Gathering and scattering by index tensors (int64 unless said otherwise)."""

from __future__ import annotations

from .primitive import Aval, declare

declare("gather", "a index", "dim", shape=lambda a, index, *, dim: Aval(index.shape, a.dtype))
declare("scatter", "a index source", "dim", shape=lambda a, index, source, *, dim: a)
declare("scatter_add", "a index source", "dim", shape=lambda a, index, source, *, dim: a)
# reduce: "prod", "amax" or "amin"; what is there already takes part
declare("scatter_reduce", "a index source", "dim reduce", shape=lambda a, *_, **__: a)
# `pattern` has one entry a dimension of a: True where an index tensor of `indices` applies
declare("index", "a *indices", "pattern")
declare("index_put", "a value *indices", "pattern accumulate", shape=lambda a, *_, **__: a)
# no result: an IndexError where an element is neither in [low, high) nor `ignored` (None: none is)
declare("check_index", "index", "low high ignored", shape=lambda *_, **__: (), outputs=0)
declare("nonzero", "a")
declare("sort", "a", "dim descending stable", outputs=2)
# the order of a matrix's rows as words are ordered: by the first element, then by the second ...
declare("sort_rows", "a")
declare("searchsorted", "sorted values", "right")
