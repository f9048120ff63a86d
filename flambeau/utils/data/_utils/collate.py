"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import flambeau

from ...._engine.autograd.mode import mode
from ...._engine.autograd.tensor import Tensor, wrap
from ...._engine.base.devices import CPU
from .containers import is_namedtuple, mapping_like, sequence_like

CollateMap = dict[type | tuple[type, ...], Callable[..., Any]]

_NOT_NUMBERS = frozenset("SaUO")  # kinds of NumPy arrays that no tensor can hold

default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def default_convert(data: Any) -> Any:
    """Replace each NumPy array or scalar inside `data` by a tensor; keep everything else.

    What the DataLoader does with a sample when automatic batching is off (``batch_size=None``).

    >>> default_convert({"x": np.array([0, 1]), "name": "a"})
    {'x': tensor([0, 1]), 'name': 'a'}
    """
    kind = type(data)
    if isinstance(data, Tensor):
        return data
    if kind.__module__ == "numpy" and kind not in (np.str_, np.bytes_):
        if kind is np.ndarray and not _NOT_NUMBERS.isdisjoint(data.dtype.str):
            return data
        return flambeau.as_tensor(data)
    if isinstance(data, Mapping):
        return mapping_like(data, {key: default_convert(data[key]) for key in data})
    if is_namedtuple(data):
        return kind(*(default_convert(value) for value in data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return sequence_like(data, [default_convert(value) for value in data])
    return data


def collate(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Combine samples of one structure: leaves by `collate_fn_map`, containers member by member.

    Args:
        batch: the samples; the first one decides the structure.
        collate_fn_map: from a type (or tuple of types) to ``f(batch, *, collate_fn_map)``. The
            exact type is looked up first, then the first entry that the sample is an instance of.

    Raises:
        TypeError: the samples are of a type with no entry, and are no container.
        RuntimeError: sequences of different lengths.
    """
    first = batch[0]
    kind = type(first)
    if collate_fn_map is not None:
        if kind in collate_fn_map:
            return collate_fn_map[kind](batch, collate_fn_map=collate_fn_map)
        for entry, function in collate_fn_map.items():
            if isinstance(first, entry):
                return function(batch, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        contents = {
            key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map)
            for key in first
        }
        return mapping_like(first, contents)
    if not isinstance(first, Sequence):
        raise TypeError(default_collate_err_msg_format.format(kind))
    if not is_namedtuple(first) and any(len(sample) != len(first) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [
        collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch, strict=False)
    ]
    if is_namedtuple(first):
        return kind(*columns)
    return columns if isinstance(first, tuple) else sequence_like(first, columns)


def collate_tensor_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    stacked = _stacked(batch)
    return flambeau.stack(batch, 0) if stacked is None else made(stacked)


def _stacked(batch: Sequence[Any]) -> np.ndarray | None:
    """The samples' elements in one array, if they are alike and nothing else is to be known."""
    arrays = [t._array for t in batch if type(t) is Tensor and t._device is CPU]
    first = arrays[0] if len(arrays) == len(batch) else None
    if first is None or any(t._requires_grad for t in batch):
        return None
    if any(array.shape != first.shape or array.dtype != first.dtype for array in arrays):
        return None
    if not first.ndim:
        return np.array(arrays, first.dtype)
    return np.concatenate(arrays).reshape(len(arrays), *first.shape)


def made(array: np.ndarray) -> Tensor:
    """A batch, as an op would make it in the present mode."""
    t = wrap(array)
    if mode.inference:
        t._inference, t._plain = True, False
    return t


def collate_numpy_array_fn(
    batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None
) -> Any:
    dtype = batch[0].dtype
    if not _NOT_NUMBERS.isdisjoint(dtype.str):
        raise TypeError(default_collate_err_msg_format.format(dtype))
    return collate([flambeau.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(
    batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None
) -> Any:
    return flambeau.as_tensor(batch)


def collate_float_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    return flambeau.tensor(batch, dtype=flambeau.float64)


def collate_int_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    return flambeau.tensor(batch)


def collate_str_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    return batch


# The order matters: np.float64 is a float too. Users may change this table in place.
default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack samples along a new dimension 0, inside whatever structure they have.

    Tensors, NumPy arrays and numbers become one tensor (float -> float64, int -> int64);
    strings and bytes stay a list; mappings, namedtuples, tuples and sequences of these are
    collated member by member.

    Raises:
        TypeError: a sample of another type.
        RuntimeError: sequences of different lengths, or tensors of different shapes.

    >>> default_collate([{"x": 1.0, "name": "a"}, {"x": 2.0, "name": "b"}])
    {'x': tensor([1., 2.], dtype=torch.float64), 'name': ['a', 'b']}
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
